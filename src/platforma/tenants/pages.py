"""Pages of a tenant's members."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ConfigDict, Field

from platforma.api.fields import Name
from platforma.api.lists import ListQuery
from platforma.authentication.permissions import MANAGEABLE, Permission, Role
from platforma.authentication.schemas import SessionOut
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute, shown_on
from platforma.tenants import members as service
from platforma.tenants.endpoints import Reads, Writes
from platforma.tenants.schemas import MemberChange

members = APIRouter(prefix="/members", tags=["Members"], route_class=PageRoute)

ROLES: dict[Role, str] = {
    Role.OWNER: "Everything, and makes others owners",
    Role.ADMIN: "Everything but owners",
    Role.MEMBER: "Makes, changes and deletes resources",
    Role.BILLING: "Sees members and invoices",
    Role.VIEWER: "Looks at everything and changes nothing",
}
"""What each role may do, in a few words."""


class MembersQuery(PageListQuery, ListQuery):
    """The address of the list of members."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class MemberForm(FormInput):
    """A member's name, role and status."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ada"}]})

    name: Name
    role: Role | None = None
    status: Literal["active", "suspended"] | None = None


@members.get("")
async def show_members(request: Request, query: Annotated[MembersQuery, Query()], reading: Reads) -> Response:
    """The list of members."""
    rows, cursor = await service.list_members(reading.session, query)
    listing = Listing(request, query, cursor)
    return render(request, "tenants/members.html", reading, rows=rows, listing=listing)


@members.get("/{member_id}")
async def show_member(member_id: UUID, request: Request, reading: Reads) -> Response:
    """A member; for those who may manage it, with a form and the member's sessions."""
    principal = reading.principal
    member = await service.get_member(reading.session, member_id)
    manageable = MANAGEABLE.get(principal.role, frozenset())
    can_manage = principal.may(Permission.MEMBERS_WRITE) and Role(member.role) in manageable
    sessions = []
    if can_manage:
        rows = await service.list_member_sessions(reading.session, principal, member_id)
        sessions = [SessionOut.of(row, principal.session_id) for row in rows]
    return render(
        request,
        "tenants/member.html",
        reading,
        member=member,
        roles=[(role, words) for role, words in ROLES.items() if role in manageable],
        words=ROLES,
        can_manage=can_manage,
        sessions=sessions,
    )


@members.post("/{member_id}")
@shown_on("/members/{member_id}")
async def change_member(member_id: UUID, form: Annotated[MemberForm, Form()], writing: Writes) -> Response:
    """Change a member. Only what differs is changed, so that a new name alone signs nobody out."""
    member = await service.get_member(writing.session, member_id)
    wanted = form.model_dump(exclude_none=True)
    changes = {name: value for name, value in wanted.items() if getattr(member, name) != value}
    if changes:
        await service.change_member(writing.session, writing.principal, member_id, MemberChange(**changes))
    return see_other(f"/members/{member_id}", notice="member-changed")


@members.post("/{member_id}/sign-out")
@shown_on("/members/{member_id}")
async def sign_member_out(member_id: UUID, writing: Writes) -> Response:
    """Sign a member out everywhere."""
    await service.revoke_member_sessions(writing.session, writing.principal, member_id)
    return see_other(f"/members/{member_id}", notice="member-signed-out")
