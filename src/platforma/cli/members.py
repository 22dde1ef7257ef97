"""`platforma member`."""

from typing import Annotated

import typer
from sqlalchemy import select

from platforma.authentication.permissions import Role
from platforma.cli.console import Json, TenantReason, act, fail, operator_database, run, settings, show, show_table
from platforma.cli.tenants import PortalName, TenantName
from platforma.database.database import Database
from platforma.portal.addresses import find_canonical_address
from platforma.tenants import service
from platforma.tenants.models import Member

app = typer.Typer(help="Members of a tenant.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="The member's e-mail, which is the sign-in name.")]


@app.command("invite")
def invite_member(
    portal: PortalName,
    tenant: TenantName,
    email: Email,
    name: Annotated[str, typer.Option(help="The person's name. [default: the e-mail]")] = "",
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.MEMBER,
    *,
    reason: TenantReason,
    as_json: Json = False,
) -> None:
    """Invite a person, and print the link with which the person sets a password: once, within a week."""
    if email.count("@") != 1 or any(character.isspace() for character in email):
        fail(f"{email} is no e-mail.")

    async def work() -> tuple[service.Invited, str]:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, tenant)
            invited = await service.invite_member(
                database, act(reason), tenant_id, email=email, name=name or email, role=role
            )
            return invited, await canonical_address(database, portal)

    invited, address = run(work())
    link = f"{address}/invitation/{invited.token}"
    result = {
        "member_id": invited.member_id,
        "email": invited.email,
        "role": invited.role,
        "is_new": invited.is_new,
        "token": invited.token,
        "link": link,
    }
    words = f"Give this link to {invited.email}:\n{link}"
    if not invited.is_new:
        words = (
            f"{invited.email} is a member already, and stays {invited.role}. With this link that person, and whoever "
            f"else has it, sets a new password:\n{link}"
        )
    show(result, as_json, words)


@app.command("list")
def list_members(portal: PortalName, tenant: TenantName, *, reason: TenantReason, as_json: Json = False) -> None:
    """List the members of a tenant."""

    async def work() -> list[dict[str, object]]:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, tenant)
            async with database.read(act(reason).on(tenant_id, "member.list")) as session:
                rows = (await session.scalars(select(Member).order_by(Member.email))).all()
                return [
                    {"email": row.email, "name": row.name, "role": row.role, "status": row.status, "id": row.id}
                    for row in rows
                ]

    columns = ["email", "name", "role", "status", "id"]
    show_table(run(work()), columns, as_json, "No member yet: platforma member invite")


@app.command("suspend")
def suspend_member(
    portal: PortalName, tenant: TenantName, email: Email, *, reason: TenantReason, as_json: Json = False
) -> None:
    """Sign a member out at once, and let the member in no more."""
    _change(portal, tenant, email, reason, is_suspended=True)
    show({"email": email, "status": "suspended"}, as_json, f"{email} is suspended.")


@app.command("resume")
def resume_member(
    portal: PortalName, tenant: TenantName, email: Email, *, reason: TenantReason, as_json: Json = False
) -> None:
    """Let a suspended member sign in again."""
    _change(portal, tenant, email, reason, is_suspended=False)
    show({"email": email, "resumed": True}, as_json, f"{email} may sign in again.")


async def canonical_address(database: Database, portal: str) -> str:
    """Return the address of a portal's canonical host, as links name it."""
    portal_id = await service.find_portal_id(database, portal)
    address = await find_canonical_address(database, settings(), portal_id)
    if address is None:
        fail(f"Portal {portal} has no proven domain: platforma domain list")
    return address


def _change(portal: str, tenant: str, email: str, reason: str | None, *, is_suspended: bool) -> None:
    async def work() -> None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, tenant)
            change = service.suspend_member if is_suspended else service.resume_member
            await change(database, act(reason), tenant_id, email)

    run(work())
