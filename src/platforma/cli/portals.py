"""`platforma portal` and `platforma domain`."""

from typing import Annotated

import typer
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from platforma.cli.console import Json, Yes, act, confirm, fail, operator_database, run, settings, show, show_table
from platforma.kit.hosts import parse_host
from platforma.kit.ids import new_id
from platforma.portal.models import Domain, Portal
from platforma.tenants.models import OperatorAudit
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
    as_json: Json = False,
) -> None:
    """Create a portal at a host."""
    portal_id = new_id()
    wanted = _checked(host)

    async def work() -> None:
        async with operator_database() as database, database.platform() as session:
            brand = {"accent": color} if color else {}
            session.add(Portal(id=portal_id, name=name, title=title, brand=brand))
            await session.flush()
            session.add(Domain(host=wanted, portal_id=portal_id, is_canonical=True))
            session.add(_audit("portal.create", f"{name} at {wanted}"))

    try:
        run(work())
    except IntegrityError:
        fail(f"There is a portal {name}, or a domain {wanted}, already.")
    show({"id": portal_id, "name": name, "host": wanted}, as_json, f"Portal {name} is at {wanted}.")


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
def suspend_portal(name: Name, yes: Yes = False, as_json: Json = False) -> None:
    """Shut a portal: its members are signed out on their next request, and it answers as if it were not there."""
    confirm(f"Shut the portal {name} for all its tenants?", is_sure=yes)
    _set_status(name, "suspended")
    show({"name": name, "status": "suspended"}, as_json, f"Portal {name} is shut.")


@portals.command("resume")
def resume_portal(name: Name, as_json: Json = False) -> None:
    """Open a suspended portal again."""
    _set_status(name, "active")
    show({"name": name, "status": "active"}, as_json, f"Portal {name} is open.")


@domains.command("add")
def add_domain(
    portal: Name,
    host: Host,
    canonical: Annotated[bool, typer.Option(help="Make links with this host from now on.")] = False,
    as_json: Json = False,
) -> None:
    """Let one more host lead to a portal."""
    wanted = _checked(host)

    async def work() -> None:
        async with operator_database() as database:
            portal_id = await find_portal_id(database, portal)
            async with database.platform() as session:
                if canonical:
                    await session.execute(
                        update(Domain).where(Domain.portal_id == portal_id).values(is_canonical=False)
                    )
                session.add(Domain(host=wanted, portal_id=portal_id, is_canonical=canonical))
                session.add(_audit("domain.add", f"{wanted} to {portal}"))

    try:
        run(work())
    except IntegrityError:
        fail(f"{wanted} leads to a portal already.")
    show({"host": wanted, "portal": portal}, as_json, f"{wanted} leads to {portal}.")


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
def remove_domain(host: Host, yes: Yes = False, as_json: Json = False) -> None:
    """Let a host lead nowhere. A portal's canonical host stays until another one is canonical."""
    wanted = _checked(host)
    confirm(f"Nobody will reach a portal at {wanted} any more. Remove it?", is_sure=yes)

    async def work() -> None:
        async with operator_database() as database, database.platform() as session:
            domain = await session.get(Domain, wanted)
            if domain is None:
                fail(f"There is no domain {wanted}.")
            if domain.is_canonical:
                fail(f"{wanted} is the canonical host of its portal. Add another with --canonical first.")
            await session.execute(delete(Domain).where(Domain.host == wanted))
            session.add(_audit("domain.remove", wanted))

    run(work())
    show({"host": wanted, "removed": True}, as_json, f"{wanted} leads nowhere now.")


def _checked(host: str) -> str:
    parsed = parse_host(host)
    if parsed is None or ":" in host:
        fail(f"{host} is no host name. Write it as cloud.example.org, without port or path.")
    if parsed == settings().operator_host:
        fail(f"{parsed} is the operator's own host.")
    return parsed


def _set_status(name: str, status: str) -> None:
    async def work() -> None:
        async with operator_database() as database:
            portal_id = await find_portal_id(database, name)
            async with database.platform() as session:
                await session.execute(update(Portal).where(Portal.id == portal_id).values(status=status))
                session.add(_audit(f"portal.{status}", name))

    run(work())


def _audit(action: str, what: str) -> OperatorAudit:
    doer = act(None)
    return OperatorAudit(actor=doer.actor, action=action, reason=doer.reason, details={"target": what})
