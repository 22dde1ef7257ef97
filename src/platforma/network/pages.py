"""Pages of networks and their subnets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ConfigDict, Field, model_validator
from sqlalchemy import select

from platforma.api.fields import Description, Name
from platforma.api.lists import ResourceQuery
from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.database.tenant_session import ReadSession
from platforma.kit.problems import NotFound
from platforma.network import service
from platforma.network.endpoints import Reads, Writes
from platforma.network.models import Network, Router, Subnet
from platforma.network.schemas import Ipv6Mode, NameChange, NetworkCreate, SubnetChange, SubnetCidr, SubnetCreate
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput, Ticked
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, EditForm, show_deletion, show_edit
from platforma.portal.routes import PageRoute, shown_on

networks = APIRouter(prefix="/networks", tags=["Networks"], route_class=PageRoute)

Plans = Annotated[Reading, may_read(Permission.NETWORKS_WRITE)]

_EVERYTHING = ResourceQuery(limit=200, sort="name")


class NetworksQuery(PageListQuery, ResourceQuery):
    """The address of a list of networks, routers or security groups."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class SubnetForm(FormInput):
    """An address range."""

    name: Name | None = None
    cidr: SubnetCidr = Field(examples=["10.20.0.0/24"])
    has_dhcp: Ticked = False
    ipv6_mode: Ipv6Mode | None = None
    router_id: UUID | None = None


class NetworkForm(FormInput):
    """A network, with its first subnet if it shall have one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend", "cidr": "10.20.0.0/24"}]})

    name: Annotated[Name, Field(examples=["backend"])]
    description: Description = ""
    cidr: SubnetCidr | None = Field(default=None, examples=["10.20.0.0/24"])
    has_dhcp: Ticked = False
    router_id: UUID | None = None

    @model_validator(mode="after")
    def _check_range(self) -> "NetworkForm":
        if self.router_id is not None and self.cidr is None:
            raise ValueError("A router connects address ranges: enter one, or choose no router.")
        return self

    def wanted(self) -> NetworkCreate:
        """Return the network that is asked for."""
        subnets = []
        if self.cidr is not None:
            subnets = [SubnetCreate(cidr=self.cidr, has_dhcp=self.has_dhcp, router_id=self.router_id)]
        return NetworkCreate(name=self.name, description=self.description, subnets=subnets)


class SubnetRouterForm(FormInput):
    """The router of a subnet, or none."""

    router_id: UUID | None = None


@networks.get("")
async def show_networks(request: Request, query: Annotated[NetworksQuery, Query()], reading: Reads) -> Response:
    """The list of networks."""
    rows, cursor = await service.list_networks(reading.session, query)
    listing = Listing(request, query, cursor)
    running = await find_running_operations(reading.session, [network.id for network, _subnets in rows])
    return render(
        request, "network/networks.html", reading, rows=rows, running=running, listing=listing, statuses=STATUSES
    )


@networks.get("/new")
async def show_new_network(request: Request, reading: Plans) -> Response:
    """The form for a network."""
    available = await _routers(reading.session)
    suggestion = await _free_range(reading.session)
    return render(request, "network/new_network.html", reading, routers=available, suggestion=suggestion)


@networks.post("")
@shown_on("/networks/new")
async def create_network(form: Annotated[NetworkForm, Form()], writing: Writes) -> Response:
    """Make a network."""
    network, _subnets, _operation = await service.create_network(writing.session, writing.principal, form.wanted())
    return see_other(f"/networks/{network.id}")


@networks.get("/{network_id}")
async def show_network(network_id: UUID, request: Request, reading: Reads) -> Response:
    """A network with its subnets."""
    network, subnets = await service.get_network(reading.session, network_id)
    return render(
        request,
        "network/network.html",
        reading,
        network=network,
        subnets=subnets,
        routers=await _routers(reading.session),
        operation=await find_latest_operation(reading.session, network_id),
    )


@networks.get("/{network_id}/edit")
async def show_edit_network(network_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a network's name."""
    network = await get_resource(reading.session, Network, network_id)
    return show_edit(request, reading, network, kind="network", at=f"/networks/{network_id}")


@networks.post("/{network_id}/edit")
@shown_on("/networks/{network_id}/edit")
async def edit_network(network_id: UUID, form: Annotated[EditForm, Form()], writing: Writes) -> Response:
    """Rename a network."""
    change = NameChange(name=form.name, description=form.description)
    await service.change_network(writing.session, writing.principal, network_id, change)
    return see_other(f"/networks/{network_id}")


@networks.get("/{network_id}/delete")
async def show_delete_network(network_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a network shall go."""
    network, subnets = await service.get_network(reading.session, network_id)
    lost = tuple(f"Its subnet {subnet.name} ({subnet.cidr}) goes with it." for subnet in subnets)
    return show_deletion(request, reading, network, kind="network", at=f"/networks/{network_id}", consequences=lost)


@networks.post("/{network_id}/delete")
@shown_on("/networks/{network_id}/delete")
async def delete_network(network_id: UUID, writing: Writes) -> Response:
    """Delete a network."""
    await service.delete_network(writing.session, writing.principal, network_id)
    return see_other("/networks", notice="deletion-requested")


@networks.post("/{network_id}/subnets")
@shown_on("/networks/{network_id}")
async def add_subnet(network_id: UUID, form: Annotated[SubnetForm, Form()], writing: Writes) -> Response:
    """Add a subnet to a network."""
    wanted = SubnetCreate(name=form.name, cidr=form.cidr, has_dhcp=form.has_dhcp, router_id=form.router_id)
    await service.add_subnet(writing.session, writing.principal, network_id, wanted)
    return see_other(f"/networks/{network_id}")


@networks.post("/{network_id}/subnets/{subnet_id}/router")
@shown_on("/networks/{network_id}")
async def set_subnet_router(
    network_id: UUID, subnet_id: UUID, form: Annotated[SubnetRouterForm, Form()], writing: Writes
) -> Response:
    """Attach a subnet to a router, or detach it."""
    change = SubnetChange(router_id=form.router_id)
    await service.change_subnet(writing.session, writing.principal, network_id, subnet_id, change)
    return see_other(f"/networks/{network_id}")


@networks.get("/{network_id}/subnets/{subnet_id}/delete")
async def show_delete_subnet(network_id: UUID, subnet_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a subnet shall go."""
    subnet = await _subnet(reading.session, network_id, subnet_id)
    lost = (f"Servers get no more addresses from {subnet.cidr}.",)
    at = f"/networks/{network_id}/subnets/{subnet_id}"
    return show_deletion(request, reading, subnet, kind="subnet", at=at, consequences=lost)


@networks.get("/{network_id}/subnets/{subnet_id}")
async def show_subnet(network_id: UUID, subnet_id: UUID, reading: Reads) -> Response:
    """A subnet is shown with its network."""
    await _subnet(reading.session, network_id, subnet_id)
    return see_other(f"/networks/{network_id}")


@networks.post("/{network_id}/subnets/{subnet_id}/delete")
@shown_on("/networks/{network_id}/subnets/{subnet_id}/delete")
async def delete_subnet(network_id: UUID, subnet_id: UUID, writing: Writes) -> Response:
    """Delete a subnet."""
    await service.delete_subnet(writing.session, writing.principal, network_id, subnet_id)
    return see_other(f"/networks/{network_id}")


async def _routers(session: ReadSession) -> list[Router]:
    rows, _cursor = await service.list_routers(session, _EVERYTHING)
    return [row for row in rows if row.deletion_requested_at is None]


async def _free_range(session: ReadSession) -> str:
    """Return a private range that none of the tenant's subnets begins with."""
    taken = {cidr.split("/")[0] for cidr in await session.scalars(select(Subnet.cidr))}
    free = (f"10.{number}.0.0" for number in (*range(10, 250, 10), *range(1, 250)))
    return f"{next((first for first in free if first not in taken), '10.0.0.0')}/24"


async def _subnet(session: ReadSession, network_id: UUID, subnet_id: UUID) -> Subnet:
    """Return a subnet of a network; raises NotFound, also for a subnet of another network."""
    subnet = await get_resource(session, Subnet, subnet_id)
    if subnet.network_id != network_id:
        raise NotFound
    return subnet
