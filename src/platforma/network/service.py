"""Networks with their subnets, and routers: what members may do with them."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from platforma.api.lists import (
    Page,
    Parts,
    ResourceQuery,
    list_outputs,
    list_page,
    list_page_with_parts,
    resource_filters,
)
from platforma.authentication.principals import Principal
from platforma.compute.models import Server
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.problems import Conflict, Invalid, NotFound
from platforma.network.errors import InUse, Overlap
from platforma.network.models import FloatingIp, Network, Port, Router, Subnet
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
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.tenants.quotas import check_quota

_SORTABLE_NETWORK = {"created_at": Network.created_at, "name": Network.name, "status": Network.status}
_SUBNETS = Parts("subnets", Subnet, SubnetOut, of="network_id")
_SORTABLE_ROUTER = {"created_at": Router.created_at, "name": Router.name, "status": Router.status}


async def list_networks(
    session: ReadSession, query: ResourceQuery
) -> tuple[list[tuple[Network, list[Subnet]]], str | None]:
    """Return a page of networks, each with its subnets."""
    return await list_page_with_parts(
        session,
        Network,
        query,
        part=Subnet,
        part_of=Subnet.network_id,
        sortable=_SORTABLE_NETWORK,
        where=resource_filters(query, Network),
    )


async def list_network_outputs(session: ReadSession, query: ResourceQuery) -> Page[NetworkOut]:
    """Return a page of networks, each with its subnets, as the API shows it."""
    return await list_outputs(
        session,
        Network,
        NetworkOut,
        query,
        sortable=_SORTABLE_NETWORK,
        where=resource_filters(query, Network),
        parts=_SUBNETS,
    )


async def get_network(session: TenantSession, network_id: UUID) -> tuple[Network, list[Subnet]]:
    """Return a network with its subnets; raises NotFound."""
    network = await get_resource(session, Network, network_id)
    return network, (await subnets_of(session, [network_id])).get(network_id, [])


async def subnets_of(session: TenantSession, network_ids: Sequence[UUID]) -> dict[UUID, list[Subnet]]:
    """Return the subnets of some networks, by network."""
    found: dict[UUID, list[Subnet]] = {}
    if network_ids:
        statement = select(Subnet).where(Subnet.network_id.in_(network_ids)).order_by(Subnet.created_at, Subnet.id)
        for subnet in (await session.scalars(statement)).all():
            found.setdefault(subnet.network_id, []).append(subnet)
    return found


async def create_network(
    session: WriteSession, principal: Principal, body: NetworkCreate
) -> tuple[Network, list[Subnet], Operation]:
    """Wish for a network with its first subnets."""
    await check_quota(session, "networks", func.count(), Network, 1)
    network = Network(name=body.name, description=body.description)
    session.add(network)
    await session.flush()
    subnets = [await _add_subnet(session, network, wanted) for wanted in body.subnets]
    operation = await request_operation(
        session, action="network.create", resource=network, requested_by=principal.email
    )
    return network, subnets, operation


async def change_network(
    session: WriteSession, principal: Principal, network_id: UUID, body: NameChange
) -> tuple[Network, list[Subnet], Operation]:
    """Rename a network or describe it anew."""
    network = await get_resource(session, Network, network_id, for_change=True)
    apply_changes(network, body.model_dump(exclude_unset=True))
    operation = await request_operation(
        session, action="network.change", resource=network, requested_by=principal.email
    )
    return network, (await subnets_of(session, [network_id])).get(network_id, []), operation


async def delete_network(session: WriteSession, principal: Principal, network_id: UUID) -> tuple[Network, Operation]:
    """Wish a network away, with its subnets. Raises InUse while servers or ports are on it."""
    network = await get_resource(session, Network, network_id, for_change=True)
    refuse_while_on(f"network {network.name}", await _ports_with_servers(session, network_id))
    return network, await delete_resource(session, network, "network.delete", principal.email)


async def add_subnet(
    session: WriteSession, principal: Principal, network_id: UUID, body: SubnetCreate
) -> tuple[Subnet, Operation]:
    """Wish for one more subnet on a network."""
    network = await get_resource(session, Network, network_id, for_change=True)
    subnet = await _add_subnet(session, network, body)
    return subnet, await request_operation(
        session, action="subnet.create", resource=network, requested_by=principal.email
    )


async def change_subnet(
    session: WriteSession, principal: Principal, network_id: UUID, subnet_id: UUID, body: SubnetChange
) -> tuple[Subnet, Operation]:
    """Change a subnet's name, name servers or router."""
    network, subnet = await _get_subnet(session, network_id, subnet_id)
    changes = body.model_dump(exclude_unset=True)
    router_id = changes.get("router_id", subnet.router_id)
    if router_id != subnet.router_id:
        await _refuse_while_led_through(session, f"subnet {subnet.name}", Subnet.id == subnet_id)
    if router_id is not None and router_id != subnet.router_id:
        await _check_router(session, router_id, subnet.cidr, except_subnet=subnet_id)
    apply_changes(subnet, changes)
    return subnet, await request_operation(
        session, action="subnet.change", resource=network, requested_by=principal.email
    )


async def delete_subnet(
    session: WriteSession, principal: Principal, network_id: UUID, subnet_id: UUID
) -> tuple[Subnet, Operation]:
    """Wish a subnet away. Raises InUse while servers or ports have addresses in it, or may send from some."""
    network, subnet = await _get_subnet(session, network_id, subnet_id)
    addresses = ipaddress.ip_network(subnet.cidr)
    users = [
        (port, server)
        for port, server in await _ports_with_servers(session, network_id)
        if any(
            ipaddress.ip_network(each).overlaps(addresses)
            for each in (*port.addresses, *port.fixed_addresses, *port.allowed_addresses)
        )
    ]
    refuse_while_on(f"subnet {subnet.name}", users)
    subnet.deletion_requested_at = func.now()
    subnet.status = "deleting"
    await session.flush()
    await session.refresh(subnet)
    return subnet, await request_operation(
        session, action="subnet.delete", resource=network, requested_by=principal.email
    )


async def list_router_outputs(session: ReadSession, query: ResourceQuery) -> Page[RouterOut]:
    """Return a page of routers, as the API shows it."""
    where = resource_filters(query, Router)
    return await list_outputs(session, Router, RouterOut, query, sortable=_SORTABLE_ROUTER, where=where)


async def list_routers(session: ReadSession, query: ResourceQuery) -> tuple[list[Router], str | None]:
    """Return a page of routers."""
    return await list_page(session, Router, query, sortable=_SORTABLE_ROUTER, where=resource_filters(query, Router))


async def create_router(session: WriteSession, principal: Principal, body: RouterCreate) -> tuple[Router, Operation]:
    """Wish for a router."""
    await check_quota(session, "routers", func.count(), Router, 1)
    router = Router(**body.model_dump())
    session.add(router)
    return router, await request_operation(
        session, action="router.create", resource=router, requested_by=principal.email
    )


async def change_router(
    session: WriteSession, principal: Principal, router_id: UUID, body: RouterChange
) -> tuple[Router, Operation]:
    """Change a router's name or its way to the outside. Raises InUse if floating IPs lead through what is closed."""
    router = await get_resource(session, Router, router_id, for_change=True)
    if body.model_dump(exclude_unset=True).get("has_external_gateway") is False:
        await _refuse_while_led_through(session, f"router {router.name}", Subnet.router_id == router_id)
    apply_changes(router, body.model_dump(exclude_unset=True))
    return router, await request_operation(
        session, action="router.change", resource=router, requested_by=principal.email
    )


async def delete_router(session: WriteSession, principal: Principal, router_id: UUID) -> tuple[Router, Operation]:
    """Wish a router away. Raises InUse while subnets are attached to it."""
    router = await get_resource(session, Router, router_id, for_change=True)
    statement = select(Subnet.name).where(Subnet.router_id == router_id).order_by(Subnet.name).limit(5)
    refuse_while_used(f"router {router.name}", "subnets", (await session.scalars(statement)).all())
    return router, await delete_resource(session, router, "router.delete", principal.email)


def apply_changes(row: Any, changes: dict[str, Any]) -> None:
    """Set the fields that a request named; raises Invalid if it named none."""
    if not changes:
        raise Invalid("Name at least one field to change.")
    for field, value in changes.items():
        setattr(row, field, value)


def refuse_while_used(what: str, kind: str, users: Iterable[str]) -> None:
    """Raise InUse if there are users, naming them."""
    names = list(users)
    if names:
        raise InUse(f"The {what} is used by the {kind} {', '.join(names)}. Delete or detach them first.")


def refuse_while_on(what: str, users: Iterable[tuple[Port, Server | None]]) -> None:
    """Raise InUse if there are ports with or without servers, naming them."""
    found = list(users)
    refuse_while_used(what, "servers", [server.name for _, server in found if server is not None][:5])
    refuse_while_used(what, "ports", [port.name for port, server in found if server is None][:5])


async def _ports_with_servers(session: TenantSession, network_id: UUID) -> list[tuple[Port, Server | None]]:
    statement = (
        select(Port, Server)
        .join(Server, Server.id == Port.server_id, isouter=True)
        .where(Port.network_id == network_id)
        .order_by(Server.name, Port.name, Port.id)
    )
    return [(port, server) for port, server in (await session.execute(statement)).all()]


async def _refuse_while_led_through(session: TenantSession, what: str, which: ColumnElement[bool]) -> None:
    """Raise InUse while floating IPs lead to servers through these subnets' routers."""
    statement = (
        select(FloatingIp.name)
        .join(Port, Port.id == FloatingIp.port_id)
        .join(Subnet, Subnet.network_id == Port.network_id)
        .where(which, Subnet.router_id.is_not(None), Subnet.ip_version == 4)
        .distinct()
        .order_by(FloatingIp.name)
        .limit(5)
    )
    refuse_while_used(what, "floating IPs", (await session.scalars(statement)).all())


async def _get_subnet(session: TenantSession, network_id: UUID, subnet_id: UUID) -> tuple[Network, Subnet]:
    """Return a network and a subnet of it; raises NotFound, also for a subnet of another network."""
    network = await get_resource(session, Network, network_id, for_change=True)
    subnet = await get_resource(session, Subnet, subnet_id, for_change=True)
    if subnet.network_id != network.id:
        raise NotFound
    return network, subnet


async def _add_subnet(session: WriteSession, network: Network, wanted: SubnetCreate) -> Subnet:
    await check_quota(session, "subnets", func.count(), Subnet, 1)
    addresses = ipaddress.ip_network(wanted.cidr)
    for present in (await subnets_of(session, [network.id])).get(network.id, []):
        if addresses.overlaps(ipaddress.ip_network(present.cidr)):
            raise Overlap(f"{wanted.cidr} overlaps {present.cidr} of subnet {present.name} on the same network.")
    if wanted.router_id is not None:
        await _check_router(session, wanted.router_id, wanted.cidr)
    subnet = Subnet(
        name=wanted.name or f"{network.name} {wanted.cidr}",
        network_id=network.id,
        router_id=wanted.router_id,
        ip_version=addresses.version,
        cidr=wanted.cidr,
        gateway_ip=wanted.gateway_ip,
        has_dhcp=wanted.has_dhcp,
        ipv6_mode=(wanted.ipv6_mode or "slaac") if addresses.version == 6 and wanted.has_dhcp else None,
        dns_nameservers=wanted.dns_nameservers,
    )
    session.add(subnet)
    await session.flush()
    return subnet


async def _check_router(
    session: TenantSession, router_id: UUID, cidr: str, *, except_subnet: UUID | None = None
) -> None:
    """Raise NotFound for a router that is not there, Overlap if it leads to these addresses already."""
    router = await get_resource(session, Router, router_id)
    if router.deletion_requested_at is not None:
        raise Conflict(f"Router {router.name} is being deleted.")
    statement = select(Subnet).where(Subnet.router_id == router_id)
    for present in (await session.scalars(statement)).all():
        overlaps = ipaddress.ip_network(cidr).overlaps(ipaddress.ip_network(present.cidr))
        if present.id != except_subnet and overlaps:
            raise Overlap(f"{cidr} overlaps {present.cidr} of subnet {present.name} at router {router.name}.")
