"""The members of a tenant: roles, suspension, sessions."""

from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import ListQuery, list_page
from platforma.authentication import service as authentication
from platforma.authentication.models import Session
from platforma.authentication.permissions import MANAGEABLE, Role
from platforma.authentication.principals import Principal
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.problems import Conflict, Forbidden, Invalid, NotFound
from platforma.kubernetes.kubeconfigs import revoke_kubeconfigs_of
from platforma.tenants.models import AuditEvent, Member
from platforma.tenants.schemas import MemberChange

_SORTABLE = {
    "created_at": Member.created_at,
    "name": Member.name,
    "email": Member.email,
    "role": Member.role,
    "status": Member.status,
}


class LastOwner(Conflict):
    type = "last-owner"
    title = "A tenant keeps at least one active owner"


async def list_members(session: ReadSession, query: ListQuery) -> tuple[list[Member], str | None]:
    """Return a page of members."""
    return await list_page(session, Member, query, sortable=_SORTABLE)


async def get_member(session: TenantSession, member_id: UUID) -> Member:
    """Return a member; raises NotFound."""
    member = await session.get(Member, member_id)
    if member is None:
        raise NotFound
    return member


async def change_member(session: WriteSession, principal: Principal, member_id: UUID, body: MemberChange) -> Member:
    """Change a member. A new role or a suspension signs the member out everywhere, at once."""
    member = await _get_manageable(session, principal, member_id)
    changes = body.model_dump(exclude_unset=True)
    if not changes:
        raise Invalid("Name at least one field to change.")
    role = Role(changes.get("role", member.role))
    if role not in MANAGEABLE[principal.role]:
        raise Forbidden(f"Your role is {principal.role}: you cannot make anybody {role}.")
    if "status" in changes and member.status == "invited":
        raise Conflict(f"{member.email} has not accepted the invitation yet.")
    loses_power = role != member.role or changes.get("status", member.status) != member.status
    if member.role == Role.OWNER and loses_power:
        await _check_other_owner(session, member)
    for field, value in changes.items():
        setattr(member, field, value)
    if loses_power:
        await authentication.revoke_sessions(session, principal, member_id)
        await revoke_kubeconfigs_of(session, principal, member_id)
    session.add(AuditEvent(actor=principal.email, action="member.change", target=member.email, details=changes))
    await session.flush()
    await session.refresh(member)
    return member


async def list_member_sessions(session: ReadSession, principal: Principal, member_id: UUID) -> list[Session]:
    """Return the live sessions of a member whom the caller may manage."""
    await _get_manageable(session, principal, member_id)
    return await authentication.list_sessions(session, member_id)


async def revoke_member_sessions(session: WriteSession, principal: Principal, member_id: UUID) -> int:
    """Sign a member out everywhere; return how many sessions ended."""
    await _get_manageable(session, principal, member_id)
    return await authentication.revoke_sessions(session, principal, member_id)


async def revoke_member_session(session: WriteSession, principal: Principal, member_id: UUID, session_id: UUID) -> None:
    """End one session of a member; raises NotFound, also for another member's session."""
    await _get_manageable(session, principal, member_id)
    await authentication.revoke_session(session, principal, member_id, session_id)


async def _get_manageable(session: TenantSession, principal: Principal, member_id: UUID) -> Member:
    """Return a member whom the caller may manage. Who is about to write gets the row locked, as it is at present."""
    is_locked = isinstance(session, WriteSession)
    member = await session.get(Member, member_id, with_for_update=is_locked or None, populate_existing=is_locked)
    if member is None:
        raise NotFound
    if Role(member.role) not in MANAGEABLE.get(principal.role, frozenset()):
        raise Forbidden(f"Your role is {principal.role}: you cannot manage an {member.role}.")
    return member


async def _check_other_owner(session: TenantSession, member: Member) -> None:
    others = (
        select(Member.id)
        .where(Member.role == Role.OWNER, Member.status == "active", Member.id != member.id)
        .order_by(Member.id)
        .with_for_update()
    )
    await session.execute(select(func.pg_advisory_xact_lock(member.tenant_id.int & (2**63 - 1))))
    if not (await session.scalars(others)).all():
        raise LastOwner(f"{member.email} is the only active owner. Make somebody else an owner first.")
