"""`/api/v1/billing`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from platforma.api.csv_files import csv_response
from platforma.api.lists import Page
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.billing import budgets
from platforma.billing.costs import Costs, find_books, find_costs
from platforma.billing.errors import NoDetails
from platforma.billing.schemas import (
    BillingDetailsIn,
    BillingDetailsOut,
    BillingEventOut,
    BudgetCreate,
    BudgetOut,
    CostLineOut,
    CostsOut,
    DayOut,
    MonthQuery,
    PriceBookOut,
    ResourceCostOut,
)
from platforma.billing.service import change_details
from platforma.billing.terms import find_details
from platforma.billing.views import line_out
from platforma.kit.clock import utc_now

billing = APIRouter(prefix="/billing", tags=["Billing"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.BILLING_READ)]
Writes = Annotated[Writing, may_write(Permission.BILLING_WRITE)]

_CSV_COLUMNS = tuple(CostLineOut.model_fields)


@billing.get("/costs")
async def get_costs(query: Annotated[MonthQuery, Query()], reading: Reads) -> CostsOut:
    """What a month costs so far, by resource, and what it will cost."""
    return costs_out(await _costs(reading, query))


@billing.get("/usage.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def export_usage(query: Annotated[MonthQuery, Query()], reading: Reads) -> Response:
    """The usage of a month, a line for each resource and price."""
    costs = await _costs(reading, query)
    rows = ({**line_out(line).model_dump(), "currency": costs.currency} for line in costs.rated.lines)
    return csv_response(f"usage-{costs.period.begins:%Y-%m}.csv", (*_CSV_COLUMNS, "currency"), rows)


@billing.get("/prices")
async def list_prices(reading: Reads) -> Page[PriceBookOut]:
    """The price books of your provider, the newest first; those that are yet to come too."""
    books = await find_books(reading.session)
    return Page(items=[PriceBookOut.of(book) for book in reversed(books)])


@billing.get("/details")
async def get_billing_details(reading: Reads) -> BillingDetailsOut:
    """Whom invoices are made out to."""
    details = await find_details(reading.session)
    if details is None:
        raise NoDetails
    return BillingDetailsOut.model_validate(details)


@billing.put("/details")
async def change_billing_details(body: BillingDetailsIn, writing: Writes) -> BillingDetailsOut:
    """Say whom invoices are made out to from now on. Those that have been issued stay as they are."""
    return BillingDetailsOut.model_validate(await change_details(writing.session, writing.principal, body))


@billing.get("/budgets")
async def list_budgets(reading: Reads) -> Page[BudgetOut]:
    """The budgets."""
    return Page(items=[BudgetOut.model_validate(row) for row in await budgets.list_budgets(reading.session)])


@billing.post("/budgets", status_code=201)
async def create_budget(body: BudgetCreate, writing: Writes) -> BudgetOut:
    """Say how much a month may cost before it is written down that it has."""
    return BudgetOut.model_validate(await budgets.create_budget(writing.session, writing.principal, body))


@billing.delete("/budgets/{budget_id}", status_code=204)
async def delete_budget(budget_id: UUID, writing: Writes) -> None:
    """Remove a budget."""
    await budgets.delete_budget(writing.session, writing.principal, budget_id)


@billing.get("/events")
async def list_billing_events(reading: Reads) -> Page[BillingEventOut]:
    """The last fifty things that happened to your bills, the newest first."""
    return Page(items=[BillingEventOut.model_validate(row) for row in await budgets.list_events(reading.session)])


def costs_out(costs: Costs) -> CostsOut:
    """Describe the costs of a month."""
    return CostsOut(
        begins=costs.period.begins,
        ends=costs.period.ends,
        until=costs.until,
        currency=costs.currency,
        net=costs.rated.net,
        forecast=costs.forecast,
        days=[DayOut.model_validate(day) for day in costs.days],
        resources=[ResourceCostOut.model_validate(cost) for cost in costs.by_resource],
        lines=[line_out(line) for line in costs.rated.lines],
        unpriced=list(costs.rated.unpriced),
    )


async def _costs(reading: Reading, query: MonthQuery) -> Costs:
    now: datetime = utc_now()
    return await find_costs(reading.session, query.moment(now), now=now)
