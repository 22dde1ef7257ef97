"""Pages of servers' ports."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field, ValidationError

from platforma.kit.problems import Invalid
from platforma.network import ports as service
from platforma.network.endpoints import Reads, Writes
from platforma.network.schemas import PortChange, PortQuery
from platforma.operations.latest import find_latest_operation
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute, shown_on

ports = APIRouter(prefix="/ports", tags=["Ports"], route_class=PageRoute)


class PortsQuery(PageListQuery, PortQuery):
    """The address of a list of ports."""


class AllowedAddressesForm(FormInput):
    """What a server may send from besides its own addresses: one on each line."""

    allowed_addresses: str = Field(default="", max_length=2000)

    def wanted(self) -> PortChange:
        """Return the change that is asked for; raises Invalid."""
        try:
            return PortChange(allowed_addresses=self.allowed_addresses.split())
        except ValidationError as error:
            words = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise Invalid(errors=[{"where": "body.allowed_addresses", "detail": words}]) from None


@ports.get("")
async def show_ports(request: Request, query: Annotated[PortsQuery, Query()], reading: Reads) -> Response:
    """The list of ports."""
    rows, cursor = await service.list_ports(reading.session, query)
    return render(request, "network/ports.html", reading, rows=rows, listing=Listing(request, query, cursor))


@ports.get("/{port_id}")
async def show_port(port_id: UUID, request: Request, reading: Reads) -> Response:
    """A port, and what its server may send from."""
    details = await service.get_port(reading.session, port_id)
    operation = await find_latest_operation(reading.session, details.server.id)
    return render(request, "network/port.html", reading, details=details, port=details.port, operation=operation)


@ports.post("/{port_id}")
@shown_on("/ports/{port_id}")
async def change_port(port_id: UUID, form: Annotated[AllowedAddressesForm, Form()], writing: Writes) -> Response:
    """Say what a server may send from."""
    await service.change_port(writing.session, writing.principal, port_id, form.wanted())
    return see_other(f"/ports/{port_id}")
