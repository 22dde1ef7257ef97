"""`/api/v1/portals/{portal_id}/price-books`."""

from uuid import UUID

from fastapi import APIRouter

from platforma.api.lists import Page
from platforma.billing.schemas import PriceBookOut
from platforma.operator import prices as service
from platforma.operator.price_preview import preview_prices
from platforma.operator.routes import OperatorRoute, Signed
from platforma.operator.schemas import PriceBookCreate, PricePreviewOut

price_books = APIRouter(prefix="/portals/{portal_id}/price-books", tags=["Prices"], route_class=OperatorRoute)


@price_books.get("")
async def list_price_books(portal_id: UUID, acting: Signed) -> Page[PriceBookOut]:
    """The prices of a portal, the newest first; those that are yet to come too."""
    books = await service.list_price_books(acting, portal_id)
    return Page(items=[PriceBookOut.of(book) for book in books])


@price_books.post("", status_code=201)
async def create_price_book(portal_id: UUID, body: PriceBookCreate, acting: Signed) -> PriceBookOut:
    """Set the prices of a portal from now or a later moment on. What was used before keeps its price."""
    return PriceBookOut.of(await service.create_price_book(acting, portal_id, body))


@price_books.post("/preview")
async def preview_price_book(portal_id: UUID, body: PriceBookCreate, acting: Signed) -> PricePreviewOut:
    """What these prices would have made of last month, beside the present ones. Nothing is set."""
    return PricePreviewOut.of(await preview_prices(acting, portal_id, body))
