"""Portals and their domains. Every change is in the operators' audit log, in the same transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from platforma.api.lists import list_page, resource_filters
from platforma.database.database import PlatformSession
from platforma.database.gate_calls import gate_statement
from platforma.kit.clock import utc_now
from platforma.kit.hosts import parse_host
from platforma.kit.ids import new_id
from platforma.kit.problems import Invalid
from platforma.operator.errors import CanonicalDomain, HostTaken, NoDomain, NotProven, UnknownDomain
from platforma.operator.hosts import BadHost, OperatorsHost, find_look_alike, is_below, read_host
from platforma.operator.routes import Acting
from platforma.operator.schemas import DomainChange, DomainCreate, PortalChange, PortalCreate, PortalQuery
from platforma.portal.addresses import find_canonical_address
from platforma.portal.models import Domain, Portal
from platforma.tenants.errors import NameTaken, UnknownPortal
from platforma.tenants.models import OperatorAudit

_SORTABLE = {"created_at": Portal.created_at, "name": Portal.name, "status": Portal.status}
_REASON = "A change of a portal."


async def list_portals(acting: Acting, query: PortalQuery) -> tuple[list[Portal], str | None]:
    """Return a page of portals."""
    async with acting.database.platform() as session:
        return await list_platform_page(session, Portal, query, _SORTABLE, resource_filters(query, Portal))


async def get_portal(acting: Acting, portal_id: UUID) -> Portal:
    """Return a portal; raises UnknownPortal."""
    async with acting.database.platform() as session:
        return await get_portal_in(session, portal_id)


async def create_portal(acting: Acting, wanted: PortalCreate) -> Portal:
    """Make a portal with its canonical host, which leads to it once it is proven.

    Raises Invalid, NameTaken or HostTaken.
    """
    host = check_host(acting, wanted.host)
    brand = {} if wanted.accent is None else {"accent": wanted.accent}
    portal = Portal(id=new_id(), name=wanted.name, title=wanted.title, brand=brand)
    async with acting.database.platform() as session:
        session.add(portal)
        await _flush_or(session, NameTaken(f"There is a portal named {wanted.name} already."))
        await _claim(acting, session, portal.id, host, is_canonical=True)
        session.add(audit(acting, "portal.create", portal, host=host))
    return portal


async def change_portal(acting: Acting, portal_id: UUID, change: PortalChange) -> Portal:
    """Change title or status. A suspended portal is shut on the next request, for all its tenants."""
    changes = change.model_dump(exclude_unset=True)
    if not changes:
        raise Invalid("Name at least one field to change.")
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id, is_locked=True)
        for field, value in changes.items():
            setattr(portal, field, value)
        session.add(audit(acting, "portal.change", portal, **changes))
    return portal


async def list_domains(acting: Acting, portal_id: UUID) -> Sequence[Domain]:
    """Return the hosts of a portal, the canonical one first; raises UnknownPortal."""
    async with acting.database.platform() as session:
        await get_portal_in(session, portal_id)
        statement = select(Domain).where(Domain.portal_id == portal_id, Domain.held_until.is_(None))
        return (await session.scalars(statement.order_by(Domain.is_canonical.desc(), Domain.host))).all()


async def list_domains_to_mend(acting: Acting) -> Sequence[Domain]:
    """Return domains of all portals that lead nowhere, or soon will, for want of a record; the most urgent first."""
    async with acting.database.platform() as session:
        statement = select(Domain).where(
            Domain.held_until.is_(None), or_(Domain.withdraws_at.is_not(None), ~Domain.is_proven)
        )
        return (
            await session.scalars(statement.order_by(Domain.withdraws_at, Domain.created_at.desc()).limit(20))
        ).all()


async def add_domain(acting: Acting, portal_id: UUID, wanted: DomainCreate) -> Domain:
    """Let one more host lead to a portal, as soon as it is proven; raises Invalid, UnknownPortal or HostTaken."""
    host = check_host(acting, wanted.host)
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id, is_locked=True)
        if wanted.is_canonical:
            await _forget_canonical(session, portal_id)
        domain = await _claim(acting, session, portal_id, host, is_canonical=wanted.is_canonical)
        session.add(audit(acting, "domain.add", portal, host=host, is_canonical=wanted.is_canonical))
    return domain


async def change_domain(acting: Acting, portal_id: UUID, host: str, change: DomainChange) -> Domain:
    """Make links to the portal with this host from now on; raises UnknownPortal, UnknownDomain or NotProven."""
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id, is_locked=True)
        domain = await _get_domain(session, portal_id, host)
        if not domain.is_proven:
            raise NotProven(domain.next_step)
        if not domain.is_canonical:
            await _forget_canonical(session, portal_id)
            domain.is_canonical = change.is_canonical
            session.add(audit(acting, "domain.change", portal, host=host, is_canonical=True))
    return domain


async def check_domain(acting: Acting, portal_id: UUID, host: str) -> Domain:
    """Have a worker look for the domain's record now; raises UnknownPortal or UnknownDomain."""
    async with acting.database.platform() as session:
        await get_portal_in(session, portal_id)
        domain = await _get_domain(session, portal_id, host)
        if domain.needs_proof:
            domain.wake_at = utc_now()
    return domain


async def remove_domain(acting: Acting, portal_id: UUID, host: str) -> None:
    """Let a host lead nowhere. If it was ever proven, it can go to no other portal for the days of the quarantine.

    Raises UnknownPortal, UnknownDomain or CanonicalDomain.
    """
    async with acting.database.platform() as session:
        portal = await get_portal_in(session, portal_id, is_locked=True)
        domain = await _get_domain(session, portal_id, host)
        if domain.is_canonical:
            raise CanonicalDomain("Make another domain of the portal canonical first.")
        if domain.proven_at is None:
            await session.delete(domain)
        else:
            domain.is_proven, domain.wake_at, domain.withdraws_at = False, None, None
            domain.held_until = utc_now() + timedelta(days=acting.settings.domains.quarantine_days)
        session.add(audit(acting, "domain.remove", portal, host=host))


async def canonical_address(acting: Acting, portal_id: UUID) -> str:
    """Return the address that links to a portal are made with; raises NoDomain."""
    address = await find_canonical_address(acting.database, acting.settings, portal_id)
    if address is None:
        raise NoDomain("Add a domain to the portal first, and prove it.")
    return address


def check_host(acting: Acting, text: str) -> str:
    """Return a host as it is stored; raises Invalid for what no portal can have, HostTaken for the operator's own."""
    own = parse_host(acting.settings.operator_host) or ""
    try:
        return read_host(text, operator_host=own)
    except OperatorsHost as error:
        raise HostTaken(str(error)) from None
    except BadHost as error:
        raise Invalid(errors=[{"where": "body.host", "detail": str(error)}]) from None


async def _claim(acting: Acting, session: PlatformSession, portal_id: UUID, host: str, *, is_canonical: bool) -> Domain:
    """Write a domain down as a portal's, if it is nobody else's and looks like nobody else's; raises HostTaken.

    It leads nowhere until its record has been seen, but for names that need none.
    """
    await session.execute(gate_statement("lock_domains"))
    former = await session.get(Domain, host, with_for_update=True)
    if former is not None:
        if former.held_until is None:
            raise HostTaken(f"{host} leads to a portal already, or is about to.")
        if former.portal_id != portal_id and former.held_until > utc_now():
            when = f"{former.held_until:%Y-%m-%d %H:%M} UTC"
            raise HostTaken(f"{host} was another portal's. It is held until {when}.")
        await session.delete(former)
        await session.flush()
    others = select(Domain.host).where(
        Domain.portal_id != portal_id, or_(Domain.held_until.is_(None), Domain.held_until > func.now())
    )
    in_the_way = gate_statement("domain_in_the_way", "wanted", "portal")
    blocker = await session.scalar(in_the_way, {"wanted": host, "portal": portal_id})
    if blocker is not None:
        raise HostTaken(f"{blocker} is another portal's, and {host} is above or below it.")
    if "xn--" not in host:
        others = others.where(Domain.host.contains("xn--"))
    blocker = find_look_alike(host, (await session.scalars(others)).all())
    if blocker is not None:
        raise HostTaken(f"{host} looks like {blocker}, which is another portal's.")
    now = utc_now()
    domain = Domain(host=host, portal_id=portal_id, is_canonical=is_canonical, wake_at=now)
    if is_below(host, acting.settings.domains.need_no_proof):
        domain.is_proven, domain.proven_at, domain.wake_at = True, now, None
    session.add(domain)
    await _flush_or(session, HostTaken(f"{host} leads to a portal already, or is about to."))
    await session.refresh(domain)
    return domain


async def _forget_canonical(session: PlatformSession, portal_id: UUID) -> None:
    await session.execute(
        update(Domain)
        .where(Domain.portal_id == portal_id, Domain.is_canonical)
        .values(is_canonical=False)
        .execution_options(synchronize_session=False)
    )


async def _get_domain(session: PlatformSession, portal_id: UUID, host: str) -> Domain:
    domain: Domain | None = await session.scalar(
        select(Domain)
        .where(Domain.host == host, Domain.portal_id == portal_id, Domain.held_until.is_(None))
        .with_for_update()
    )
    if domain is None:
        raise UnknownDomain
    return domain


async def list_platform_page(
    session: PlatformSession,
    model: Any,
    query: Any,
    sortable: dict[str, Any],
    where: Sequence[ColumnElement[bool]] = (),
) -> tuple[list[Any], str | None]:
    """Return a page of platform-wide rows. What makes pages only asks a session for `scalars()`, which this one has."""
    return await list_page(cast(Any, session), model, query, sortable=sortable, where=where)


async def get_portal_in(session: PlatformSession, portal_id: UUID, *, is_locked: bool = False) -> Portal:
    """Return a portal; raises UnknownPortal."""
    portal = await session.get(Portal, portal_id, with_for_update=is_locked or None)
    if portal is None:
        raise UnknownPortal
    return portal


async def _flush_or(session: PlatformSession, taken: Exception) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        raise taken from error


def audit(acting: Acting, action: str, portal: Portal, **details: Any) -> OperatorAudit:
    """Return the line of the operators' audit log about a change of a portal."""
    return OperatorAudit(
        actor=acting.operator.email,
        action=action,
        reason=acting.reason or _REASON,
        details={"portal": portal.name, **details},
    )
