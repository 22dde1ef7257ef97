"""`platforma tenant`."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import BarColumn, Progress, TextColumn
from sqlalchemy import select

from platforma.cli.console import Json, Reason, Yes, act, confirm, fail, operator_database, run, show, show_table
from platforma.database.database import Database
from platforma.operations.models import Operation, OperationStatus, Plane
from platforma.portal.models import Portal
from platforma.tenants import service
from platforma.tenants.models import Tenant
from platforma.tenants.quotas import DEFAULT_QUOTAS

app = typer.Typer(help="Tenants: onboarding, suspension, offboarding.", no_args_is_help=True)

PortalName = Annotated[str, typer.Argument(help="The portal's short name.")]
TenantName = Annotated[str, typer.Argument(help="The tenant's name at that portal.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the operation to its end; exit code 1 if it fails.")]


@app.command("create")
def create_tenant(
    portal: PortalName,
    name: TenantName,
    quota: Annotated[list[str] | None, typer.Option(help="A quota, as servers=10. May be repeated.")] = None,
    wait: Wait = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Create a tenant and onboard it in the cloud: a project, a credential, quotas, a first network."""
    quotas = dict(_quota(item) for item in quota or [])

    async def work() -> UUID:
        async with operator_database() as database:
            tenant_id = await service.create_tenant(database, act(reason), portal_name=portal, name=name, quotas=quotas)
            if wait:
                await follow(database, tenant_id, "tenant.onboard", as_json=as_json)
            return tenant_id

    tenant_id = run(work())
    words = f"Tenant {name} is onboarded." if wait else f"Tenant {name} is being onboarded: platforma tenant list"
    show({"id": tenant_id, "name": name, "portal": portal}, as_json, words)


@app.command("list")
def list_tenants(as_json: Json = False) -> None:
    """List tenants with their status."""

    async def work() -> list[dict[str, object]]:
        async with operator_database() as database, database.platform() as session:
            statement = (
                select(Portal.name, Tenant.name, Tenant.status, Tenant.id, Tenant.created_at)
                .join(Portal, Portal.id == Tenant.portal_id)
                .order_by(Portal.name, Tenant.name)
            )
            keys = ("portal", "name", "status", "id", "created_at")
            return [dict(zip(keys, row, strict=True)) for row in (await session.execute(statement)).all()]

    columns = ["portal", "name", "status", "id", "created_at"]
    show_table(run(work()), columns, as_json, "No tenant yet: platforma tenant create")


@app.command("suspend")
def suspend_tenant(
    portal: PortalName, name: TenantName, yes: Yes = False, reason: Reason = None, as_json: Json = False
) -> None:
    """Sign everybody out at once and let nobody in; what the tenant has in the cloud stays as it is."""
    confirm(f"Shut {name} out of the portal {portal}?", is_sure=yes)

    async def work() -> None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, name)
            await service.suspend_tenant(database, act(reason), tenant_id)

    run(work())
    show({"name": name, "status": "suspended"}, as_json, f"Tenant {name} is suspended.")


@app.command("resume")
def resume_tenant(portal: PortalName, name: TenantName, reason: Reason = None, as_json: Json = False) -> None:
    """Let a suspended tenant in again."""

    async def work() -> None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, name)
            await service.resume_tenant(database, act(reason), tenant_id)

    run(work())
    show({"name": name, "resumed": True}, as_json, f"Tenant {name} is let in again.")


@app.command("retry")
def retry_tenant(
    portal: PortalName, name: TenantName, wait: Wait = False, reason: Reason = None, as_json: Json = False
) -> None:
    """Try an onboarding or offboarding again that has failed."""

    async def work() -> None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, name)
            await service.retry_onboarding(database, act(reason), tenant_id)
            if wait:
                await follow(database, tenant_id, None, as_json=as_json)

    run(work())
    show({"name": name, "retried": True}, as_json, f"Tenant {name}: tried again.")


@app.command("offboard")
def offboard_tenant(
    portal: PortalName,
    name: TenantName,
    wait: Wait = False,
    yes: Yes = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Remove a tenant with everything it has: members, servers, volumes, networks, its project. For ever."""
    if not yes and typer.prompt(f"Everything of {name} will be deleted. Type its name to go on") != name:
        fail("Nothing was changed.")

    async def work() -> None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, name)
            await service.offboard_tenant(database, act(reason), tenant_id)
            if wait:
                await follow(database, tenant_id, "tenant.offboard", as_json=as_json)

    run(work())
    words = f"Tenant {name} is gone." if wait else f"Tenant {name} is being removed: platforma tenant list"
    show({"name": name, "offboarding": True}, as_json, words)


async def follow(database: Database, tenant_id: UUID, action: str | None, *, as_json: bool) -> None:
    """Show the progress of a tenant's operation until it has ended; exit code 1 if it failed.

    An offboarding takes its own operation with it in the end: then the tenant's status tells.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, transient=True, disable=as_json) as progress:
        task = progress.add_task("Queued", total=100)
        while True:
            status = await _tenant_status(database, tenant_id)
            if status in (None, "offboarded") or (action == "tenant.onboard" and status == "active"):
                return
            operation = await _platform_operation(database, tenant_id)
            if operation is not None:
                progress.update(task, completed=operation.progress, description=operation.step or operation.status)
                if operation.status == OperationStatus.FAILED:
                    error = operation.error or {}
                    fail(
                        f"It failed: {error.get('detail') or error.get('title')}. Mend it, then: platforma tenant retry"
                    )
            await asyncio.sleep(0.5)


async def _tenant_status(database: Database, tenant_id: UUID) -> str | None:
    async with database.platform() as session:
        status: str | None = await session.scalar(select(Tenant.status).where(Tenant.id == tenant_id))
        return status


async def _platform_operation(database: Database, tenant_id: UUID) -> Operation | None:
    binding = act("following an operation").on(tenant_id, "operation.read")
    async with database.read(binding) as session:
        statement = select(Operation).where(Operation.plane == Plane.PLATFORM).order_by(Operation.id.desc()).limit(1)
        found: Operation | None = await session.scalar(statement)
        return found


def _quota(item: str) -> tuple[str, int]:
    name, equals, number = item.partition("=")
    if not equals or not number.isdigit() or name not in DEFAULT_QUOTAS:
        raise typer.BadParameter(
            f"{item}: write it as NAME=NUMBER. Names: {', '.join(DEFAULT_QUOTAS)}", param_hint="--quota"
        )
    return name, int(number)
