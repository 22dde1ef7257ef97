"""`/api/v1/floating-ips`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page, ResourceQuery
from platforma.api.routes import TenantRoute
from platforma.network import floating_ips as service
from platforma.network.endpoints import Reads, Writes
from platforma.network.floating_ips import FloatingIpDetails
from platforma.network.port_endpoints import port_out
from platforma.network.schemas import (
    FloatingIpAttach,
    FloatingIpCreate,
    FloatingIpOut,
    NameChange,
)
from platforma.operations.models import Operation
from platforma.operations.schemas import Accepted, OperationOut

floating_ips = APIRouter(prefix="/floating-ips", tags=["Floating IPs"], route_class=TenantRoute)


@floating_ips.get("")
async def list_floating_ips(query: Annotated[ResourceQuery, Query()], reading: Reads) -> Page[FloatingIpOut]:
    """Floating IPs, and where they lead."""
    rows, cursor = await service.list_floating_ips(reading.session, query)
    return Page(items=[floating_ip_out(row) for row in rows], next=cursor)


@floating_ips.post("", status_code=202)
async def create_floating_ip(body: FloatingIpCreate, writing: Writes) -> Accepted[FloatingIpOut]:
    """Get an address of the external network, and lead it to a port if you like."""
    return accepted_floating_ip(*await service.create_floating_ip(writing.session, writing.principal, body))


@floating_ips.get("/{floating_ip_id}")
async def get_floating_ip(floating_ip_id: UUID, reading: Reads) -> FloatingIpOut:
    """One floating IP."""
    return floating_ip_out(await service.get_floating_ip(reading.session, floating_ip_id))


@floating_ips.patch("/{floating_ip_id}", status_code=202)
async def change_floating_ip(floating_ip_id: UUID, body: NameChange, writing: Writes) -> Accepted[FloatingIpOut]:
    """Rename a floating IP or describe it anew."""
    changed = await service.change_floating_ip(writing.session, writing.principal, floating_ip_id, body)
    return accepted_floating_ip(*changed)


@floating_ips.delete("/{floating_ip_id}", status_code=202)
async def delete_floating_ip(floating_ip_id: UUID, writing: Writes) -> Accepted[FloatingIpOut]:
    """Give a floating IP back. Refused while it leads to a server."""
    return accepted_floating_ip(*await service.delete_floating_ip(writing.session, writing.principal, floating_ip_id))


@floating_ips.post("/{floating_ip_id}/attach", status_code=202)
async def attach_floating_ip(floating_ip_id: UUID, body: FloatingIpAttach, writing: Writes) -> Accepted[FloatingIpOut]:
    """Lead a floating IP to a server's port, whose network needs a router that leads outside."""
    attached = await service.attach_floating_ip(writing.session, writing.principal, floating_ip_id, body)
    return accepted_floating_ip(*attached)


@floating_ips.post("/{floating_ip_id}/detach", status_code=202)
async def detach_floating_ip(floating_ip_id: UUID, writing: Writes) -> Accepted[FloatingIpOut]:
    """Let a floating IP lead nowhere. The address stays yours."""
    return accepted_floating_ip(*await service.detach_floating_ip(writing.session, writing.principal, floating_ip_id))


def floating_ip_out(details: FloatingIpDetails) -> FloatingIpOut:
    """Describe a floating IP."""
    row = details.floating_ip
    fields = {name: getattr(row, name) for name in FloatingIpOut.model_fields if name != "port"}
    return FloatingIpOut(**fields, port=port_out(details.port) if details.port else None)


def accepted_floating_ip(details: FloatingIpDetails, operation: Operation) -> Accepted[FloatingIpOut]:
    """Answer a change of a floating IP."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=floating_ip_out(details))
