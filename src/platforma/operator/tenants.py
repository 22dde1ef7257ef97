"""Tenants as operators see them. What is inside of one is opened with a reason, which two audit logs keep."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from platforma.api.lists import ListQuery, resource_filters
from platforma.authentication.permissions import Role
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import GateRow
from platforma.database.tenant_session import ReadSession
from platforma.operations.models import Operation, OperationStatus, Plane
from platforma.operations.service import ResourceReference, request_operation
from platforma.operator.errors import NameNotConfirmed
from platforma.operator.portals import canonical_address, get_portal, list_platform_page
from platforma.operator.routes import Acting
from platforma.operator.schemas import AuditQuery, TenantQuery
from platforma.tenants import members, service
from platforma.tenants.errors import UnknownTenant, WrongTenantStatus
from platforma.tenants.models import Member, OperatorAudit, Quota, Tenant, TenantStatus
from platforma.tenants.quotas import list_quotas

_SORTABLE = {"created_at": Tenant.created_at, "name": Tenant.name, "status": Tenant.status}
_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)
_UNDER_WAY_AT_MOST = 20


@dataclass(frozen=True)
class Standing:
    """Where a tenant stands: nothing of what it has, but how far the operators' own acts on it have come."""

    tenant: Tenant
    operation: GateRow | None
    """The last of the operators' own acts, with what an `Operation` has."""
    members: int

    @property
    def is_moving(self) -> bool:
        """Say whether it is being onboarded, changed or removed at this moment."""
        return self.operation is not None and self.operation.status in _UNFINISHED


async def list_tenants(acting: Acting, query: TenantQuery) -> tuple[list[Tenant], str | None]:
    """Return a page of tenants, of one portal if the query names it."""
    where = resource_filters(query, Tenant)
    if query.portal_id is not None:
        where.append(Tenant.portal_id == query.portal_id)
    async with acting.database.platform() as session:
        return await list_platform_page(session, Tenant, query, _SORTABLE, where)


async def get_tenant(acting: Acting, tenant_id: UUID) -> Tenant:
    """Return a tenant; raises UnknownTenant."""
    async with acting.database.platform() as session:
        tenant = await session.get(Tenant, tenant_id)
    if tenant is None:
        raise UnknownTenant
    return tenant


async def get_standing(acting: Acting, tenant_id: UUID) -> Standing:
    """Return where a tenant stands; raises UnknownTenant. Nothing is left to be opened of an offboarded one."""
    tenant = await get_tenant(acting, tenant_id)
    if tenant.status == TenantStatus.OFFBOARDED:
        return Standing(tenant, None, 0)
    row = await acting.database.call_gate("find_standing", tenant=tenant_id)
    if row is None:
        raise UnknownTenant
    return Standing(tenant, row if row.id is not None else None, row.members)


async def open_tenant(acting: Acting, tenant_id: UUID, reason: str) -> None:
    """Give the reason for which the operator looks inside a tenant from now on, until signing out."""
    async with _opened(acting, tenant_id, "tenant.open", reason):
        pass


async def find_reason(acting: Acting, token: str | None, tenant_id: UUID) -> str | None:
    """Return the reason for which a tenant was opened in this sitting, or None."""
    row = await acting.database.call_gate("find_reason", token=token or "", tenant=tenant_id)
    return row[0] if row is not None else None


async def find_names(acting: Acting, tenant_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of tenants by their ids."""
    statement = select(Tenant).where(Tenant.id.in_(set(tenant_ids)))
    async with acting.database.platform() as session:
        return {tenant.id: tenant.name for tenant in await session.scalars(statement)}


async def list_under_way(acting: Acting) -> list[Standing]:
    """Return where the tenants stand that are being onboarded or offboarded, the newest first, those in trouble before.

    Those whose operation has failed stay in that status, so that they are here until somebody has dealt with them.
    """
    statement = (
        select(Tenant.id)
        .where(Tenant.status.in_((TenantStatus.ONBOARDING, TenantStatus.OFFBOARDING)))
        .order_by(Tenant.id.desc())
        .limit(_UNDER_WAY_AT_MOST)
    )
    async with acting.database.platform() as session:
        tenant_ids = (await session.scalars(statement)).all()
    found = [await get_standing(acting, tenant_id) for tenant_id in tenant_ids]
    return sorted(found, key=lambda standing: standing.operation is None or standing.operation.error is None)


async def create_tenant(acting: Acting, portal_id: UUID, name: str, quotas: dict[str, int], reason: str) -> Standing:
    """Make a tenant and queue its onboarding; raises UnknownPortal or NameTaken."""
    portal = await get_portal(acting, portal_id)
    tenant_id = await service.create_tenant(
        acting.database, acting.act(reason), portal_name=portal.name, name=name, quotas=quotas
    )
    return await get_standing(acting, tenant_id)


async def offboard_tenant(acting: Acting, tenant_id: UUID, confirm_name: str, reason: str) -> None:
    """Begin to remove a tenant and all it has; raises NameNotConfirmed unless its very name was given."""
    tenant = await get_tenant(acting, tenant_id)
    if confirm_name != tenant.name:
        raise NameNotConfirmed("Give the tenant's name, letter by letter. Nothing was changed.")
    await service.offboard_tenant(acting.database, acting.act(reason), tenant_id)


async def list_members(
    acting: Acting, tenant_id: UUID, query: ListQuery, reason: str
) -> tuple[list[Member], str | None]:
    """Return a page of a tenant's members; raises UnknownTenant."""
    async with _opened(acting, tenant_id, "member.list", reason) as session:
        return await members.list_members(session, query)


async def invite_member(
    acting: Acting, tenant_id: UUID, *, email: str, name: str, role: Role, reason: str
) -> tuple[service.Invited, str]:
    """Invite a member; return who it is, and the link at the portal's canonical host, which is nowhere else.

    Raises UnknownTenant, WrongTenantStatus, NoDomain or SignInNameTaken.
    """
    tenant = await get_tenant(acting, tenant_id)
    if tenant.status not in (TenantStatus.ONBOARDING, TenantStatus.ACTIVE):
        raise WrongTenantStatus(f"Tenant {tenant.name} is {tenant.status}: nobody could accept.")
    address = await canonical_address(acting, tenant.portal_id)
    invited = await service.invite_member(
        acting.database, acting.act(reason), tenant_id, email=email, name=name, role=role
    )
    return invited, f"{address}/invitation/{invited.token}"


async def get_quotas(acting: Acting, tenant_id: UUID, reason: str) -> dict[str, int]:
    """Return what a tenant may have; raises UnknownTenant."""
    async with _opened(acting, tenant_id, "quota.read", reason) as session:
        return await list_quotas(session)


async def change_quotas(acting: Acting, tenant_id: UUID, quotas: dict[str, int], reason: str) -> dict[str, int]:
    """Change quotas; they hold here at once, and in the cloud when the operation that is queued has ended.

    While a tenant is onboarded nothing is queued: the last step of its onboarding sets them. Raises UnknownTenant,
    or WrongTenantStatus for one that is being removed.
    """
    try:
        async with acting.database.write(acting.act(reason).on(tenant_id, "quota.change")) as session:
            tenant = await session.get(Tenant, tenant_id, with_for_update=True)
            if tenant is None:
                raise UnknownTenant
            if tenant.status in (TenantStatus.OFFBOARDING, TenantStatus.OFFBOARDED):
                raise WrongTenantStatus(f"Tenant {tenant.name} is {tenant.status}.")
            present = {row.resource: row for row in await session.scalars(select(Quota))}
            for resource, maximum in quotas.items():
                if resource in present:
                    present[resource].maximum = maximum
                else:
                    session.add(Quota(resource=resource, maximum=maximum))
            await session.flush()
            under_way = select(Operation.id).where(Operation.plane == Plane.PLATFORM, Operation.status.in_(_UNFINISHED))
            if tenant.status != TenantStatus.ONBOARDING and await session.scalar(under_way) is None:
                await request_operation(
                    session,
                    action="tenant.change",
                    resource=ResourceReference("tenant", tenant_id, tenant.name),
                    requested_by=f"operator {acting.operator.email}",
                    plane=Plane.PLATFORM,
                )
            return await list_quotas(session)  # type: ignore[arg-type]
    except NotBoundError as error:
        raise UnknownTenant from error


async def list_audit(acting: Acting, query: AuditQuery) -> tuple[list[OperatorAudit], str | None]:
    """Return a page of what operators did."""
    where = [OperatorAudit.tenant_id == query.tenant_id] if query.tenant_id is not None else []
    async with acting.database.platform() as session:
        return await list_platform_page(session, OperatorAudit, query, {"at": OperatorAudit.at}, where)


@asynccontextmanager
async def _opened(acting: Acting, tenant_id: UUID, action: str, reason: str) -> AsyncIterator[ReadSession]:
    try:
        async with acting.database.read(acting.act(reason).on(tenant_id, action)) as session:
            yield session
    except NotBoundError as error:
        raise UnknownTenant from error
