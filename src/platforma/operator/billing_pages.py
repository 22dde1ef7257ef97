"""The console's page of a portal's billing: revenue, failed payments, seller and tax."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from platforma.billing.errors import NoSeller
from platforma.billing.money import in_words
from platforma.operator import billing as service
from platforma.operator.billing_forms import SellerForm, TaxRateForm, plain_number
from platforma.operator.console import ConsoleRoute
from platforma.operator.pages import see_other
from platforma.operator.portals import get_portal
from platforma.operator.rendering import render
from platforma.operator.routes import Signed
from platforma.portal.routes import shown_on

billing = APIRouter(prefix="/portals/{portal_id}/billing", tags=["Billing"], route_class=ConsoleRoute)

PAGE = "/portals/{portal_id}/billing"


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
        number=plain_number,
    )


@billing.post("/seller")
@shown_on(PAGE)
async def set_seller(portal_id: UUID, form: Annotated[SellerForm, Form()], acting: Signed) -> Response:
    """Say who issues the portal's invoices."""
    await service.set_seller(acting, portal_id, form.plain())
    return see_other(f"/portals/{portal_id}/billing")


@billing.post("/tax-rates")
@shown_on(PAGE)
async def create_tax_rate(portal_id: UUID, form: Annotated[TaxRateForm, Form()], acting: Signed) -> Response:
    """Set the tax on invoices to a country, from now on."""
    await service.create_tax_rate(acting, portal_id, form.plain())
    return see_other(f"/portals/{portal_id}/billing")
