"""`platforma portal` and `platforma domain`."""

from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import select

from platforma.cli.console import (
    Json,
    Reason,
    Yes,
    acting,
    checked,
    confirm,
    fail,
    operator_database,
    run,
    show,
    show_table,
)
from platforma.operator import portals as service
from platforma.operator.schemas import DomainCreate, PortalChange, PortalCreate
from platforma.portal.models import Domain, Portal
from platforma.tenants.service import find_portal_id

portals = typer.Typer(help="Portals: a client's brand, with its domains.", no_args_is_help=True)
domains = typer.Typer(help="Domains that lead to a portal.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The portal's short name.")]
Host = Annotated[str, typer.Argument(help="A host name, such as cloud.example.org.")]


@portals.command("create")
def create_portal(
    name: Name,
    title: Annotated[str, typer.Option(help="What its visitors read.")],
    host: Annotated[str, typer.Option(help="Its first, canonical host.")],
    color: Annotated[str | None, typer.Option(help="Its brand colour, as #rrggbb.")] = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Create a portal at a host."""
    wanted = checked(PortalCreate, name=name, title=title, host=host, accent=color)

    async def work() -> UUID:
        async with acting(reason) as operator:
            return (await service.create_portal(operator, wanted)).id

    portal_id = run(work())
    show({"id": portal_id, "name": name, "host": host.lower()}, as_json, f"Portal {name} is at {host.lower()}.")


@portals.command("list")
def list_portals(as_json: Json = False) -> None:
    """List portals with their hosts."""

    async def work() -> list[dict[str, object]]:
        async with operator_database() as database, database.platform() as session:
            hosts: dict[object, list[str]] = {}
            for domain in (await session.scalars(select(Domain).order_by(Domain.is_canonical.desc()))).all():
                hosts.setdefault(domain.portal_id, []).append(domain.host)
            rows = (await session.scalars(select(Portal).order_by(Portal.name))).all()
            return [
                {"name": row.name, "title": row.title, "status": row.status, "hosts": " ".join(hosts.get(row.id, []))}
                for row in rows
            ]

    show_table(run(work()), ["name", "title", "status", "hosts"], as_json, "No portal yet: platforma portal create")


@portals.command("suspend")
def suspend_portal(name: Name, yes: Yes = False, reason: Reason = None, as_json: Json = False) -> None:
    """Shut a portal: its members are signed out on their next request, and it answers as if it were not there."""
    confirm(f"Shut the portal {name} for all its tenants?", is_sure=yes)
    _change(name, PortalChange(status="suspended"), reason)
    show({"name": name, "status": "suspended"}, as_json, f"Portal {name} is shut.")


@portals.command("resume")
def resume_portal(name: Name, reason: Reason = None, as_json: Json = False) -> None:
    """Open a suspended portal again."""
    _change(name, PortalChange(status="active"), reason)
    show({"name": name, "status": "active"}, as_json, f"Portal {name} is open.")


@domains.command("add")
def add_domain(
    portal: Name,
    host: Host,
    canonical: Annotated[bool, typer.Option(help="Make links with this host from now on.")] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Let one more host lead to a portal."""
    wanted = checked(DomainCreate, host=host, is_canonical=canonical)

    async def work() -> str:
        async with acting(reason) as operator:
            portal_id = await find_portal_id(operator.database, portal)
            return (await service.add_domain(operator, portal_id, wanted)).host

    added = run(work())
    show({"host": added, "portal": portal}, as_json, f"{added} leads to {portal}.")


@domains.command("list")
def list_domains(as_json: Json = False) -> None:
    """List the hosts and where they lead."""

    async def work() -> list[dict[str, object]]:
        async with operator_database() as database, database.platform() as session:
            statement = (
                select(Domain.host, Portal.name, Domain.is_canonical)
                .join(Portal, Portal.id == Domain.portal_id)
                .order_by(Domain.host)
            )
            rows = (await session.execute(statement)).all()
            return [{"host": host, "portal": name, "canonical": is_canonical} for host, name, is_canonical in rows]

    show_table(run(work()), ["host", "portal", "canonical"], as_json, "No domain yet: platforma domain add")


@domains.command("remove")
def remove_domain(host: Host, yes: Yes = False, reason: Reason = None, as_json: Json = False) -> None:
    """Let a host lead nowhere. A portal's canonical host stays until another one is canonical."""
    wanted = host.lower()
    confirm(f"Nobody will reach a portal at {wanted} any more. Remove it?", is_sure=yes)

    async def work() -> None:
        async with acting(reason) as operator:
            async with operator.database.platform() as session:
                portal_id = await session.scalar(select(Domain.portal_id).where(Domain.host == wanted))
            if portal_id is None:
                fail(f"There is no domain {wanted}.")
            await service.remove_domain(operator, portal_id, wanted)

    run(work())
    show({"host": wanted, "removed": True}, as_json, f"{wanted} leads nowhere now.")


def _change(name: str, change: PortalChange, reason: str | None) -> None:
    async def work() -> None:
        async with acting(reason) as operator:
            await service.change_portal(operator, await find_portal_id(operator.database, name), change)

    run(work())
