"""What the API says about usage, prices and costs."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from platforma.api.fields import Input, Integer, Name, Output
from platforma.api.lists import ListQuery
from platforma.authentication.schemas import Email
from platforma.billing.invoice_models import DocumentKind, InvoiceStatus
from platforma.billing.rating import Book
from platforma.billing.terms import normal_vat_number

Month = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")]


class MonthQuery(BaseModel):
    """A calendar month in UTC."""

    model_config = ConfigDict(extra="forbid")

    month: Month | None = Field(default=None, description="As in `2026-10`. If not given, the present month.")

    def moment(self, now: datetime) -> datetime:
        """Return the month's beginning, or now."""
        return datetime.strptime(self.month, "%Y-%m").replace(tzinfo=UTC) if self.month else now


class PriceOut(Output):
    """The price of one unit of an item."""

    item: str = Field(description="One item, or what stands before the colon of all of its kind.")
    label: str
    unit: str = Field(description="`hour` or `month`: a calendar month, of which each second costs alike.")
    amount: Decimal = Field(description="In the currency's major unit.")
    free_units: Decimal = Field(description="How many unit hours or unit months of a month cost nothing.")


class PriceBookOut(Output):
    """Prices from a moment on, until the next book's."""

    effective_from: datetime
    currency: str
    prices: list[PriceOut]

    @classmethod
    def of(cls, book: Book) -> "PriceBookOut":
        """Describe a price book."""
        prices = [PriceOut.model_validate(price) for price in book.prices]
        return cls(effective_from=book.begins, currency=book.currency, prices=prices)


class CostLineOut(Output):
    """What one resource used of one item at one price, and what that costs."""

    resource_kind: str
    resource_id: UUID | None
    resource_name: str
    item: str
    label: str
    unit: str
    price: Decimal
    discount_percent: Decimal
    begins: datetime
    ends: datetime
    unit_hours: Decimal = Field(description="Units times hours, to six decimals.")
    free_unit_hours: Decimal
    amount: int = Field(description="In the currency's smallest unit, after the discount, without tax.")


class DayOut(Output):
    """What a day (UTC) has cost."""

    begins: datetime
    amount: int


class ResourceCostOut(Output):
    """What a resource costs in a month."""

    kind: str
    id: UUID
    name: str
    labels: list[str]
    amount: int


class CostsOut(Output):
    """The costs of a month so far."""

    begins: datetime
    ends: datetime
    until: datetime
    currency: str | None = Field(description="Null while your provider has set no prices.")
    net: int = Field(description="The sum of the lines, in the currency's smallest unit, without tax.")
    forecast: int = Field(description="What the whole month will cost if all that runs now runs on.")
    days: list[DayOut] = Field(description="What each day has cost; they sum up to `net`.")
    resources: list[ResourceCostOut] = Field(description="What each resource costs, the dearest first.")
    lines: list[CostLineOut]
    unpriced: list[str] = Field(description="Items in use that have no price, and cost nothing.")


Country = Annotated[
    str, StringConstraints(pattern=r"^[A-Z]{2}$"), Field(description="As in ISO 3166-1.", examples=["DE"])
]
VatNumber = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), Field(examples=["DE136695976"])]


class Address(Input):
    """A company and where it is. The check digits of the Union's VAT numbers are tried."""

    company: Annotated[Name, Field(examples=["Acme GmbH"])]
    line1: Annotated[Name, Field(examples=["Hauptstraße 1"])]
    line2: Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)] = ""
    postal_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20)] = Field(
        examples=["10115"]
    )
    city: Annotated[Name, Field(examples=["Berlin"])]
    country: Country
    vat_number: VatNumber | None = None

    @model_validator(mode="after")
    def _check_vat_number(self) -> "Address":
        if self.vat_number is not None:
            self.vat_number = normal_vat_number(self.vat_number, self.country)
        return self


class BillingDetailsIn(Address):
    """Whom invoices are made out to, and who gets to hear of them."""

    contacts: list[Email] = Field(default_factory=list, max_length=10, description="E-mail addresses.")


class BillingDetailsOut(Output):
    """Whom invoices are made out to."""

    company: str
    line1: str
    line2: str
    postal_code: str
    city: str
    country: str
    vat_number: str | None
    contacts: list[str]
    updated_at: datetime


class InvoiceQuery(ListQuery):
    """Filters of the list of invoices; the newest first, if nothing else is said."""

    sort: str = Field(default="-issued_at", pattern=r"^-?[a-z_]{1,40}$")
    status: InvoiceStatus | None = None
    kind: DocumentKind | None = None


class InvoiceOut(Output):
    """An invoice or a credit note. All amounts are in the currency's smallest unit."""

    id: UUID
    kind: DocumentKind
    number: str
    corrects_id: UUID | None = Field(description="Of a credit note: the invoice that it takes something back of.")
    begins: datetime
    ends: datetime
    currency: str
    net: int
    tax_label: str
    tax_percent: Decimal
    tax_note: str | None
    tax: int
    total: int
    reason: str | None
    issued_at: datetime
    due_at: datetime | None
    status: InvoiceStatus
    paid: int
    credited: int


class InvoiceDetail(InvoiceOut):
    """An invoice with its lines, as it was issued."""

    seller: dict[str, str | None]
    buyer: dict[str, str | None]
    lines: list[CostLineOut]


class InvoiceRequestOut(Output):
    """That an invoice has been asked for. It is in the list when it has been issued, if there is anything to pay."""

    requested_at: datetime
    billed_until: datetime = Field(description="What was used before is on an invoice.")
    trouble: str | None = Field(description="Why none can be issued at the moment.")


class BudgetCreate(Input):
    """How much a month may cost, and at which shares of it an event is written."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Everything", "amount": 50000}]})

    name: Name
    amount: Integer = Field(ge=1, le=10**15, description="In the currency's smallest unit, without tax.")
    thresholds: list[Annotated[Integer, Field(ge=1, le=1000)]] = Field(
        default=[80, 100], min_length=1, max_length=10, description="In percent."
    )


class BudgetOut(Output):
    """A budget."""

    id: UUID
    name: str
    amount: int
    thresholds: list[int]
    created_at: datetime


class BillingEventOut(Output):
    """What happened to your bills: a reminder, a payment that failed, a budget that was reached."""

    id: UUID
    kind: str
    invoice_id: UUID | None
    details: dict[str, Any]
    at: datetime
