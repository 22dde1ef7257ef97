"""`platforma tenant`."""

import asyncio
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from sqlalchemy import select

from platforma.api.fields import Input, Name
from platforma.cli.console import (
    Json,
    TenantReason,
    Yes,
    act,
    acting,
    checked,
    confirm,
    fail,
    operator_database,
    run,
    show,
    show_table,
)
from platforma.database.database import Database
from platforma.database.gate_calls import GateRow
from platforma.operations.models import OperationStatus
from platforma.operator import tenants as operator_tenants
from platforma.portal.models import Portal
from platforma.tenants import service
from platforma.tenants.models import Tenant, TenantStatus
from platforma.tenants.quotas import DEFAULT_QUOTAS, quota_title

app = typer.Typer(help="Tenants: onboarding, suspension, offboarding.", no_args_is_help=True)
quotas = typer.Typer(help="What a tenant may have.", no_args_is_help=True)
app.add_typer(quotas, name="quota")

PortalName = Annotated[str, typer.Argument(help="The portal's short name.")]
TenantName = Annotated[str, typer.Argument(help="The tenant's name at that portal.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow the operation to its end; exit code 1 if it fails.")]


class _NewTenant(Input):
    """The name of a new tenant, as the operator's API takes it."""

    name: Name


POLL_SECONDS = 0.5
_UNDER_WAY = (TenantStatus.ONBOARDING, TenantStatus.OFFBOARDING)


@app.command("create")
def create_tenant(
    portal: PortalName,
    name: TenantName,
    quota: Annotated[list[str] | None, typer.Option(help="A quota, as servers=10. May be repeated.")] = None,
    wait: Wait = False,
    *,
    reason: TenantReason,
    as_json: Json = False,
) -> None:
    """Create a tenant and onboard it in the cloud: a project, a credential, quotas, a first network."""
    wanted = dict(_quota(item) for item in quota or [])
    name = checked(_NewTenant, name=name).name

    async def work() -> UUID:
        async with operator_database() as database:
            tenant_id = await service.create_tenant(database, act(reason), portal_name=portal, name=name, quotas=wanted)
            if wait:
                await follow(database, tenant_id, as_json=as_json)
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
    portal: PortalName, name: TenantName, yes: Yes = False, *, reason: TenantReason, as_json: Json = False
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
def resume_tenant(portal: PortalName, name: TenantName, *, reason: TenantReason, as_json: Json = False) -> None:
    """Let a suspended tenant in again."""

    async def work() -> None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, name)
            await service.resume_tenant(database, act(reason), tenant_id)

    run(work())
    show({"name": name, "resumed": True}, as_json, f"Tenant {name} is let in again.")


@app.command("retry")
def retry_tenant(
    portal: PortalName, name: TenantName, wait: Wait = False, *, reason: TenantReason, as_json: Json = False
) -> None:
    """Try an onboarding or offboarding again that has failed."""

    async def work() -> None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, name)
            await service.retry_onboarding(database, act(reason), tenant_id)
            if wait:
                await follow(database, tenant_id, as_json=as_json)

    run(work())
    show({"name": name, "retried": True}, as_json, f"Tenant {name}: tried again.")


@app.command("follow")
def follow_tenant(portal: PortalName, name: TenantName, as_json: Json = False) -> None:
    """Wait until a tenant is onboarded or gone; exit code 1 if its operation fails."""

    async def work() -> str | None:
        async with operator_database() as database:
            tenant_id = await service.find_tenant_id(database, portal, name)
            return await follow(database, tenant_id, as_json=as_json)

    status = run(work())
    show({"name": name, "status": status}, as_json, f"Tenant {name} is {status}.")


@quotas.command("list")
def list_tenant_quotas(portal: PortalName, name: TenantName, *, reason: TenantReason, as_json: Json = False) -> None:
    """List what a tenant may have."""

    async def work() -> dict[str, int]:
        async with acting(reason) as operator:
            tenant_id = await service.find_tenant_id(operator.database, portal, name)
            return await operator_tenants.get_quotas(operator, tenant_id, reason)

    _show_quotas(run(work()), as_json)


@quotas.command("set")
def set_tenant_quotas(
    portal: PortalName,
    name: TenantName,
    quota: Annotated[list[str], typer.Argument(help="New quotas, such as servers=30 volume_gib=4000.")],
    *,
    reason: TenantReason,
    as_json: Json = False,
) -> None:
    """Change what a tenant may have: here at once, and in the cloud soon after."""
    wanted = dict(_quota(item) for item in quota)

    async def work() -> dict[str, int]:
        async with acting(reason) as operator:
            tenant_id = await service.find_tenant_id(operator.database, portal, name)
            return await operator_tenants.change_quotas(operator, tenant_id, wanted, reason)

    _show_quotas(run(work()), as_json)


def _show_quotas(found: dict[str, int], as_json: bool) -> None:
    if as_json:
        show(found, as_json, "")
    else:
        rows = [{"quota": key, "maximum": found[key], "of": quota_title(key)} for key in sorted(found)]
        show_table(rows, ["quota", "maximum", "of"], as_json, "")


@app.command("offboard")
def offboard_tenant(
    portal: PortalName,
    name: TenantName,
    wait: Wait = False,
    yes: Yes = False,
    *,
    reason: TenantReason,
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
                await follow(database, tenant_id, as_json=as_json)

    run(work())
    words = f"Tenant {name} is gone." if wait else f"Tenant {name} is being removed: platforma tenant list"
    show({"name": name, "offboarding": True}, as_json, words)


async def follow(database: Database, tenant_id: UUID, *, as_json: bool) -> str | None:
    """Show the progress of an onboarding or offboarding until it has ended; return the tenant's status then.

    Exit code 1 if it failed. A terminal has a bar; elsewhere each step is a line on standard error.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    terminal = Console(stderr=True)
    told = ""
    with Progress(*columns, console=terminal, transient=True, disable=as_json or not terminal.is_terminal) as progress:
        task = progress.add_task("Queued", total=100)
        while (status := await _tenant_status(database, tenant_id)) in _UNDER_WAY:
            standing = await database.call_gate("find_standing", tenant=tenant_id)
            if standing is not None and standing.id is not None:
                words = standing.step or standing.status.capitalize()
                progress.update(task, completed=standing.progress, description=words)
                _check_not_failed(standing)
                if not as_json and not terminal.is_terminal and words != told:
                    typer.echo(f"{standing.progress} % {words}", err=True)
                    told = words
            await asyncio.sleep(POLL_SECONDS)
        return status


def _check_not_failed(operation: GateRow) -> None:
    if operation.status == OperationStatus.FAILED:
        error = operation.error or {}
        sentence = str(error.get("detail") or error.get("title")).removesuffix(".")
        fail(f"It failed: {sentence}. Mend it, then: platforma tenant retry")


async def _tenant_status(database: Database, tenant_id: UUID) -> str | None:
    async with database.platform() as session:
        status: str | None = await session.scalar(select(Tenant.status).where(Tenant.id == tenant_id))
        return status


def _quota(item: str) -> tuple[str, int]:
    name, equals, number = item.partition("=")
    if not equals or not number.isdigit() or name not in DEFAULT_QUOTAS:
        raise typer.BadParameter(
            f"{item}: write it as NAME=NUMBER. Names: {', '.join(DEFAULT_QUOTAS)}", param_hint="--quota"
        )
    return name, int(number)
