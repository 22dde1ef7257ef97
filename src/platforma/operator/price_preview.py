"""What new prices would have made of last month: what each tenant used then, at the present prices and at the new."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from platforma.billing.errors import OtherCurrency
from platforma.billing.metering import Period, Use
from platforma.billing.rating import Book, ItemPrice, month_of, rate
from platforma.kit.clock import utc_now
from platforma.operator.prices import list_price_books
from platforma.operator.routes import Acting
from platforma.operator.schemas import PriceBookCreate


@dataclass(frozen=True)
class Change:
    """What something cost, and would have cost, in the currency's smallest unit."""

    name: str
    before: int
    after: int
    tenant_id: UUID | None = None


@dataclass(frozen=True)
class Preview:
    """The effect of new prices on a month; `unpriced` are the items that they have no price for."""

    period: Period
    currency: str
    before: int
    after: int
    items: tuple[Change, ...]
    tenants: tuple[Change, ...]
    unpriced: tuple[str, ...]


@dataclass(frozen=True)
class TenantUse:
    """What a tenant used of an item in a month, in units times microseconds."""

    tenant_id: UUID
    tenant_name: str
    item: str
    unit_microseconds: int


async def preview_prices(acting: Acting, portal_id: UUID, wanted: PriceBookCreate) -> Preview:
    """Return what last month would have cost; nothing is changed. Raises UnknownPortal or OtherCurrency."""
    now = utc_now()
    books = await list_price_books(acting, portal_id)
    if books and books[0].currency != wanted.currency:
        raise OtherCurrency(f"The portal bills in {books[0].currency}.")
    present = next((book for book in books if book.begins <= now), None)
    period = month_of(month_of(now).begins - timedelta(microseconds=1))
    row = await acting.database.call_gate("portal_usage", portal=portal_id, first=period.begins, last=period.ends)
    assert row is not None  # noqa: S101 (it is one row, whatever there is)
    uses = [_use(each) for each in row.uses]
    new = Book(now, wanted.currency, tuple(ItemPrice(**price.model_dump()) for price in wanted.prices))
    return compare(uses, present, new, period)


def compare(uses: Sequence[TenantUse], present: Book | None, new: Book, period: Period) -> Preview:
    """Return what uses cost at two books, by item and by tenant; without discounts and tax.

    Each tenant's use of an item is rounded once, whichever resources it was.
    """
    before, _ = _costs(uses, present, period)
    after, unpriced = _costs(uses, new, period)
    names = {use.tenant_id: use.tenant_name for use in uses}
    items = [
        Change(item, _sum(before, item=item), _sum(after, item=item)) for item in sorted({use.item for use in uses})
    ]
    tenants = [Change(name, _sum(before, tenant=id_), _sum(after, tenant=id_), id_) for id_, name in names.items()]
    tenants.sort(key=lambda change: (-abs(change.after - change.before), change.name))
    total = sum(before.values()), sum(after.values())
    return Preview(period, new.currency, *total, tuple(items), tuple(tenants), unpriced)


Costs = dict[tuple[UUID, str], int]


def _costs(uses: Sequence[TenantUse], book: Book | None, period: Period) -> tuple[Costs, tuple[str, ...]]:
    """Return what each tenant's use of each item costs at a book, and what it has no price for."""
    of_tenant: dict[UUID, list[TenantUse]] = defaultdict(list)
    for use in uses:
        of_tenant[use.tenant_id].append(use)
    books = [Book(period.begins, book.currency, book.prices)] if book is not None else []
    costs: Costs = defaultdict(int)
    unpriced: set[str] = set()
    for tenant_id, own in of_tenant.items():
        rated = rate(list(_whole(own, period.begins)), books, (), period)
        unpriced.update(rated.unpriced)
        for line in rated.lines:
            costs[tenant_id, line.item] += line.amount
    return costs, tuple(sorted(unpriced))


def _whole(uses: Iterable[TenantUse], moment: datetime) -> Iterable[Use]:
    """Make one use of all that a tenant used of an item: prices do not change within what is compared."""
    for use in uses:
        yield Use("tenants", use.tenant_id, use.tenant_name, use.item, moment, moment, use.unit_microseconds)


def _sum(costs: Costs, *, item: str | None = None, tenant: UUID | None = None) -> int:
    return sum(amount for (of, name), amount in costs.items() if item in (None, name) and tenant in (None, of))


def _use(row: dict[str, Any]) -> TenantUse:
    return TenantUse(UUID(row["tenant_id"]), row["tenant_name"], row["item"], int(row["units"]))
