"""The operator's acts on tenants: each has an actor and a reason, which two audit logs keep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from platforma.authentication.models import Session
from platforma.authentication.passwords import normalize_email
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import OperatorBinding
from platforma.database.tenant_session import WriteSession
from platforma.kit.crypto import new_token
from platforma.kit.ids import new_id
from platforma.kit.problems import NotFound
from platforma.operations.models import ACCESS, Operation, OperationStatus, Plane
from platforma.operations.service import ResourceReference, defer_operation, queue_again, request_operation
from platforma.portal.models import Portal
from platforma.tenants.errors import (
    NameTaken,
    SignInNameTaken,
    UnknownMember,
    UnknownPortal,
    UnknownSession,
    UnknownTenant,
    WrongTenantStatus,
)
from platforma.tenants.models import Member, Quota, Tenant, TenantStatus
from platforma.tenants.quotas import DEFAULT_QUOTAS

INVITATION_SECONDS = 7 * 86400
_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)


@dataclass(frozen=True)
class OperatorAct:
    """Who acts, and why."""

    actor: str
    reason: str

    def on(self, tenant_id: UUID, action: str, target: str | None = None) -> OperatorBinding:
        """Return the way into one tenant's rows for one act, on a target within the tenant."""
        return OperatorBinding(tenant_id, self.actor, action, self.reason, target)


@dataclass(frozen=True)
class Invited:
    """A member with the token to set a password with, once. The token is nowhere else."""

    member_id: UUID
    email: str
    role: str
    is_new: bool
    """Whether there was no such member before: with the token, the member that was sets a new password."""
    token: str


async def find_portal_id(database: Database, name: str) -> UUID:
    """Return the id of a portal by its name; raises UnknownPortal."""
    async with database.platform() as session:
        portal_id: UUID | None = await session.scalar(select(Portal.id).where(Portal.name == name))
    if portal_id is None:
        raise UnknownPortal(f"There is no portal named {name}.")
    return portal_id


async def find_tenant_id(database: Database, portal_name: str, name: str) -> UUID:
    """Return the id of a tenant by its portal's name and its own; raises UnknownPortal or UnknownTenant."""
    portal_id = await find_portal_id(database, portal_name)
    async with database.platform() as session:
        statement = select(Tenant.id).where(
            Tenant.portal_id == portal_id, Tenant.name == name, Tenant.status != TenantStatus.OFFBOARDED
        )
        tenant_id: UUID | None = await session.scalar(statement)
    if tenant_id is None:
        raise UnknownTenant(f"Portal {portal_name} has no tenant named {name}.")
    return tenant_id


async def create_tenant(
    database: Database, act: OperatorAct, *, portal_name: str, name: str, quotas: dict[str, int] | None = None
) -> UUID:
    """Make a tenant of a portal, and queue its onboarding; return its id.

    Takes two transactions, as there is no way into a tenant's rows before it exists. If the second fails, the
    same call later goes on where this one stopped. Raises UnknownPortal or NameTaken.
    """
    portal_id = await find_portal_id(database, portal_name)
    tenant_id = new_id()
    try:
        async with database.platform() as session:
            session.add(Tenant(id=tenant_id, portal_id=portal_id, name=name, status=TenantStatus.ONBOARDING))
    except IntegrityError as error:
        tenant_id = await find_tenant_id(database, portal_name, name)
        if not await _add_onboarding(database, act, tenant_id, name, quotas):
            raise NameTaken(f"Portal {portal_name} has a tenant named {name} already.") from error
        return tenant_id
    await _add_onboarding(database, act, tenant_id, name, quotas)
    return tenant_id


async def _add_onboarding(
    database: Database, act: OperatorAct, tenant_id: UUID, name: str, quotas: dict[str, int] | None
) -> bool:
    """Write quotas and the onboarding of a new tenant; False if it has been onboarded before."""
    async with database.write(act.on(tenant_id, "tenant.create")) as session:
        tenant = await session.get(Tenant, tenant_id, with_for_update=True)
        if tenant is None or tenant.status != TenantStatus.ONBOARDING or await _count_onboardings(session):
            return False
        wanted = DEFAULT_QUOTAS | (quotas or {})
        session.add_all(Quota(resource=resource, maximum=maximum) for resource, maximum in wanted.items())
        await _request(session, tenant_id, name, "tenant.onboard", act)
        return True


async def invite_member(
    database: Database, act: OperatorAct, tenant_id: UUID, *, email: str, name: str, role: str
) -> Invited:
    """Make a member, or take the one with this e-mail, and return a token to set a password with.

    For a member who has a password already it sets a new one. Raises UnknownTenant, or SignInNameTaken if
    another tenant of the same portal has an account with this e-mail.
    """
    address = normalize_email(email)
    token = new_token()
    try:
        async with _opened(database, act, tenant_id, "member.invite", address) as session:
            member = await session.scalar(select(Member).where(Member.email == address))
            is_new = member is None
            if member is None:
                member = Member(email=address, name=name, role=role)
                session.add(member)
                await session.flush()
            await session.call_gate(
                "create_invitation", member=member.id, token=token, lifetime_seconds=INVITATION_SECONDS
            )
            return Invited(member.id, address, member.role, is_new, token)
    except IntegrityError as error:
        raise SignInNameTaken(f"{address} has an account at this portal, with another tenant.") from error


async def suspend_tenant(database: Database, act: OperatorAct, tenant_id: UUID) -> None:
    """Shut a tenant out on the next request: sessions end, nobody signs in, kubeconfigs are revoked.

    Its clouds are left as they are.
    """
    async with _opened(database, act, tenant_id, "tenant.suspend") as session:
        tenant = await _get_tenant(session, {TenantStatus.ACTIVE, TenantStatus.ONBOARDING})
        tenant.status = TenantStatus.SUSPENDED
        await _end_sessions(session)
        await _revoke_access(session, tenant.name, act)


async def resume_tenant(database: Database, act: OperatorAct, tenant_id: UUID) -> None:
    """Let a suspended tenant in again, and wake the operations that have waited for it."""
    async with _opened(database, act, tenant_id, "tenant.resume") as session:
        tenant = await _get_tenant(session, {TenantStatus.SUSPENDED})
        onboarded = select(Operation.id).where(
            Operation.action == "tenant.onboard", Operation.status == OperationStatus.SUCCEEDED
        )
        is_onboarded = await session.scalar(onboarded) is not None
        tenant.status = TenantStatus.ACTIVE if is_onboarded else TenantStatus.ONBOARDING
        await session.flush()
        waiting = select(Operation.id).where(Operation.status.in_(_UNFINISHED)).order_by(Operation.id)
        for operation_id in (await session.scalars(waiting)).all():
            await defer_operation(session, operation_id)


async def suspend_member(database: Database, act: OperatorAct, tenant_id: UUID, who: str | UUID) -> None:
    """Shut one member out on the next request, named by e-mail or id. Raises UnknownTenant or UnknownMember."""
    async with _opened(database, act, tenant_id, "member.suspend", str(who)) as session:
        member = await _get_member(session, who)
        member.status = "suspended"
        await _end_sessions(session, member_id=member.id)
        await _revoke_access(session, member.email, act)


async def resume_member(database: Database, act: OperatorAct, tenant_id: UUID, who: str | UUID) -> None:
    """Let a suspended member sign in again."""
    async with _opened(database, act, tenant_id, "member.resume", str(who)) as session:
        member = await _get_member(session, who)
        if member.status == "suspended":
            member.status = "active"


async def revoke_sessions(
    database: Database, act: OperatorAct, tenant_id: UUID, *, email: str | None = None, session_id: UUID | None = None
) -> int:
    """End sessions on their next request: all of the tenant, one member's, or one; return how many ended.

    Raises UnknownTenant, UnknownMember or UnknownSession.
    """
    target = email or (str(session_id) if session_id else None)
    async with _opened(database, act, tenant_id, "session.revoke", target) as session:
        member_id = (await _get_member(session, email)).id if email is not None else None
        ended = await _end_sessions(session, member_id=member_id, session_id=session_id)
        if session_id is not None and not ended:
            raise UnknownSession(f"There is no live session {session_id}.")
        return ended


async def retry_onboarding(database: Database, act: OperatorAct, tenant_id: UUID) -> None:
    """Queue a failed onboarding or offboarding of a tenant again; raises WrongTenantStatus if none has failed."""
    async with _opened(database, act, tenant_id, "tenant.retry") as session:
        statement = (
            select(Operation)
            .where(Operation.plane == Plane.PLATFORM, Operation.status == OperationStatus.FAILED)
            .order_by(Operation.id.desc())
            .limit(1)
            .with_for_update()
        )
        operation = await session.scalar(statement)
        if operation is None:
            raise WrongTenantStatus("No onboarding or offboarding of this tenant has failed.")
        await queue_again(session, operation)


async def offboard_tenant(database: Database, act: OperatorAct, tenant_id: UUID) -> None:
    """Begin to remove a tenant and all it has. Its members and their sign-ins are gone when this returns.

    The provisioner does the rest. Safe to repeat; raises WrongTenantStatus when there is nothing left to remove.
    """
    async with _opened(database, act, tenant_id, "tenant.offboard") as session:
        tenant = await _get_tenant(session, set(TenantStatus) - {TenantStatus.OFFBOARDED})
        tenant.status = TenantStatus.OFFBOARDING
        await _end_sessions(session)
        await session.execute(delete(Member).execution_options(synchronize_session=False))
        unfinished = select(Operation.id).where(
            Operation.action == "tenant.offboard", Operation.status.in_(_UNFINISHED)
        )
        if await session.scalar(unfinished) is None:
            await _request(session, tenant_id, tenant.name, "tenant.offboard", act)


@asynccontextmanager
async def _opened(
    database: Database, act: OperatorAct, tenant_id: UUID, action: str, target: str | None = None
) -> AsyncIterator[WriteSession]:
    """Open a tenant for one act of an operator; raises UnknownTenant."""
    try:
        async with database.write(act.on(tenant_id, action, target)) as session:
            yield session
    except NotBoundError as error:
        raise UnknownTenant from error


async def _get_tenant(session: WriteSession, allowed: set[TenantStatus]) -> Tenant:
    tenant = await session.get(Tenant, session.tenant_id, with_for_update=True)
    if tenant is None:
        raise NotFound
    if tenant.status not in allowed:
        raise WrongTenantStatus(f"Tenant {tenant.name} is {tenant.status}.")
    return tenant


async def _get_member(session: WriteSession, who: str | UUID) -> Member:
    is_named = Member.id == who if isinstance(who, UUID) else Member.email == normalize_email(who)
    member = await session.scalar(select(Member).where(is_named).with_for_update())
    if member is None:
        raise UnknownMember(f"The tenant has no member {who}.")
    return member


async def _end_sessions(session: WriteSession, *, member_id: UUID | None = None, session_id: UUID | None = None) -> int:
    statement = update(Session).where(Session.revoked_at.is_(None))
    if member_id is not None:
        statement = statement.where(Session.member_id == member_id)
    if session_id is not None:
        statement = statement.where(Session.id == session_id)
    statement = statement.values(revoked_at=func.now()).execution_options(synchronize_session=False)
    return int((await session.execute(statement)).rowcount)  # type: ignore[attr-defined]


async def _count_onboardings(session: WriteSession) -> int:
    statement = select(func.count()).select_from(Operation).where(Operation.action == "tenant.onboard")
    return await session.scalar(statement) or 0


async def _revoke_access(session: WriteSession, name: str, act: OperatorAct) -> None:
    """Have a worker revoke the kubeconfigs that nobody may have any more. An operator sees none of them."""
    await session.flush()
    await request_operation(
        session,
        action=f"{ACCESS}.revoke",
        resource=ResourceReference(ACCESS, session.tenant_id, name),
        requested_by=f"operator {act.actor}",
    )


async def _request(session: WriteSession, tenant_id: UUID, name: str, action: str, act: OperatorAct) -> None:
    await request_operation(
        session,
        action=action,
        resource=ResourceReference("tenant", tenant_id, name),
        requested_by=f"operator {act.actor}",
        plane=Plane.PLATFORM,
    )
