"""What a tenant's usage costs: in a month so far, by resource, and where it is heading."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import or_, select

from platforma.billing.metering import MICROSECONDS, Period, find_uses
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
    return Costs(month, until, currency_of(books, until), rated, forecast)


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
