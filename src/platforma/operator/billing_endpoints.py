"""`/api/v1/portals/{portal_id}/seller`, `.../tax-rates`, and tenants' invoices."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.billing.schemas import InvoiceOut
from platforma.operator import billing as service
from platforma.operator import discounts
from platforma.operator.billing_schemas import (
    CreditCreate,
    CreditNoteCreate,
    CreditOut,
    DiscountCreate,
    DiscountEnd,
    DiscountOut,
    RevenueOut,
    SellerIn,
    SellerOut,
    TaxRateCreate,
    TaxRateOut,
    TenantInvoicesQuery,
    UsageCorrectionCreate,
    UsageCorrectionOut,
)
from platforma.operator.routes import OperatorRoute, Signed
from platforma.operator.schemas import ReasonQuery

billing = APIRouter(tags=["Billing"], route_class=OperatorRoute)


@billing.get("/portals/{portal_id}/seller")
async def get_seller(portal_id: UUID, acting: Signed) -> SellerOut:
    """Who issues a portal's invoices."""
    return SellerOut.model_validate(await service.get_seller(acting, portal_id))


@billing.put("/portals/{portal_id}/seller")
async def set_seller(portal_id: UUID, body: SellerIn, acting: Signed) -> SellerOut:
    """Say who issues a portal's invoices from now on. Until it is said there are none."""
    return SellerOut.model_validate(await service.set_seller(acting, portal_id, body))


@billing.get("/portals/{portal_id}/tax-rates")
async def list_tax_rates(portal_id: UUID, acting: Signed) -> Page[TaxRateOut]:
    """The tax on a portal's invoices, by country."""
    rows = await service.list_tax_rates(acting, portal_id)
    return Page(items=[TaxRateOut.model_validate(row) for row in rows])


@billing.post("/portals/{portal_id}/tax-rates", status_code=201)
async def create_tax_rate(portal_id: UUID, body: TaxRateCreate, acting: Signed) -> TaxRateOut:
    """Set the tax on invoices to a country, from now or a later moment on."""
    return TaxRateOut.model_validate(await service.create_tax_rate(acting, portal_id, body))


@billing.get("/tenants/{tenant_id}/invoices")
async def list_tenant_invoices(
    tenant_id: UUID, query: Annotated[TenantInvoicesQuery, Query()], acting: Signed
) -> Page[InvoiceOut]:
    """A tenant's invoices and credit notes, for a reason that both audit logs keep."""
    return await service.list_invoices(acting, tenant_id, query, query.reason)


@billing.post("/tenants/{tenant_id}/invoices/{invoice_id}/credit-notes", status_code=201)
async def create_credit_note(tenant_id: UUID, invoice_id: UUID, body: CreditNoteCreate, acting: Signed) -> InvoiceOut:
    """Take an invoice back, or a part of it."""
    return InvoiceOut.model_validate(await service.create_credit_note(acting, tenant_id, invoice_id, body))


@billing.get("/portals/{portal_id}/revenue")
async def get_revenue(portal_id: UUID, acting: Signed) -> RevenueOut:
    """What a portal has earned, month by month, and what could not be collected."""
    return await service.get_revenue(acting, portal_id)


@billing.get("/tenants/{tenant_id}/credits")
async def list_credits(tenant_id: UUID, query: Annotated[ReasonQuery, Query()], acting: Signed) -> Page[CreditOut]:
    """The credit of a tenant, and what it was used for."""
    rows = await service.get_credit(acting, tenant_id, query.reason)
    return Page(items=[CreditOut.model_validate(row) for row in rows])


@billing.post("/tenants/{tenant_id}/credits", status_code=201)
async def grant_credit(tenant_id: UUID, body: CreditCreate, acting: Signed) -> CreditOut:
    """Grant a tenant credit, which pays its next invoices before a card does."""
    return CreditOut.model_validate(await service.grant_credit(acting, tenant_id, body))


@billing.post("/tenants/{tenant_id}/usage-corrections", status_code=201)
async def correct_usage(tenant_id: UUID, body: UsageCorrectionCreate, acting: Signed) -> UsageCorrectionOut:
    """Make up for usage that was metered wrongly. It counts as of now, on the next invoice."""
    return UsageCorrectionOut.model_validate(await service.correct_usage(acting, tenant_id, body))


@billing.get("/tenants/{tenant_id}/discounts")
async def list_discounts(tenant_id: UUID, query: Annotated[ReasonQuery, Query()], acting: Signed) -> Page[DiscountOut]:
    """The discounts of a tenant, also those that have ended."""
    rows = await discounts.list_discounts(acting, tenant_id, query.reason)
    return Page(items=[DiscountOut.model_validate(row) for row in rows])


@billing.post("/tenants/{tenant_id}/discounts", status_code=201)
async def create_discount(tenant_id: UUID, body: DiscountCreate, acting: Signed) -> DiscountOut:
    """Give a tenant a discount, from now or a later moment on. What was used before keeps its price."""
    return DiscountOut.model_validate(await discounts.create_discount(acting, tenant_id, body))


@billing.post("/tenants/{tenant_id}/discounts/{discount_id}/end")
async def end_discount(tenant_id: UUID, discount_id: UUID, body: DiscountEnd, acting: Signed) -> DiscountOut:
    """End a discount, now or at a later moment."""
    return DiscountOut.model_validate(await discounts.end_discount(acting, tenant_id, discount_id, body))
