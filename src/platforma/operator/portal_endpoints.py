"""`/api/v1/portals` and their domains."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.operator import portals as service
from platforma.operator.routes import OperatorRoute, Signed
from platforma.operator.schemas import (
    DomainChange,
    DomainCreate,
    DomainOut,
    PortalChange,
    PortalCreate,
    PortalOut,
    PortalQuery,
)

portals = APIRouter(prefix="/portals", tags=["Portals"], route_class=OperatorRoute)


@portals.get("")
async def list_portals(query: Annotated[PortalQuery, Query()], acting: Signed) -> Page[PortalOut]:
    """All portals."""
    rows, cursor = await service.list_portals(acting, query)
    return Page(items=[PortalOut.model_validate(row) for row in rows], next=cursor)


@portals.post("", status_code=201)
async def create_portal(body: PortalCreate, acting: Signed) -> PortalOut:
    """Make a portal at its first host."""
    return PortalOut.model_validate(await service.create_portal(acting, body))


@portals.get("/{portal_id}")
async def get_portal(portal_id: UUID, acting: Signed) -> PortalOut:
    """One portal."""
    return PortalOut.model_validate(await service.get_portal(acting, portal_id))


@portals.patch("/{portal_id}")
async def change_portal(portal_id: UUID, body: PortalChange, acting: Signed) -> PortalOut:
    """Change a portal's title or status. A suspended portal is shut on the next request, for all its tenants."""
    return PortalOut.model_validate(await service.change_portal(acting, portal_id, body))


@portals.get("/{portal_id}/domains")
async def list_domains(portal_id: UUID, acting: Signed) -> Page[DomainOut]:
    """The hosts that lead to a portal, the canonical one first."""
    rows = await service.list_domains(acting, portal_id)
    return Page(items=[DomainOut.model_validate(row) for row in rows])


@portals.post("/{portal_id}/domains", status_code=201)
async def add_domain(portal_id: UUID, body: DomainCreate, acting: Signed) -> DomainOut:
    """Let one more host lead to a portal, once its TXT record has been seen."""
    return DomainOut.model_validate(await service.add_domain(acting, portal_id, body))


@portals.patch("/{portal_id}/domains/{host}")
async def change_domain(portal_id: UUID, host: str, body: DomainChange, acting: Signed) -> DomainOut:
    """Make links to the portal with this host from now on."""
    return DomainOut.model_validate(await service.change_domain(acting, portal_id, host, body))


@portals.post("/{portal_id}/domains/{host}/check", status_code=202)
async def check_domain(portal_id: UUID, host: str, acting: Signed) -> DomainOut:
    """Have a worker look for the domain's TXT record now."""
    return DomainOut.model_validate(await service.check_domain(acting, portal_id, host))


@portals.delete("/{portal_id}/domains/{host}", status_code=204)
async def remove_domain(portal_id: UUID, host: str, acting: Signed) -> None:
    """Let a host lead nowhere. The canonical one stays until another is; what was proven is held for a while."""
    await service.remove_domain(acting, portal_id, host)
