"""`platforma session`."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import select

from platforma.authentication.models import Session
from platforma.authentication.schemas import describe_device
from platforma.cli.console import Json, TenantReason, act, operator_database, run, show, show_table
from platforma.cli.tenants import PortalName, TenantName
from platforma.tenants import service
from platforma.tenants.models import Member

app = typer.Typer(help="Sessions of a tenant's members.", no_args_is_help=True)


@app.command("list")
def list_sessions(portal: PortalName, tenant: TenantName, *, reason: TenantReason, as_json: Json = False) -> None:
    """List the sessions of a tenant that have not been revoked."""

    async def work() -> list[dict[str, object]]:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, tenant)
            async with database.read(act(reason).on(tenant_id, "session.list")) as session:
                statement = (
                    select(Session, Member.email)
                    .join(Member, Member.id == Session.member_id)
                    .where(Session.revoked_at.is_(None))
                    .order_by(Session.last_seen_at.desc())
                )
                return [
                    {
                        "email": email,
                        "device": describe_device(row.user_agent),
                        "address": row.address,
                        "last_seen_at": row.last_seen_at,
                        "id": row.id,
                    }
                    for row, email in (await session.execute(statement)).all()
                ]

    columns = ["email", "device", "address", "last_seen_at", "id"]
    show_table(run(work()), columns, as_json, "Nobody is signed in.")


@app.command("revoke")
def revoke_sessions(
    portal: PortalName,
    tenant: TenantName,
    email: Annotated[str | None, typer.Option(help="Only this member's.")] = None,
    session: Annotated[UUID | None, typer.Option(help="Only this session.")] = None,
    *,
    reason: TenantReason,
    as_json: Json = False,
) -> None:
    """End sessions on their very next request: all of a tenant, a member's, or one."""

    async def work() -> int:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, tenant)
            return await service.revoke_sessions(database, act(reason), tenant_id, email=email, session_id=session)

    ended = run(work())
    show({"revoked": ended}, as_json, f"{ended} sessions have ended.")
