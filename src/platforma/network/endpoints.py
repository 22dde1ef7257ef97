"""`/api/v1/networks` and `/routers`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page, ResourceQuery
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.network import service
from platforma.network.models import Network, Router, Subnet
from platforma.network.schemas import (
    NameChange,
    NetworkCreate,
    NetworkOut,
    RouterChange,
    RouterCreate,
    RouterOut,
    SubnetChange,
    SubnetCreate,
    SubnetOut,
)
from platforma.operations.models import Operation
from platforma.operations.resources import get_resource
from platforma.operations.schemas import Accepted, OperationOut

networks = APIRouter(prefix="/networks", tags=["Networks"], route_class=TenantRoute)
routers = APIRouter(prefix="/routers", tags=["Routers"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.NETWORKS_READ)]
Writes = Annotated[Writing, may_write(Permission.NETWORKS_WRITE)]


@networks.get("")
async def list_networks(query: Annotated[ResourceQuery, Query()], reading: Reads) -> Page[NetworkOut]:
    """Networks with their subnets."""
    return await service.list_network_outputs(reading.session, query)


@networks.post("", status_code=202)
async def create_network(body: NetworkCreate, writing: Writes) -> Accepted[NetworkOut]:
    """Make a network, with subnets if you like."""
    network, subnets, operation = await service.create_network(writing.session, writing.principal, body)
    return accepted_network(network, subnets, operation)


@networks.get("/{network_id}")
async def get_network(network_id: UUID, reading: Reads) -> NetworkOut:
    """One network with its subnets."""
    return network_out(*await service.get_network(reading.session, network_id))


@networks.patch("/{network_id}", status_code=202)
async def change_network(network_id: UUID, body: NameChange, writing: Writes) -> Accepted[NetworkOut]:
    """Rename a network or describe it anew."""
    changed = await service.change_network(writing.session, writing.principal, network_id, body)
    return accepted_network(*changed)


@networks.delete("/{network_id}", status_code=202)
async def delete_network(network_id: UUID, writing: Writes) -> Accepted[NetworkOut]:
    """Delete a network with its subnets. Refused while servers are on it."""
    network, operation = await service.delete_network(writing.session, writing.principal, network_id)
    return accepted_network(network, [], operation)


@networks.post("/{network_id}/subnets", status_code=202)
async def add_subnet(network_id: UUID, body: SubnetCreate, writing: Writes) -> Accepted[SubnetOut]:
    """Add a subnet to a network."""
    return accepted_subnet(*await service.add_subnet(writing.session, writing.principal, network_id, body))


@networks.patch("/{network_id}/subnets/{subnet_id}", status_code=202)
async def change_subnet(network_id: UUID, subnet_id: UUID, body: SubnetChange, writing: Writes) -> Accepted[SubnetOut]:
    """Rename a subnet, give it other name servers, attach it to a router or detach it."""
    changed = await service.change_subnet(writing.session, writing.principal, network_id, subnet_id, body)
    return accepted_subnet(*changed)


@networks.delete("/{network_id}/subnets/{subnet_id}", status_code=202)
async def delete_subnet(network_id: UUID, subnet_id: UUID, writing: Writes) -> Accepted[SubnetOut]:
    """Delete a subnet. Refused while servers have addresses in it, or may send from some."""
    return accepted_subnet(*await service.delete_subnet(writing.session, writing.principal, network_id, subnet_id))


@routers.get("")
async def list_routers(query: Annotated[ResourceQuery, Query()], reading: Reads) -> Page[RouterOut]:
    """Routers."""
    return await service.list_router_outputs(reading.session, query)


@routers.post("", status_code=202)
async def create_router(body: RouterCreate, writing: Writes) -> Accepted[RouterOut]:
    """Make a router."""
    return accepted_router(*await service.create_router(writing.session, writing.principal, body))


@routers.get("/{router_id}")
async def get_router(router_id: UUID, reading: Reads) -> RouterOut:
    """One router."""
    return RouterOut.model_validate(await get_resource(reading.session, Router, router_id))


@routers.patch("/{router_id}", status_code=202)
async def change_router(router_id: UUID, body: RouterChange, writing: Writes) -> Accepted[RouterOut]:
    """Rename a router, or open or close its way to the outside."""
    return accepted_router(*await service.change_router(writing.session, writing.principal, router_id, body))


@routers.delete("/{router_id}", status_code=202)
async def delete_router(router_id: UUID, writing: Writes) -> Accepted[RouterOut]:
    """Delete a router. Refused while subnets are attached to it."""
    return accepted_router(*await service.delete_router(writing.session, writing.principal, router_id))


def network_out(network: Network, subnets: list[Subnet]) -> NetworkOut:
    """Describe a network."""
    described = [SubnetOut.model_validate(subnet) for subnet in subnets]
    fields = {name: getattr(network, name) for name in NetworkOut.model_fields if name != "subnets"}
    return NetworkOut(**fields, subnets=described)


def accepted_network(network: Network, subnets: list[Subnet], operation: Operation) -> Accepted[NetworkOut]:
    """Answer a change of a network."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=network_out(network, subnets))


def accepted_subnet(subnet: Subnet, operation: Operation) -> Accepted[SubnetOut]:
    """Answer a change of a subnet."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=SubnetOut.model_validate(subnet))


def accepted_router(router: Router, operation: Operation) -> Accepted[RouterOut]:
    """Answer a change of a router."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=RouterOut.model_validate(router))
