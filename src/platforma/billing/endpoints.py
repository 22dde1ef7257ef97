"""`/api/v1/billing`."""

import csv
import io
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from platforma.api.lists import Page
from platforma.api.routes import Reading, TenantRoute, may_read
from platforma.authentication.permissions import Permission
from platforma.billing.costs import Costs, find_books, find_costs, hours_of
from platforma.billing.rating import Line
from platforma.billing.schemas import CostLineOut, CostsOut, MonthQuery, PriceBookOut
from platforma.kit.clock import utc_now

billing = APIRouter(prefix="/billing", tags=["Billing"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.BILLING_READ)]

_CSV_COLUMNS = tuple(CostLineOut.model_fields)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@billing.get("/costs")
async def get_costs(query: Annotated[MonthQuery, Query()], reading: Reads) -> CostsOut:
    """What a month costs so far, by resource, and what it will cost."""
    return costs_out(await _costs(reading, query))


@billing.get("/usage.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def export_usage(query: Annotated[MonthQuery, Query()], reading: Reads) -> Response:
    """The usage of a month, a line for each resource and price."""
    costs = await _costs(reading, query)
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerow((*_CSV_COLUMNS, "currency"))
    for line in costs.rated.lines:
        cells = line_out(line).model_dump()
        table.writerow((*(_cell(cells[name]) for name in _CSV_COLUMNS), costs.currency))
    name = f"usage-{costs.period.begins:%Y-%m}.csv"
    return Response(
        written.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


@billing.get("/prices")
async def list_prices(reading: Reads) -> Page[PriceBookOut]:
    """The price books of your provider, the newest first; those that are yet to come too."""
    books = await find_books(reading.session)
    return Page(items=[PriceBookOut.of(book) for book in reversed(books)])


def costs_out(costs: Costs) -> CostsOut:
    """Describe the costs of a month."""
    return CostsOut(
        begins=costs.period.begins,
        ends=costs.period.ends,
        until=costs.until,
        currency=costs.currency,
        net=costs.rated.net,
        forecast=costs.forecast,
        lines=[line_out(line) for line in costs.rated.lines],
        unpriced=list(costs.rated.unpriced),
    )


def line_out(line: Line) -> CostLineOut:
    """Describe a line."""
    return CostLineOut(
        **{name: getattr(line, name) for name in CostLineOut.model_fields if not name.endswith("unit_hours")},
        unit_hours=hours_of(line.unit_microseconds),
        free_unit_hours=hours_of(line.free_unit_microseconds),
    )


async def _costs(reading: Reading, query: MonthQuery) -> Costs:
    now: datetime = utc_now()
    return await find_costs(reading.session, query.moment(now), now=now)


def _cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
