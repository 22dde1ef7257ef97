"""The price books of portals. A book is never changed: another takes its place from a later moment on."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from platforma.billing.errors import BookExists, OtherCurrency
from platforma.billing.models import Price, PriceBook
from platforma.billing.rating import Book, ItemPrice
from platforma.kit.clock import utc_now
from platforma.kit.ids import new_id
from platforma.kit.problems import Invalid
from platforma.operator.routes import Acting
from platforma.operator.schemas import PriceBookCreate
from platforma.portal.models import Portal
from platforma.tenants.errors import UnknownPortal
from platforma.tenants.models import OperatorAudit

_REASON = "New prices."


async def list_price_books(acting: Acting, portal_id: UUID) -> list[Book]:
    """Return the price books of a portal, the newest first; raises UnknownPortal."""
    async with acting.database.platform() as session:
        if await session.get(Portal, portal_id) is None:
            raise UnknownPortal
        statement = select(PriceBook).where(PriceBook.portal_id == portal_id)
        books = (await session.scalars(statement.order_by(PriceBook.effective_from.desc()))).all()
        prices = await session.scalars(
            select(Price).where(Price.book_id.in_([book.id for book in books])).order_by(Price.item)
        )
        of_book: dict[UUID, list[Price]] = {book.id: [] for book in books}
        for price in prices:
            of_book[price.book_id].append(price)
    return [Book(book.effective_from, book.currency, _item_prices(of_book[book.id])) for book in books]


async def create_price_book(acting: Acting, portal_id: UUID, wanted: PriceBookCreate) -> Book:
    """Make the prices of a portal from a moment on; raises UnknownPortal, Invalid, BookExists or OtherCurrency.

    The moment is not in the past: what has been used has its price already.
    """
    now = utc_now()
    begins: datetime = wanted.effective_from or now
    if begins < now:
        raise Invalid("Prices are set from now on or later: what has been used has its price already.")
    async with acting.database.platform() as session:
        portal = await session.get(Portal, portal_id, with_for_update=True)
        if portal is None:
            raise UnknownPortal
        statement = select(PriceBook.currency, PriceBook.effective_from).where(PriceBook.portal_id == portal_id)
        for currency, effective_from in await session.execute(statement):
            if currency != wanted.currency:
                raise OtherCurrency(f"{portal.title} bills in {currency}.")
            if effective_from == begins:
                raise BookExists(f"{portal.title} has prices from {begins.isoformat()} on.")
        book = PriceBook(
            id=new_id(),
            portal_id=portal_id,
            effective_from=begins,
            currency=wanted.currency,
            made_by=acting.operator.email,
        )
        session.add(book)
        await session.flush()
        prices = [Price(book_id=book.id, **price.model_dump()) for price in wanted.prices]
        session.add_all(prices)
        session.add(
            OperatorAudit(
                actor=acting.operator.email,
                action="prices.set",
                reason=acting.reason or _REASON,
                details={"portal": portal.name, **wanted.model_dump(mode="json"), "effective_from": begins.isoformat()},
            )
        )
    return Book(begins, wanted.currency, _item_prices(sorted(prices, key=lambda price: price.item)))


def _item_prices(rows: Sequence[Price]) -> tuple[ItemPrice, ...]:
    return tuple(ItemPrice(row.item, row.label, row.unit, row.amount, row.free_units) for row in rows)
