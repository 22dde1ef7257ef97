"""Pages of billing: what a month costs, invoices, and whom they are made out to."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from platforma.api.fields import Name
from platforma.authentication.schemas import Email
from platforma.billing import budgets, service
from platforma.billing.costs import find_costs
from platforma.billing.endpoints import Reads, Writes
from platforma.billing.invoice_models import InvoiceStatus
from platforma.billing.invoicing import get_account
from platforma.billing.metering import MICROSECOND
from platforma.billing.money import exponent_of, in_words
from platforma.billing.payment_models import BillingEvent
from platforma.billing.payments import list_payments
from platforma.billing.rating import month_of
from platforma.billing.schemas import BillingDetailsIn, BudgetCreate, InvoiceQuery, MonthQuery
from platforma.billing.terms import find_details
from platforma.kit.clock import utc_now
from platforma.kit.problems import Invalid
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute, shown_on
from platforma.portal.wording import Badge

billing = APIRouter(prefix="/billing", tags=["Billing"], route_class=PageRoute)
invoices = APIRouter(prefix="/invoices", tags=["Billing"], route_class=PageRoute)

_BADGES = {
    InvoiceStatus.OPEN: Badge("Open", "warn"),
    InvoiceStatus.PAID: Badge("Paid", "good"),
    InvoiceStatus.CREDITED: Badge("Credited", "off"),
    InvoiceStatus.ISSUED: Badge("Issued", "off"),
}
_EMAILS = TypeAdapter(list[Email])


class InvoicesQuery(PageListQuery, InvoiceQuery):
    """The address of a list of invoices."""

    sort: str = Field(default="-issued_at", pattern=r"^-?[a-z_]{1,40}$")


class DetailsForm(FormInput):
    """Whom invoices are made out to; contacts are divided by commas or blanks."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"company": "Acme", "line1": "High Street 1", "postal_code": "1", "city": "Town", "country": "DE"}
            ]
        }
    )

    company: Name
    line1: Name
    line2: Annotated[str, Field(max_length=255)] = ""
    postal_code: Annotated[str, Field(min_length=1, max_length=20)]
    city: Name
    country: Annotated[str, Field(min_length=2, max_length=2)]
    vat_number: Annotated[str, Field(max_length=40)] | None = None
    contacts: Annotated[str, Field(max_length=3000)] = ""

    def details(self) -> BillingDetailsIn:
        """Return it as the API takes it; raises Invalid."""
        values = self.model_dump() | {"contacts": self.contacts.replace(",", " ").split()}
        try:
            return BillingDetailsIn.model_validate(values | {"country": self.country.upper()})
        except ValidationError as error:
            raise Invalid(errors=[_field_error(item["loc"], item["msg"]) for item in error.errors()]) from error


class BudgetForm(FormInput):
    """How much a month may cost, in the currency's major unit."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Everything", "amount": "100"}]})

    name: Name
    amount: Annotated[Decimal, Field(ge=1, le=10**12, max_digits=15, decimal_places=2)]


_EVENTS = {
    "payment_succeeded": "An invoice was paid.",
    "payment_failed": "A payment failed.",
    "payment_requires_action": "Your bank wants a payment to be confirmed.",
    "reminder": "An invoice is overdue.",
    "suspended": "Until the overdue invoices are paid you can only delete.",
    "reinstated": "Everything can be changed again.",
    "refund_failed": "A refund failed. Your provider looks after it.",
    "differs": "Stripe and your provider differ. Your provider looks after it.",
    "closed": "The account was closed, and the cards were forgotten.",
    "rejected": "An answer of Stripe was rejected. Your provider looks after it.",
}


def describe_event(event: BillingEvent) -> str:
    """Say in a sentence what happened."""
    if event.kind == "budget":
        return f"{event.details['threshold']} % of the budget {event.details['name']} are used."
    return _EVENTS.get(event.kind, event.kind)


def _months_around(shown: datetime, now: datetime) -> dict[str, str]:
    """Return the addresses of the month before the one that is shown, and of the one after it if it has begun."""
    month = month_of(shown)
    before = month_of(month.begins - MICROSECOND).begins
    links = {"before": f"{before:%Y-%m}"}
    return links | ({"after": f"{month.ends:%Y-%m}"} if month.ends <= now else {})


def _field_error(place: tuple[int | str, ...], message: str) -> dict[str, str]:
    name = str(place[0]) if place else "vat_number"
    return {"where": f"body.{name}", "detail": message.removeprefix("Value error, ")}


@billing.get("")
async def show_billing(request: Request, query: Annotated[MonthQuery, Query()], reading: Reads) -> Response:
    """What a month costs so far."""
    now = utc_now()
    return render(
        request,
        "billing/overview.html",
        reading,
        costs=await find_costs(reading.session, query.moment(now), now=now),
        account=await get_account(reading.session),
        budgets=await budgets.list_budgets(reading.session),
        events=await budgets.list_events(reading.session, limit=8),
        describe=describe_event,
        months=_months_around(query.moment(now), now),
        money=in_words,
    )


@billing.get("/budgets")
async def show_budgets(request: Request, reading: Reads) -> Response:
    """The budgets, and the form for another."""
    now = utc_now()
    costs = await find_costs(reading.session, now, now=now)
    rows = await budgets.list_budgets(reading.session)
    return render(request, "billing/budgets.html", reading, rows=rows, costs=costs, money=in_words)


@billing.post("/budgets")
@shown_on("/billing/budgets")
async def create_budget(form: Annotated[BudgetForm, Form()], writing: Writes) -> Response:
    """Make a budget."""
    now = utc_now()
    costs = await find_costs(writing.session, now, now=now)
    wanted = BudgetCreate(name=form.name, amount=int(form.amount * 10 ** exponent_of(costs.currency or "")))
    await budgets.create_budget(writing.session, writing.principal, wanted)
    return see_other("/billing/budgets", notice="budget-made")


@billing.post("/budgets/{budget_id}/delete")
@shown_on("/billing/budgets")
async def delete_budget(budget_id: UUID, writing: Writes) -> Response:
    """Remove a budget."""
    await budgets.delete_budget(writing.session, writing.principal, budget_id)
    return see_other("/billing/budgets", notice="budget-removed")


@billing.get("/details")
async def show_billing_details(request: Request, reading: Reads) -> Response:
    """Whom invoices are made out to."""
    return render(request, "billing/details.html", reading, details=await find_details(reading.session))


@billing.post("/details")
@shown_on("/billing/details")
async def change_billing_details(form: Annotated[DetailsForm, Form()], writing: Writes) -> Response:
    """Say whom invoices are made out to."""
    await service.change_details(writing.session, writing.principal, form.details())
    return see_other("/billing/details", notice="billing-details-changed")


@invoices.get("")
async def show_invoices(request: Request, query: Annotated[InvoicesQuery, Query()], reading: Reads) -> Response:
    """The list of invoices and credit notes."""
    page = await service.list_invoices(reading.session, query)
    return render(
        request,
        "billing/invoices.html",
        reading,
        rows=page.items,
        account=await get_account(reading.session),
        listing=Listing(request, query, page.next),
        badges=_BADGES,
        money=in_words,
    )


@invoices.post("")
@shown_on("/invoices")
async def request_invoice(writing: Writes) -> Response:
    """Ask for an invoice now."""
    await service.request_invoice(writing.session, writing.principal)
    return see_other("/invoices", notice="invoice-requested")


@invoices.get("/{invoice_id}")
async def show_invoice(invoice_id: UUID, request: Request, reading: Reads) -> Response:
    """An invoice or a credit note."""
    invoice = await service.get_invoice(reading.session, invoice_id)
    return render(
        request,
        "billing/invoice.html",
        reading,
        invoice=invoice,
        lines=await service.list_lines(reading.session, invoice_id),
        notes=await service.list_credit_notes(reading.session, invoice_id),
        payments=await list_payments(reading.session, invoice_id),
        badge=_BADGES[InvoiceStatus(invoice.status)],
        money=in_words,
    )
