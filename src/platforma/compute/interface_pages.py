"""Pages of servers' interfaces."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import Field
from sqlalchemy import select

from platforma.compute import interfaces
from platforma.compute.endpoints import Writes
from platforma.compute.models import Server
from platforma.compute.pages import Plans
from platforma.kit.problems import NotFound
from platforma.network.models import Network, Port, Subnet
from platforma.network.port_pages import in_words
from platforma.network.ports import get_port
from platforma.network.schemas import InterfaceCreate, PortAttach
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute, shown_on

ports = APIRouter(prefix="/ports", tags=["Ports"], route_class=PageRoute)
servers = APIRouter(prefix="/servers", tags=["Servers"], route_class=PageRoute)


class InterfaceForm(FormInput):
    """A network, with addresses if they shall be certain ones."""

    network_id: UUID
    fixed_addresses: str = Field(default="", max_length=400)
    """One on each line."""

    def wanted(self) -> InterfaceCreate:
        """Return the interface that is asked for; raises Invalid."""
        return in_words(InterfaceCreate, network_id=self.network_id, fixed_addresses=self.fixed_addresses.split())


class AttachForm(FormInput):
    """The server that a port shall be at."""

    server_id: UUID


@servers.get("/{server_id}/interfaces/attach")
async def show_attach_interface(server_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a network that the server is not on."""
    session = reading.session
    server = await get_resource(session, Server, server_id)
    present = select(Port.network_id).where(Port.server_id == server_id)
    free = (
        select(Network)
        .where(
            Network.id.in_(select(Subnet.network_id).where(Subnet.deletion_requested_at.is_(None))),
            Network.deletion_requested_at.is_(None),
            Network.id.not_in(present),
        )
        .order_by(Network.name)
    )
    return render(
        request,
        "compute/attach_interface.html",
        reading,
        server=server,
        networks=[(str(row.id), row.name) for row in await session.scalars(free)],
    )


@servers.post("/{server_id}/interfaces/attach")
@shown_on("/servers/{server_id}/interfaces/attach")
async def attach_chosen_interface(server_id: UUID, form: Annotated[InterfaceForm, Form()], writing: Writes) -> Response:
    """Put a server on a network."""
    await interfaces.attach_interface(writing.session, writing.principal, server_id, form.wanted())
    return see_other(f"/servers/{server_id}")


@ports.get("/{port_id}/attach")
async def show_attach_port(port_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for the server that a port shall be at."""
    details = await get_port(reading.session, port_id)
    there = select(Port.server_id).where(Port.network_id == details.network.id, Port.server_id.is_not(None))
    free = select(Server).where(Server.deletion_requested_at.is_(None), Server.id.not_in(there)).order_by(Server.name)
    found = [(str(row.id), row.name) for row in await reading.session.scalars(free)]
    return render(request, "compute/attach_port.html", reading, details=details, servers=found)


@ports.post("/{port_id}/attach")
@shown_on("/ports/{port_id}/attach")
async def attach_chosen_port(port_id: UUID, form: Annotated[AttachForm, Form()], writing: Writes) -> Response:
    """Put a port at a server."""
    wanted = PortAttach(server_id=form.server_id)
    await interfaces.attach_port(writing.session, writing.principal, port_id, wanted)
    return see_other(f"/ports/{port_id}")


@servers.get("/{server_id}/interfaces/{port_id}/detach")
async def show_detach_interface(server_id: UUID, port_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a server shall leave a network."""
    server = await get_resource(reading.session, Server, server_id)
    details = await get_port(reading.session, port_id)
    if details.port.server_id != server.id:
        raise NotFound
    return render(request, "compute/detach_interface.html", reading, server=server, details=details)


@servers.post("/{server_id}/interfaces/{port_id}/detach")
@shown_on("/servers/{server_id}/interfaces/{port_id}/detach")
async def detach_chosen_interface(server_id: UUID, port_id: UUID, writing: Writes) -> Response:
    """Take a port from a server."""
    await interfaces.detach_interface(writing.session, writing.principal, server_id, port_id)
    return see_other(f"/servers/{server_id}")
