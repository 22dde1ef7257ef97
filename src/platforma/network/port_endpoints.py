"""`/api/v1/ports`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.api.routes import TenantRoute
from platforma.network import ports as service
from platforma.network.endpoints import Reads, Writes
from platforma.network.ports import PortDetails
from platforma.network.schemas import PortChange, PortCreate, PortOut, PortQuery
from platforma.operations.models import Operation
from platforma.operations.schemas import Accepted, OperationOut, ResourceOut

ports = APIRouter(prefix="/ports", tags=["Ports"], route_class=TenantRoute)


@ports.get("")
async def list_ports(query: Annotated[PortQuery, Query()], reading: Reads) -> Page[PortOut]:
    """Ports: where servers are on networks, or may be."""
    rows, cursor = await service.list_ports(reading.session, query)
    return Page(items=[port_out(row) for row in rows], next=cursor)


@ports.post("", status_code=202)
async def create_port(body: PortCreate, writing: Writes) -> Accepted[PortOut]:
    """Make a port that is free for a server."""
    return accepted_port(*await service.create_port(writing.session, writing.principal, body))


@ports.get("/{port_id}")
async def get_port(port_id: UUID, reading: Reads) -> PortOut:
    """One port."""
    return port_out(await service.get_port(reading.session, port_id))


@ports.patch("/{port_id}", status_code=202)
async def change_port(port_id: UUID, body: PortChange, writing: Writes) -> Accepted[PortOut]:
    """Rename a port, give it security groups of its own, or say what may be sent from besides its own addresses."""
    return accepted_port(*await service.change_port(writing.session, writing.principal, port_id, body))


@ports.delete("/{port_id}", status_code=202)
async def delete_port(port_id: UUID, writing: Writes) -> Accepted[PortOut]:
    """Delete a port. Refused while a server has it or a floating IP leads to it."""
    return accepted_port(*await service.delete_port(writing.session, writing.principal, port_id))


def port_out(details: PortDetails) -> PortOut:
    """Describe a port."""
    port = details.port
    names = (*ResourceOut.model_fields, "server_id", "network_id", "goes_with_server", "addresses")
    names += ("fixed_addresses", "allowed_addresses")
    return PortOut(
        **{name: getattr(port, name) for name in names},
        server_name=details.server.name if details.server else None,
        network_name=details.network.name,
        security_group_ids=[group.id for group in details.groups],
        floating_ip_id=details.floating_ip.id if details.floating_ip else None,
    )


def accepted_port(details: PortDetails, operation: Operation) -> Accepted[PortOut]:
    """Answer a change of a port."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=port_out(details))
