"""What a tenant's usage costs: in a month so far, by resource, and where it is heading."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import or_, select

from platforma.billing.metering import MICROSECOND, MICROSECONDS, Period, Use, find_uses
from platforma.billing.models import Discount
from platforma.billing.rating import Book, ItemPrice, Rated, Reduction, month_of, rate
from platforma.database.tenant_session import TenantSession


@dataclass(frozen=True)
class Costs:
    """The costs of a month up to `until`; `forecast` is of the whole month, if what runs now runs on."""

    period: Period
    until: datetime
    currency: str | None
    rated: Rated
    forecast: int
    days: tuple["Day", ...] = ()

    @property
    def by_resource(self) -> list["ResourceCost"]:
        """What each resource costs, the dearest first."""
        summed: dict[UUID, ResourceCost] = {}
        for line in self.rated.lines:
            before = summed.get(line.resource_id)
            amount = line.amount + (before.amount if before else 0)
            labels = dict.fromkeys([*(before.labels if before else ()), line.label])
            summed[line.resource_id] = ResourceCost(
                line.resource_kind, line.resource_id, line.resource_name, tuple(labels), amount
            )
        return sorted(summed.values(), key=lambda cost: (-cost.amount, cost.name, cost.id.bytes))


@dataclass(frozen=True)
class Day:
    """What a day (UTC) has cost. The days of a month sum up to its lines."""

    begins: datetime
    amount: int


@dataclass(frozen=True)
class ResourceCost:
    """What a resource costs in a month."""

    kind: str
    id: UUID
    name: str
    labels: tuple[str, ...]
    amount: int


class _Price(BaseModel):
    item: str
    label: str
    unit: str
    amount: Decimal
    free_units: Decimal


class _Book(BaseModel):
    begins: datetime
    currency: str
    prices: list[_Price]


_BOOKS = TypeAdapter(list[_Book])


async def find_costs(session: TenantSession, moment: datetime, *, now: datetime) -> Costs:
    """Return the costs of the calendar month of a moment, up to now."""
    month = month_of(moment)
    until = max(month.begins, min(month.ends, now))
    books, reductions = await find_books(session), await find_reductions(session, month)
    uses = await find_uses(session, Period(month.begins, until))
    rated = rate(uses, books, reductions, Period(month.begins, until))
    forecast = rated.net
    if month.begins < until < month.ends:
        onward = await find_uses(session, month)
        forecast = rate(onward, books, reductions, month).net
    return Costs(
        month, until, currency_of(books, until), rated, forecast, tuple(spread(uses, rated, month.begins, until))
    )


def spread(uses: Sequence[Use], rated: Rated, begins: datetime, until: datetime) -> Iterator[Day]:
    """Spread the lines of a month over its days, as the units were used; for people to look at.

    A change of price within the month is spread evenly. What is rounded on one day is made up for on the next.
    """
    amounts: dict[tuple[UUID, str], int] = defaultdict(int)
    units: dict[tuple[UUID, str], int] = defaultdict(int)
    for line in rated.lines:
        amounts[line.resource_id, line.item] += line.amount
        units[line.resource_id, line.item] += line.unit_microseconds
    total, told = Fraction(0), 0
    while begins < until:
        ends = begins + timedelta(days=1)
        for use in uses:
            key = use.resource_id, use.item
            if units.get(key):
                total += Fraction(amounts[key] * _units_in(use, begins, ends), units[key])
        if ends >= until:
            total = Fraction(rated.net)
        amount = round(total) - told
        told += amount
        yield Day(begins, amount)
        begins = ends


def _units_in(use: Use, begins: datetime, ends: datetime) -> int:
    if use.begins == use.ends:
        return use.unit_microseconds if begins <= use.begins < ends else 0
    inside = Period(begins, ends).overlap(use.begins, use.ends)
    if inside is None:
        return 0
    return use.unit_microseconds * ((inside[1] - inside[0]) // MICROSECOND) // ((use.ends - use.begins) // MICROSECOND)


async def find_books(session: TenantSession) -> list[Book]:
    """Return the price books of the tenant's portal, the oldest first."""
    row = await session.call_gate("own_prices")
    found = _BOOKS.validate_python(row.books if row else [])
    return [
        Book(book.begins, book.currency, tuple(ItemPrice(**dict(price)) for price in book.prices)) for book in found
    ]


async def find_reductions(session: TenantSession, period: Period) -> list[Reduction]:
    """Return the discounts of the tenant that touch a period."""
    rows = await session.scalars(
        select(Discount)
        .where(Discount.begins < period.ends, or_(Discount.ends.is_(None), Discount.ends > period.begins))
        .order_by(Discount.begins, Discount.id)
    )
    return [Reduction(row.percent, row.begins, row.ends) for row in rows]


def currency_of(books: list[Book], moment: datetime) -> str | None:
    """Return the currency in which a portal bills at a moment; None if it has no prices yet."""
    return next((book.currency for book in reversed(books) if book.begins <= moment), None)


def hours_of(unit_microseconds: int) -> Decimal:
    """Return units times hours, to six decimals, for people to read; nothing is reckoned with it."""
    return (Decimal(unit_microseconds) / (3600 * MICROSECONDS)).quantize(Decimal("0.000001"))
