"""`platforma portal` and `platforma domain`."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
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
from platforma.operator.routes import Acting
from platforma.operator.schemas import DomainChange, DomainCreate, PortalChange, PortalCreate
from platforma.portal.models import Domain, Portal
from platforma.tenants.service import find_portal_id

portals = typer.Typer(help="Portals: a client's brand, with its domains.", no_args_is_help=True)
domains = typer.Typer(help="Domains that lead to a portal.", no_args_is_help=True)

Result = TypeVar("Result")

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

    async def work() -> tuple[UUID, Domain]:
        async with acting(reason) as operator:
            portal_id = (await service.create_portal(operator, wanted)).id
            return portal_id, (await service.list_domains(operator, portal_id))[0]

    portal_id, domain = run(work())
    words = f"Portal {name} is at {domain.host}." if domain.is_proven else f"Portal {name} is made. {domain.next_step}"
    show({"id": portal_id, "name": name, "host": domain.host, **_proof(domain)}, as_json, words)


@portals.command("list")
def list_portals(as_json: Json = False) -> None:
    """List portals with their hosts."""

    async def work() -> list[dict[str, object]]:
        async with operator_database() as database, database.platform() as session:
            hosts: dict[object, list[str]] = {}
            statement = select(Domain).where(Domain.held_until.is_(None)).order_by(Domain.is_canonical.desc())
            for domain in (await session.scalars(statement)).all():
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

    async def work() -> Domain:
        async with acting(reason) as operator:
            portal_id = await find_portal_id(operator.database, portal)
            return await service.add_domain(operator, portal_id, wanted)

    added = run(work())
    words = f"{added.host} leads to {portal}." if added.is_proven else f"{added.host} is added. {added.next_step}"
    show({"host": added.host, "portal": portal, **_proof(added)}, as_json, words)


@domains.command("list")
def list_domains(as_json: Json = False) -> None:
    """List the hosts, where they lead, and what is to be done to have them proven."""

    async def work() -> list[dict[str, object]]:
        async with operator_database() as database, database.platform() as session:
            statement = select(Domain, Portal.name).join(Portal, Portal.id == Domain.portal_id).order_by(Domain.host)
            return [
                {
                    "host": domain.host,
                    "portal": name,
                    "canonical": domain.is_canonical,
                    "status": domain.status.value,
                    "trouble": domain.trouble,
                    "next_step": domain.next_step or _held(domain),
                }
                for domain, name in (await session.execute(statement)).all()
            ]

    columns = ["host", "portal", "canonical", "status", "trouble", "next_step"]
    show_table(run(work()), columns, as_json, "No domain yet: platforma domain add")


@domains.command("check")
def check_domain(host: Host, reason: Reason = None, as_json: Json = False) -> None:
    """Have a worker look for a domain's TXT record now."""
    domain = _act_on(host, reason, service.check_domain)
    show({"host": domain.host, **_proof(domain)}, as_json, domain.next_step or f"{domain.host} is proven.")


@domains.command("canonical")
def make_domain_canonical(host: Host, reason: Reason = None, as_json: Json = False) -> None:
    """Make links to a domain's portal with this host from now on."""

    async def work(operator: Acting, portal_id: UUID, name: str) -> Domain:
        return await service.change_domain(operator, portal_id, name, DomainChange(is_canonical=True))

    domain = _act_on(host, reason, work)
    show({"host": domain.host, "canonical": True}, as_json, f"Links are made with {domain.host} now.")


@domains.command("remove")
def remove_domain(host: Host, yes: Yes = False, reason: Reason = None, as_json: Json = False) -> None:
    """Let a host lead nowhere. A portal's canonical host stays until another one is canonical."""
    confirm(f"Nobody will reach a portal at {host} any more. Remove it?", is_sure=yes)
    _act_on(host, reason, service.remove_domain)
    show({"host": host, "removed": True}, as_json, f"{host} leads nowhere now.")


def _act_on(host: str, reason: str | None, act: Callable[[Acting, UUID, str], Awaitable[Result]]) -> Result:
    """Do something to a domain, whichever portal's it is."""

    async def work() -> Result:
        async with acting(reason) as operator:
            wanted = service.check_host(operator, host)
            async with operator.database.platform() as session:
                portal_id = await session.scalar(select(Domain.portal_id).where(Domain.host == wanted))
            if portal_id is None:
                fail(f"There is no domain {wanted}.")
            return await act(operator, portal_id, wanted)

    return run(work())


def _proof(domain: Domain) -> dict[str, object]:
    return {"status": domain.status.value, "record_name": domain.record_name, "record_value": domain.record_value}


def _held(domain: Domain) -> str | None:
    return f"Held until {domain.held_until:%Y-%m-%d %H:%M} UTC." if domain.held_until is not None else None


def _change(name: str, change: PortalChange, reason: str | None) -> None:
    async def work() -> None:
        async with acting(reason) as operator:
            await service.change_portal(operator, await find_portal_id(operator.database, name), change)

    run(work())
