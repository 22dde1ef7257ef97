"""The console's page of a portal's billing."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from platforma.billing.errors import NoSeller
from platforma.billing.money import in_words
from platforma.operator import billing as service
from platforma.operator.console import ConsoleRoute
from platforma.operator.portals import get_portal
from platforma.operator.rendering import render
from platforma.operator.routes import Signed

billing = APIRouter(prefix="/portals/{portal_id}/billing", tags=["Billing"], route_class=ConsoleRoute)


@billing.get("")
async def show_billing(portal_id: UUID, request: Request, acting: Signed) -> Response:
    """What a portal has earned, what could not be collected, and who issues its invoices."""
    try:
        seller = await service.get_seller(acting, portal_id)
    except NoSeller:
        seller = None
    return render(
        request,
        "billing.html",
        acting,
        portal=await get_portal(acting, portal_id),
        seller=seller,
        rates=await service.list_tax_rates(acting, portal_id),
        revenue=await service.get_revenue(acting, portal_id),
        money=in_words,
    )
