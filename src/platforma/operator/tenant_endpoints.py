"""`/api/v1/tenants`: onboarding, suspension, offboarding, members, sessions, quotas. Each act has a reason."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.authentication.schemas import RevokedOut
from platforma.operations.schemas import OperationOut
from platforma.operator import tenants as service
from platforma.operator.routes import Acting, OperatorRoute, Signed
from platforma.operator.schemas import (
    Act,
    Invitation,
    InvitationOut,
    MembersQuery,
    Offboarding,
    QuotaChange,
    QuotasOut,
    ReasonQuery,
    TenantCreate,
    TenantDetail,
    TenantOut,
    TenantQuery,
)
from platforma.tenants import service as acts
from platforma.tenants.schemas import MemberOut

tenants = APIRouter(prefix="/tenants", tags=["Tenants"], route_class=OperatorRoute)


@tenants.get("")
async def list_tenants(query: Annotated[TenantQuery, Query()], acting: Signed) -> Page[TenantOut]:
    """Tenants of all portals."""
    rows, cursor = await service.list_tenants(acting, query)
    return Page(items=[TenantOut.model_validate(row) for row in rows], next=cursor)


@tenants.post("", status_code=202)
async def create_tenant(body: TenantCreate, acting: Signed) -> TenantDetail:
    """Make a tenant, and onboard it: follow its operation."""
    return _detail(await service.create_tenant(acting, body.portal_id, body.name, body.quotas, body.reason))


@tenants.get("/{tenant_id}")
async def get_tenant(tenant_id: UUID, acting: Signed) -> TenantDetail:
    """Where a tenant stands: how far its onboarding or removal has come, and nothing of what it has."""
    return await _standing(acting, tenant_id)


@tenants.post("/{tenant_id}/suspend")
async def suspend_tenant(tenant_id: UUID, body: Act, acting: Signed) -> TenantDetail:
    """Sign everybody out at once and let nobody in; what the tenant has in the cloud stays as it is."""
    await acts.suspend_tenant(acting.database, acting.act(body.reason), tenant_id)
    return await _standing(acting, tenant_id)


@tenants.post("/{tenant_id}/resume")
async def resume_tenant(tenant_id: UUID, body: Act, acting: Signed) -> TenantDetail:
    """Let a suspended tenant in again."""
    await acts.resume_tenant(acting.database, acting.act(body.reason), tenant_id)
    return await _standing(acting, tenant_id)


@tenants.post("/{tenant_id}/retry", status_code=202)
async def retry_tenant(tenant_id: UUID, body: Act, acting: Signed) -> TenantDetail:
    """Try an onboarding or offboarding again that has failed."""
    await acts.retry_onboarding(acting.database, acting.act(body.reason), tenant_id)
    return await _standing(acting, tenant_id)


@tenants.post("/{tenant_id}/offboard", status_code=202)
async def offboard_tenant(tenant_id: UUID, body: Offboarding, acting: Signed) -> TenantDetail:
    """Remove a tenant with everything it has, for ever."""
    await service.offboard_tenant(acting, tenant_id, body.confirm_name, body.reason)
    return await _standing(acting, tenant_id)


@tenants.get("/{tenant_id}/members")
async def list_members(tenant_id: UUID, query: Annotated[MembersQuery, Query()], acting: Signed) -> Page[MemberOut]:
    """The members of a tenant."""
    rows, cursor = await service.list_members(acting, tenant_id, query, query.reason)
    return Page(items=[MemberOut.model_validate(row) for row in rows], next=cursor)


@tenants.post("/{tenant_id}/members", status_code=201)
async def invite_member(tenant_id: UUID, body: Invitation, acting: Signed) -> InvitationOut:
    """Invite a member. Give the link to that person alone: whoever has it sets the password."""
    invited, link = await service.invite_member(
        acting, tenant_id, email=body.email, name=body.name, role=body.role, reason=body.reason
    )
    return InvitationOut(
        member_id=invited.member_id, email=invited.email, role=invited.role, is_new=invited.is_new, link=link
    )


@tenants.post("/{tenant_id}/members/{member_id}/suspend", status_code=204)
async def suspend_member(tenant_id: UUID, member_id: UUID, body: Act, acting: Signed) -> None:
    """Sign a member out at once, and let the member in no more."""
    await acts.suspend_member(acting.database, acting.act(body.reason), tenant_id, member_id)


@tenants.post("/{tenant_id}/members/{member_id}/resume", status_code=204)
async def resume_member(tenant_id: UUID, member_id: UUID, body: Act, acting: Signed) -> None:
    """Let a suspended member sign in again."""
    await acts.resume_member(acting.database, acting.act(body.reason), tenant_id, member_id)


@tenants.delete("/{tenant_id}/sessions")
async def revoke_sessions(tenant_id: UUID, body: Act, acting: Signed) -> RevokedOut:
    """Sign everybody of a tenant out, on their next request."""
    return RevokedOut(revoked=await acts.revoke_sessions(acting.database, acting.act(body.reason), tenant_id))


@tenants.get("/{tenant_id}/quotas")
async def get_quotas(tenant_id: UUID, query: Annotated[ReasonQuery, Query()], acting: Signed) -> QuotasOut:
    """What a tenant may have."""
    return QuotasOut(quotas=await service.get_quotas(acting, tenant_id, query.reason))


@tenants.put("/{tenant_id}/quotas", status_code=202)
async def change_quotas(tenant_id: UUID, body: QuotaChange, acting: Signed) -> QuotasOut:
    """Change what a tenant may have. It holds here at once, and in the cloud soon."""
    return QuotasOut(quotas=await service.change_quotas(acting, tenant_id, body.quotas, body.reason))


async def _standing(acting: Acting, tenant_id: UUID) -> TenantDetail:
    return _detail(await service.get_standing(acting, tenant_id))


def _detail(standing: service.Standing) -> TenantDetail:
    return TenantDetail(
        **TenantOut.model_validate(standing.tenant).model_dump(),
        operation=OperationOut.model_validate(standing.operation) if standing.operation is not None else None,
        members=standing.members,
    )
