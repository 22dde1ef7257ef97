"""The console's page of a portal's prices: the books, the form for new ones, and their effect on last month."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from platforma.billing.money import in_words
from platforma.billing.rating import UNITS, Book
from platforma.kit.clock import utc_now
from platforma.operator import prices as service
from platforma.operator.billing_forms import BLANK_ROWS, PricesForm, Row, columns, plain_number, typed_rows
from platforma.operator.console import ConsoleRoute
from platforma.operator.pages import see_other
from platforma.operator.portals import get_portal
from platforma.operator.price_preview import preview_prices
from platforma.operator.rendering import render
from platforma.operator.routes import Acting, Signed
from platforma.portal.forms import Submission
from platforma.portal.routes import shown_on

prices = APIRouter(prefix="/portals/{portal_id}/prices", tags=["Prices"], route_class=ConsoleRoute)

PAGE = "/portals/{portal_id}/prices"


@prices.get("")
async def show_prices(portal_id: UUID, request: Request, acting: Signed) -> Response:
    """The price books, and the form for new prices with the present ones in it."""
    return await _page(request, acting, portal_id)


@prices.post("")
@shown_on(PAGE)
async def set_prices(portal_id: UUID, form: Annotated[PricesForm, Form()], acting: Signed) -> Response:
    """Set the prices from now on."""
    await service.create_price_book(acting, portal_id, form.plain())
    return see_other(f"/portals/{portal_id}/prices")


@prices.post("/preview", status_code=200)
@shown_on(PAGE)
async def show_preview(
    portal_id: UUID, form: Annotated[PricesForm, Form()], request: Request, acting: Signed
) -> Response:
    """What the prices of the form would have made of last month. Nothing is set."""
    preview = await preview_prices(acting, portal_id, form.plain())
    return await _page(request, acting, portal_id, rows=form.rows, currency=form.currency, preview=preview)


async def _page(
    request: Request,
    acting: Acting,
    portal_id: UUID,
    *,
    rows: list[Row] | None = None,
    currency: str | None = None,
    preview: Any = None,
) -> Response:
    books = await service.list_price_books(acting, portal_id)
    present = next((book for book in books if book.begins <= utc_now()), None)
    submission: Submission | None = getattr(request.state, "submission", None)
    if submission is not None and submission.action:
        typed = {name: [str(value) for value in submission.typed.getlist(name)] for name in columns()}
        rows, currency = typed_rows(typed), submission.value("currency")
    shown = [row for row in (rows if rows is not None else _rows_of(present)) if any(row.values())]
    blank = [dict.fromkeys(columns(), "") | {"unit": "hour"} for _ in range(BLANK_ROWS)]
    return render(
        request,
        "prices.html",
        acting,
        portal=await get_portal(acting, portal_id),
        books=books,
        rows=[*(row for row in shown if row["item"]), *blank],
        currency=currency or (books[0].currency if books else "EUR"),
        units=UNITS,
        preview=preview,
        money=in_words,
        number=plain_number,
    )


def _rows_of(book: Book | None) -> list[Row]:
    if book is None:
        return []
    return [
        {
            "item": price.item,
            "label": price.label,
            "unit": price.unit,
            "amount": plain_number(price.amount),
            "free_units": plain_number(price.free_units),
        }
        for price in book.prices
    ]
