"""`/api/v1/floating-ips` and `/ports`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page, ResourceQuery
from platforma.api.routes import TenantRoute
from platforma.network import floating_ips as service
from platforma.network import ports as port_service
from platforma.network.endpoints import Reads, Writes
from platforma.network.floating_ips import FloatingIpDetails
from platforma.network.ports import PortDetails
from platforma.network.schemas import (
    FloatingIpAttach,
    FloatingIpCreate,
    FloatingIpOut,
    NameChange,
    PortChange,
    PortOut,
    PortQuery,
)
from platforma.operations.models import Operation
from platforma.operations.schemas import Accepted, OperationOut

floating_ips = APIRouter(prefix="/floating-ips", tags=["Floating IPs"], route_class=TenantRoute)
ports = APIRouter(prefix="/ports", tags=["Ports"], route_class=TenantRoute)


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


@ports.get("")
async def list_ports(query: Annotated[PortQuery, Query()], reading: Reads) -> Page[PortOut]:
    """Ports: where servers are on networks."""
    rows, cursor = await port_service.list_ports(reading.session, query)
    return Page(items=[port_out(row) for row in rows], next=cursor)


@ports.get("/{port_id}")
async def get_port(port_id: UUID, reading: Reads) -> PortOut:
    """One port."""
    return port_out(await port_service.get_port(reading.session, port_id))


@ports.patch("/{port_id}", status_code=202)
async def change_port(port_id: UUID, body: PortChange, writing: Writes) -> Accepted[PortOut]:
    """Say what a server may send from besides its own addresses."""
    details, operation = await port_service.change_port(writing.session, writing.principal, port_id, body)
    return Accepted(operation=OperationOut.model_validate(operation), resource=port_out(details))


def port_out(details: PortDetails) -> PortOut:
    """Describe a port."""
    return PortOut(
        id=details.port.id,
        server_id=details.server.id,
        server_name=details.server.name,
        network_id=details.network.id,
        network_name=details.network.name,
        addresses=details.addresses,
        allowed_addresses=details.port.allowed_addresses,
        floating_ip_id=details.floating_ip.id if details.floating_ip else None,
        created_at=details.port.created_at,
    )


def floating_ip_out(details: FloatingIpDetails) -> FloatingIpOut:
    """Describe a floating IP."""
    row = details.floating_ip
    fields = {name: getattr(row, name) for name in FloatingIpOut.model_fields if name != "port"}
    return FloatingIpOut(**fields, port=port_out(details.port) if details.port else None)


def accepted_floating_ip(details: FloatingIpDetails, operation: Operation) -> Accepted[FloatingIpOut]:
    """Answer a change of a floating IP."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=floating_ip_out(details))
