"""What uses cost: a pure function of uses, prices and discounts, so that the same usage always gives the same lines.

Time is cut where a price book or a discount begins or ends, and at the month's end. Everything is exact until a line
is rounded (`money.to_minor`).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

from platforma.billing.metering import MICROSECOND, MICROSECONDS, Period, Use
from platforma.billing.money import exponent_of, to_minor

HOUR_SECONDS = 3600
UNITS = ("hour", "month")


@dataclass(frozen=True)
class ItemPrice:
    """The price of one unit of an item for an hour, or for a calendar month, of which each second costs alike.

    `item` names one item, or by what stands before its colon all of its kind. `free_units` of a month cost nothing:
    unit hours or unit months, as the price has it.
    """

    item: str
    label: str
    unit: str
    amount: Decimal
    free_units: Decimal = Decimal(0)


@dataclass(frozen=True)
class Book:
    """The prices of a portal from a moment on, until the next book's."""

    begins: datetime
    currency: str
    prices: tuple[ItemPrice, ...]

    def price_of(self, item: str) -> ItemPrice | None:
        """Return the price of an item: its own, or else its kind's."""
        by_name = {price.item: price for price in self.prices}
        return by_name.get(item) or by_name.get(item.partition(":")[0])


@dataclass(frozen=True)
class Reduction:
    """A discount on everything, for some time."""

    percent: Decimal
    begins: datetime
    ends: datetime | None = None


@dataclass(frozen=True)
class Line:
    """What one resource used of one item at one price, and what that costs in the currency's smallest unit."""

    resource_kind: str
    resource_id: UUID
    resource_name: str
    item: str
    label: str
    unit: str
    price: Decimal
    discount_percent: Decimal
    begins: datetime
    ends: datetime
    unit_microseconds: int
    free_unit_microseconds: int
    amount: int


@dataclass(frozen=True)
class Rated:
    """The lines of a period, and the items that no price was found for."""

    lines: tuple[Line, ...]
    unpriced: tuple[str, ...]

    @property
    def net(self) -> int:
        """The sum of the lines."""
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True)
class _Piece:
    """A use, or a part of one, in which price and discount stay the same."""

    use: Use
    begins: datetime
    ends: datetime
    unit_microseconds: int
    price: ItemPrice
    discount: Decimal
    currency: str


def month_of(moment: datetime) -> Period:
    """Return the calendar month (UTC) of a moment."""
    begins = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    ends = begins.replace(year=begins.year + begins.month // 12, month=begins.month % 12 + 1)
    return Period(begins, ends)


def rate(uses: Iterable[Use], books: Sequence[Book], reductions: Sequence[Reduction], period: Period) -> Rated:
    """Return what a period costs. It lies in one calendar month; `uses` are those of that month from its beginning,
    because what was free before the period is not free again in it.
    """
    month = month_of(period.begins)
    if period.ends > month.ends:
        raise ValueError("A period is rated within one calendar month.")
    before = Period(month.begins, period.begins)
    pieces: dict[str, list[_Piece]] = defaultdict(list)
    unpriced: set[str] = set()
    for use in uses:
        for part in (before, period):
            for piece in _pieces(use, books, reductions, part):
                if piece is not None:
                    pieces[piece.price.item].append(piece)
                elif part is period:
                    unpriced.add(use.item)
    lines = [line for of_price in pieces.values() for line in _lines(of_price, period, month)]
    lines.sort(key=lambda line: (line.item, line.resource_name, line.resource_id.bytes, line.begins, line.price))
    return Rated(tuple(lines), tuple(sorted(unpriced)))


def tax_of(net: int, percent: Decimal, currency: str) -> int:
    """Return the tax on the net sum of an invoice, rounded once."""
    return to_minor(Fraction(net, 10 ** exponent_of(currency)) * Fraction(percent) / 100, currency)


def _pieces(
    use: Use, books: Sequence[Book], reductions: Sequence[Reduction], period: Period
) -> Iterable[_Piece | None]:
    """Cut a use in a period where its price or discount changes; None stands for a piece without a price."""
    if use.begins == use.ends:  # a correction
        if period.begins <= use.begins < period.ends:
            yield _piece(use, books, reductions, use.begins, use.ends, use.unit_microseconds)
        return
    inside = period.overlap(use.begins, use.ends)
    if inside is None:
        return
    quantity = use.unit_microseconds // ((use.ends - use.begins) // MICROSECOND)
    changes = {book.begins for book in books}
    changes |= {moment for reduction in reductions for moment in (reduction.begins, reduction.ends) if moment}
    cuts = [inside[0], *sorted(moment for moment in changes if inside[0] < moment < inside[1]), inside[1]]
    for begins, ends in pairwise(cuts):
        yield _piece(use, books, reductions, begins, ends, quantity * ((ends - begins) // MICROSECOND))


def _piece(
    use: Use,
    books: Sequence[Book],
    reductions: Sequence[Reduction],
    begins: datetime,
    ends: datetime,
    unit_microseconds: int,
) -> _Piece | None:
    valid = [book for book in books if book.begins <= begins]
    book = max(valid, key=lambda book: book.begins, default=None)
    price = book.price_of(use.item) if book else None
    if book is None or price is None:
        return None
    discount = max(
        (r.percent for r in reductions if r.begins <= begins and (r.ends is None or begins < r.ends)),
        default=Decimal(0),
    )
    return _Piece(use, begins, ends, unit_microseconds, price, discount, book.currency)


def _lines(pieces: Sequence[_Piece], period: Period, month: Period) -> Iterable[Line]:
    """Make a line of all pieces of a resource in the period that cost alike; what is free goes to the oldest pieces."""
    ordered = sorted(pieces, key=lambda piece: (piece.begins, piece.use.resource_id.bytes, piece.use.item, piece.ends))
    grouped: dict[tuple[UUID, str, ItemPrice, Decimal], list[tuple[_Piece, int]]] = defaultdict(list)
    used_before = 0
    for piece in ordered:
        free = _free_unit_microseconds(piece.price, month) - max(0, used_before)
        used_before += piece.unit_microseconds
        if piece.begins >= period.begins:
            taken = max(0, min(free, piece.unit_microseconds))
            grouped[piece.use.resource_id, piece.use.item, piece.price, piece.discount].append((piece, taken))
    for (_, item, price, discount), parts in grouped.items():
        last = parts[-1][0]
        used = sum(piece.unit_microseconds for piece, _ in parts)
        taken = sum(part for _, part in parts)
        exact = Fraction(used - taken, MICROSECONDS * _unit_seconds(price, month)) * Fraction(price.amount)
        yield Line(
            last.use.resource_kind,
            last.use.resource_id,
            last.use.resource_name,
            item,
            price.label,
            price.unit,
            price.amount,
            discount,
            parts[0][0].begins,
            max(piece.ends for piece, _ in parts),
            used,
            taken,
            to_minor(exact * (1 - Fraction(discount) / 100), last.currency),
        )


def _unit_seconds(price: ItemPrice, month: Period) -> int:
    if price.unit == "hour":
        return HOUR_SECONDS
    return (month.ends - month.begins) // MICROSECOND // MICROSECONDS


def _free_unit_microseconds(price: ItemPrice, month: Period) -> int:
    return int(Fraction(price.free_units) * _unit_seconds(price, month) * MICROSECONDS)
