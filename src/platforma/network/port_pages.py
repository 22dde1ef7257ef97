"""Pages of ports."""

from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError

from platforma.api.fields import Description, Name
from platforma.api.lists import ResourceQuery
from platforma.database.tenant_session import ReadSession
from platforma.kit.problems import Invalid
from platforma.network import ports as service
from platforma.network.endpoints import Reads, Writes
from platforma.network.models import Port, SecurityGroup
from platforma.network.pages import Plans
from platforma.network.schemas import PortChange, PortCreate, PortQuery
from platforma.network.security_groups import list_security_groups
from platforma.network.service import list_networks
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import show_deletion
from platforma.portal.routes import PageRoute, shown_on

ports = APIRouter(prefix="/ports", tags=["Ports"], route_class=PageRoute)

Wanted = TypeVar("Wanted", bound=BaseModel)

_EVERYTHING = ResourceQuery(limit=200, sort="name")


class PortsQuery(PageListQuery, PortQuery):
    """The address of a list of ports."""


class _Addresses(FormInput):
    name: Annotated[Name, Field(examples=["virtual-ip"])]
    description: Description = ""
    allowed_addresses: str = Field(default="", max_length=2000)
    """One on each line."""
    security_group_ids: list[UUID] = Field(default_factory=list, max_length=10)


class PortForm(_Addresses):
    """A port."""

    network_id: UUID
    fixed_addresses: str = Field(default="", max_length=400)

    def wanted(self) -> PortCreate:
        """Return the port that is asked for; raises Invalid."""
        groups = list(dict.fromkeys(self.security_group_ids)) or None
        return in_words(
            PortCreate,
            **self.model_dump(include={"name", "description", "network_id"}),
            fixed_addresses=self.fixed_addresses.split(),
            allowed_addresses=self.allowed_addresses.split(),
            security_group_ids=groups,
        )


class PortChangeForm(_Addresses):
    """What can be changed of a port. Without a security group it keeps those that it has."""

    def wanted(self) -> PortChange:
        """Return the change that is asked for; raises Invalid."""
        groups = list(dict.fromkeys(self.security_group_ids))
        return in_words(
            PortChange,
            **self.model_dump(include={"name", "description"}),
            allowed_addresses=self.allowed_addresses.split(),
            **({"security_group_ids": groups} if groups else {}),
        )


def in_words(schema: type[Wanted], **fields: object) -> Wanted:
    """Return what is asked for; raises Invalid, which names the field that is wrong."""
    try:
        return schema(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        words = first["msg"].removeprefix("Value error, ")
        raise Invalid(errors=[{"where": f"body.{first['loc'][0] if first['loc'] else ''}", "detail": words}]) from None


@ports.get("")
async def show_ports(request: Request, query: Annotated[PortsQuery, Query()], reading: Reads) -> Response:
    """The list of ports."""
    rows, cursor = await service.list_ports(reading.session, query)
    running = await find_running_operations(reading.session, [row.port.id for row in rows])
    listing = Listing(request, query, cursor)
    return render(request, "network/ports.html", reading, rows=rows, running=running, listing=listing)


@ports.get("/new")
async def show_new_port(request: Request, reading: Plans) -> Response:
    """The form for a port."""
    found, _cursor = await list_networks(reading.session, _EVERYTHING)
    networks = [row for row, subnets in found if subnets and row.deletion_requested_at is None]
    groups = await _groups(reading.session)
    return render(request, "network/new_port.html", reading, networks=networks, groups=groups)


@ports.post("")
@shown_on("/ports/new")
async def create_port(form: Annotated[PortForm, Form()], writing: Writes) -> Response:
    """Make a port."""
    details, _operation = await service.create_port(writing.session, writing.principal, form.wanted())
    return see_other(f"/ports/{details.port.id}")


@ports.get("/{port_id}")
async def show_port(port_id: UUID, request: Request, reading: Reads) -> Response:
    """A port, its addresses and its security groups."""
    details = await service.get_port(reading.session, port_id)
    operation = await find_latest_operation(reading.session, port_id)
    groups = await _groups(reading.session)
    return render(
        request, "network/port.html", reading, details=details, port=details.port, operation=operation, groups=groups
    )


@ports.post("/{port_id}")
@shown_on("/ports/{port_id}")
async def change_port(port_id: UUID, form: Annotated[PortChangeForm, Form()], writing: Writes) -> Response:
    """Change a port's name, its security groups, or what may be sent from."""
    await service.change_port(writing.session, writing.principal, port_id, form.wanted())
    return see_other(f"/ports/{port_id}")


@ports.get("/{port_id}/delete")
async def show_delete_port(port_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a port shall go."""
    port = await get_resource(reading.session, Port, port_id)
    lost = (f"Its addresses {', '.join(port.addresses)} become free.",) if port.addresses else ()
    return show_deletion(request, reading, port, kind="port", at=f"/ports/{port_id}", consequences=lost)


@ports.post("/{port_id}/delete")
@shown_on("/ports/{port_id}/delete")
async def delete_port(port_id: UUID, writing: Writes) -> Response:
    """Delete a port."""
    await service.delete_port(writing.session, writing.principal, port_id)
    return see_other("/ports", notice="deletion-requested")


async def _groups(session: ReadSession) -> list[SecurityGroup]:
    found, _cursor = await list_security_groups(session, _EVERYTHING)
    return [group for group, _rules in found if group.deletion_requested_at is None]
