"""The console's pages of tenants. What is inside a tenant is shown after a reason was given, once a sitting."""

from collections.abc import Iterable, Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from platforma.api.lists import LARGEST_PAGE, ListQuery
from platforma.authentication.cookies import OPERATOR_COOKIE, read_cookie
from platforma.authentication.permissions import Role
from platforma.billing.models import Discount
from platforma.billing.money import in_words
from platforma.billing.payment_models import CreditEntry
from platforma.kit.clock import utc_now
from platforma.kit.ids import new_id
from platforma.operator import billing, discounts
from platforma.operator import tenants as service
from platforma.operator.billing_forms import CreditForm, DiscountForm, plain_number
from platforma.operator.billing_schemas import DiscountEnd
from platforma.operator.console import ConsoleRoute
from platforma.operator.forms import ActForm, InvitationForm, OffboardingForm, QuotasForm
from platforma.operator.pages import see_other
from platforma.operator.portals import get_portal
from platforma.operator.rendering import render
from platforma.operator.routes import Signed
from platforma.portal.routes import shown_on
from platforma.tenants import service as acts
from platforma.tenants.models import Member, TenantStatus

tenants = APIRouter(prefix="/tenants/{tenant_id}", tags=["Tenants"], route_class=ConsoleRoute)

ActOn = Annotated[ActForm, Form()]
PAGE = "/tenants/{tenant_id}"


@tenants.get("")
async def show_tenant(tenant_id: UUID, request: Request, acting: Signed) -> Response:
    """Where a tenant stands, and what can be done about it. What is inside is shown once a reason was given."""
    standing = await service.get_standing(acting, tenant_id)
    token = read_cookie(request.scope["headers"], OPERATOR_COOKIE)
    reason = await service.find_reason(acting, token, tenant_id)
    members: list[Member] | None = None
    quotas: dict[str, int] = {}
    entries: list[CreditEntry] = []
    given: Sequence[Discount] = ()
    if reason is not None and standing.tenant.status != TenantStatus.OFFBOARDED:
        query = ListQuery(sort="email", limit=LARGEST_PAGE)
        members, _cursor = await service.list_members(acting, tenant_id, query, reason)
        quotas = await service.get_quotas(acting, tenant_id, reason)
        entries = await billing.get_credit(acting, tenant_id, reason)
        given = [row for row in await discounts.list_discounts(acting, tenant_id, reason) if row.is_valid(utc_now())]
    return render(
        request,
        "tenant.html",
        acting,
        standing=standing,
        tenant=standing.tenant,
        portal=await get_portal(acting, standing.tenant.portal_id),
        members=members,
        quotas=quotas,
        balances=_balances(entries),
        discounts=given,
        key=str(new_id()),
        number=plain_number,
        reason=reason or "",
        roles=list(Role),
    )


@tenants.post("/open")
@shown_on(PAGE)
async def open_tenant(tenant_id: UUID, form: ActOn, acting: Signed) -> Response:
    """Say why the operator looks inside; it holds until signing out."""
    await service.open_tenant(acting, tenant_id, form.reason)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/quotas")
@shown_on(PAGE)
async def change_quotas(tenant_id: UUID, form: Annotated[QuotasForm, Form()], acting: Signed) -> Response:
    """Change what the tenant may have."""
    wanted = form.model_dump(exclude={"reason"}, exclude_none=True)
    present = await service.get_quotas(acting, tenant_id, form.reason)
    changed = {name: maximum for name, maximum in wanted.items() if present.get(name) != maximum}
    if changed:
        await service.change_quotas(acting, tenant_id, changed, form.reason)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/invitations", status_code=200)
@shown_on(PAGE)
async def invite_member(
    tenant_id: UUID, form: Annotated[InvitationForm, Form()], request: Request, acting: Signed
) -> Response:
    """Invite a member, and show the link this once."""
    invited, link = await service.invite_member(
        acting, tenant_id, email=form.email, name=form.name, role=form.role, reason=form.reason
    )
    return render(request, "invitation.html", acting, tenant_id=tenant_id, invited=invited, link=link)


@tenants.post("/credits")
@shown_on(PAGE)
async def grant_credit(tenant_id: UUID, form: Annotated[CreditForm, Form()], acting: Signed) -> Response:
    """Grant the tenant credit."""
    await billing.grant_credit(acting, tenant_id, form.plain())
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/discounts")
@shown_on(PAGE)
async def create_discount(tenant_id: UUID, form: Annotated[DiscountForm, Form()], acting: Signed) -> Response:
    """Give the tenant a discount from now on."""
    await discounts.create_discount(acting, tenant_id, form.plain())
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/discounts/{discount_id}/end")
@shown_on(PAGE)
async def end_discount(tenant_id: UUID, discount_id: UUID, form: ActOn, acting: Signed) -> Response:
    """End a discount of the tenant's now."""
    await discounts.end_discount(acting, tenant_id, discount_id, DiscountEnd(reason=form.reason))
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/suspend")
@shown_on(PAGE)
async def suspend_tenant(tenant_id: UUID, form: ActOn, acting: Signed) -> Response:
    """Shut the tenant out."""
    await acts.suspend_tenant(acting.database, acting.act(form.reason), tenant_id)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/resume")
@shown_on(PAGE)
async def resume_tenant(tenant_id: UUID, form: ActOn, acting: Signed) -> Response:
    """Let the tenant in again."""
    await acts.resume_tenant(acting.database, acting.act(form.reason), tenant_id)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/retry")
@shown_on(PAGE)
async def retry_tenant(tenant_id: UUID, form: ActOn, acting: Signed) -> Response:
    """Try the onboarding or offboarding again that has failed."""
    await acts.retry_onboarding(acting.database, acting.act(form.reason), tenant_id)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/sign-out")
@shown_on(PAGE)
async def revoke_sessions(tenant_id: UUID, form: ActOn, acting: Signed) -> Response:
    """Sign everybody of the tenant out."""
    await acts.revoke_sessions(acting.database, acting.act(form.reason), tenant_id)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/offboard")
@shown_on(PAGE)
async def offboard_tenant(tenant_id: UUID, form: Annotated[OffboardingForm, Form()], acting: Signed) -> Response:
    """Remove the tenant with everything it has, if its name was typed."""
    await service.offboard_tenant(acting, tenant_id, form.confirm_name, form.reason)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/members/{member_id}/suspend")
@shown_on(PAGE)
async def suspend_member(tenant_id: UUID, member_id: UUID, form: ActOn, acting: Signed) -> Response:
    """Shut a member out."""
    await acts.suspend_member(acting.database, acting.act(form.reason), tenant_id, member_id)
    return see_other(f"/tenants/{tenant_id}")


@tenants.post("/members/{member_id}/resume")
@shown_on(PAGE)
async def resume_member(tenant_id: UUID, member_id: UUID, form: ActOn, acting: Signed) -> Response:
    """Let a suspended member sign in again."""
    await acts.resume_member(acting.database, acting.act(form.reason), tenant_id, member_id)
    return see_other(f"/tenants/{tenant_id}")


def _balances(entries: Iterable[CreditEntry]) -> list[str]:
    """Return what is left of a tenant's credit, in words, by currency."""
    sums: dict[str, int] = {}
    for entry in entries:
        sums[entry.currency] = sums.get(entry.currency, 0) + entry.amount
    return [in_words(amount, currency) for currency, amount in sorted(sums.items()) if amount]
