"""Portals and their domains. Every change is in the operators' audit log, in the same transaction."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.exc import IntegrityError

from platforma.api.lists import list_page, resource_filters
from platforma.database.database import PlatformSession
from platforma.kit.hosts import parse_host
from platforma.kit.ids import new_id
from platforma.kit.problems import Invalid
from platforma.operator.errors import CanonicalDomain, HostTaken, NoDomain, UnknownDomain
from platforma.operator.routes import Acting
from platforma.operator.schemas import DomainCreate, PortalChange, PortalCreate, PortalQuery
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
        return await _get(session, portal_id)


async def create_portal(acting: Acting, wanted: PortalCreate) -> Portal:
    """Make a portal with its canonical host; raises Invalid, NameTaken or HostTaken."""
    host = check_host(acting, wanted.host)
    brand = {} if wanted.accent is None else {"accent": wanted.accent}
    portal = Portal(id=new_id(), name=wanted.name, title=wanted.title, brand=brand)
    async with acting.database.platform() as session:
        session.add(portal)
        await _flush_or(session, NameTaken(f"There is a portal named {wanted.name} already."))
        session.add(Domain(host=host, portal_id=portal.id, is_canonical=True))
        await _flush_or(session, HostTaken(f"{host} leads to a portal already."))
        session.add(_audit(acting, "portal.create", portal, host=host))
    return portal


async def change_portal(acting: Acting, portal_id: UUID, change: PortalChange) -> Portal:
    """Change title or status. A suspended portal is shut on the next request, for all its tenants."""
    changes = change.model_dump(exclude_unset=True)
    if not changes:
        raise Invalid("Name at least one field to change.")
    async with acting.database.platform() as session:
        portal = await _get(session, portal_id, is_locked=True)
        for field, value in changes.items():
            setattr(portal, field, value)
        session.add(_audit(acting, "portal.change", portal, **changes))
    return portal


async def list_domains(acting: Acting, portal_id: UUID) -> Sequence[Domain]:
    """Return the hosts of a portal, the canonical one first; raises UnknownPortal."""
    async with acting.database.platform() as session:
        await _get(session, portal_id)
        statement = select(Domain).where(Domain.portal_id == portal_id)
        return (await session.scalars(statement.order_by(Domain.is_canonical.desc(), Domain.host))).all()


async def add_domain(acting: Acting, portal_id: UUID, wanted: DomainCreate) -> Domain:
    """Let one more host lead to a portal; raises Invalid, UnknownPortal or HostTaken."""
    host = check_host(acting, wanted.host)
    async with acting.database.platform() as session:
        portal = await _get(session, portal_id, is_locked=True)
        if wanted.is_canonical:
            await session.execute(
                update(Domain)
                .where(Domain.portal_id == portal_id)
                .values(is_canonical=False)
                .execution_options(synchronize_session=False)
            )
        domain = Domain(host=host, portal_id=portal_id, is_canonical=wanted.is_canonical)
        session.add(domain)
        await _flush_or(session, HostTaken(f"{host} leads to a portal already."))
        session.add(_audit(acting, "domain.add", portal, host=host, is_canonical=wanted.is_canonical))
    return domain


async def remove_domain(acting: Acting, portal_id: UUID, host: str) -> None:
    """Let a host lead nowhere; raises UnknownPortal, UnknownDomain or CanonicalDomain."""
    async with acting.database.platform() as session:
        portal = await _get(session, portal_id, is_locked=True)
        domain = await session.scalar(select(Domain).where(Domain.host == host, Domain.portal_id == portal_id))
        if domain is None:
            raise UnknownDomain
        if domain.is_canonical:
            raise CanonicalDomain("Make another domain of the portal canonical first.")
        await session.execute(delete(Domain).where(Domain.host == host).execution_options(synchronize_session=False))
        session.add(_audit(acting, "domain.remove", portal, host=host))


async def canonical_address(acting: Acting, portal_id: UUID) -> str:
    """Return the address that links to a portal are made with; raises NoDomain."""
    domains = await list_domains(acting, portal_id)
    if not domains:
        raise NoDomain("Add a domain to the portal first.")
    port = f":{acting.settings.public_port}" if acting.settings.public_port else ""
    return f"{acting.settings.public_scheme}://{domains[0].host}{port}"


def check_host(acting: Acting, text: str) -> str:
    """Return a host as it is stored; raises Invalid for anything but a name, HostTaken for the operator's own."""
    host = parse_host(text)
    if host is None or ":" in text:
        detail = "Write a host name such as cloud.example.org, without scheme, port or path."
        raise Invalid(errors=[{"where": "body.host", "detail": detail}])
    if host == parse_host(acting.settings.operator_host):
        raise HostTaken(f"{host} is the operator's own host.")
    return host


async def list_platform_page(
    session: PlatformSession,
    model: Any,
    query: Any,
    sortable: dict[str, Any],
    where: Sequence[ColumnElement[bool]] = (),
) -> tuple[list[Any], str | None]:
    """Return a page of platform-wide rows. What makes pages only asks a session for `scalars()`, which this one has."""
    return await list_page(cast(Any, session), model, query, sortable=sortable, where=where)


async def _get(session: PlatformSession, portal_id: UUID, *, is_locked: bool = False) -> Portal:
    portal = await session.get(Portal, portal_id, with_for_update=is_locked or None)
    if portal is None:
        raise UnknownPortal
    return portal


async def _flush_or(session: PlatformSession, taken: Exception) -> None:
    try:
        await session.flush()
    except IntegrityError as error:
        raise taken from error


def _audit(acting: Acting, action: str, portal: Portal, **details: Any) -> OperatorAudit:
    return OperatorAudit(
        actor=acting.operator.email,
        action=action,
        reason=acting.reason or _REASON,
        details={"portal": portal.name, **details},
    )
