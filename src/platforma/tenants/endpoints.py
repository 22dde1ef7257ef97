"""`/api/v1/members`, `/quotas` and `/audit-events`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from platforma.api.csv_files import csv_response
from platforma.api.lists import ListQuery, Page
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.authentication.schemas import RevokedOut, SessionOut
from platforma.tenants import audit
from platforma.tenants import members as service
from platforma.tenants.quotas import list_quotas as find_quotas
from platforma.tenants.quotas import quota_title
from platforma.tenants.schemas import AuditEventOut, AuditFilters, AuditQuery, MemberChange, MemberOut, QuotaOut
from platforma.tenants.usage import count_usage

members = APIRouter(prefix="/members", tags=["Members"], route_class=TenantRoute)
account = APIRouter(tags=["Account"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.MEMBERS_READ)]
Manages = Annotated[Reading, may_read(Permission.MEMBERS_WRITE)]
Writes = Annotated[Writing, may_write(Permission.MEMBERS_WRITE)]
AuditReads = Annotated[Reading, may_read(Permission.AUDIT_READ)]


@members.get("")
async def list_members(query: Annotated[ListQuery, Query()], reading: Reads) -> Page[MemberOut]:
    """The members of your tenant."""
    rows, cursor = await service.list_members(reading.session, query)
    return Page(items=[MemberOut.model_validate(row) for row in rows], next=cursor)


@members.get("/{member_id}")
async def get_member(member_id: UUID, reading: Reads) -> MemberOut:
    """One member."""
    return MemberOut.model_validate(await service.get_member(reading.session, member_id))


@members.patch("/{member_id}")
async def change_member(member_id: UUID, body: MemberChange, writing: Writes) -> MemberOut:
    """Change a member's name, role or status. A new role or a suspension signs the member out at once."""
    return MemberOut.model_validate(await service.change_member(writing.session, writing.principal, member_id, body))


@members.get("/{member_id}/sessions")
async def list_member_sessions(member_id: UUID, reading: Manages) -> Page[SessionOut]:
    """The live sessions of a member."""
    rows = await service.list_member_sessions(reading.session, reading.principal, member_id)
    return Page(items=[SessionOut.of(row, reading.principal.session_id) for row in rows])


@members.delete("/{member_id}/sessions")
async def revoke_member_sessions(member_id: UUID, writing: Writes) -> RevokedOut:
    """Sign a member out everywhere."""
    ended = await service.revoke_member_sessions(writing.session, writing.principal, member_id)
    return RevokedOut(revoked=ended)


@members.delete("/{member_id}/sessions/{session_id}", status_code=204)
async def revoke_member_session(member_id: UUID, session_id: UUID, writing: Writes) -> None:
    """End one session of a member."""
    await service.revoke_member_session(writing.session, writing.principal, member_id, session_id)


@account.get("/quotas")
async def list_quotas(reading: Annotated[Reading, may_read(Permission.TENANT_READ)]) -> Page[QuotaOut]:
    """How much of each resource you may have, and how much you have."""
    quotas = await find_quotas(reading.session)
    used = await count_usage(reading.session)
    return Page(
        items=[
            QuotaOut(resource=name, title=quota_title(name), used=used[name], maximum=maximum)
            for name, maximum in sorted(quotas.items())
        ]
    )


@account.get("/audit-events")
async def list_audit_events(query: Annotated[AuditQuery, Query()], reading: AuditReads) -> Page[AuditEventOut]:
    """Who did what in your tenant, your provider included."""
    rows, cursor = await audit.list_events(reading.session, query)
    return Page(items=[AuditEventOut.model_validate(row) for row in rows], next=cursor)


@account.get("/audit-events.csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}})
async def export_audit_events(filters: Annotated[AuditFilters, Query()], reading: AuditReads) -> Response:
    """The same as CSV: the newest 10,000 lines. Name `until` to get those before."""
    rows = await audit.export_events(reading.session, filters)
    return csv_response("audit-log.csv", audit.COLUMNS, rows)
