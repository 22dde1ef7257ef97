"""A server's interfaces: the ports at which it is on networks, attached and detached."""

import ipaddress
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from platforma.authentication.principals import Principal
from platforma.compute.models import Server
from platforma.compute.schemas import MOST_INTERFACES
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.problems import Conflict, Invalid, NotFound
from platforma.network.errors import InUse, IsThere, OutsideSubnets
from platforma.network.models import Network, Port, Subnet
from platforma.network.ports import (
    PortDetails,
    check_addresses,
    get_port,
    lies_within,
    refuse_while_led_to,
    request_port_operation,
)
from platforma.network.schemas import InterfaceCreate, PortAttach
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.tenants.quotas import check_quota


async def attach_interface(
    session: WriteSession, principal: Principal, server_id: UUID, body: InterfaceCreate
) -> tuple[PortDetails, Operation]:
    """Wish for a server to be on a network, by a port that goes with it.

    Raises NotFound, IsThere if the server is on that network already, what `check_addresses` raises, QuotaExceeded.
    """
    await get_resource(session, Server, server_id)
    network = await get_resource(session, Network, body.network_id, for_change=True)
    server = await _lock_server(session, server_id, network)
    (port,) = await add_interfaces(session, server, [body])
    return await request_port_operation(session, principal, port, "port.attach")


async def attach_port(
    session: WriteSession, principal: Principal, port_id: UUID, body: PortAttach
) -> tuple[PortDetails, Operation]:
    """Wish for a port that is free to be at a server.

    Raises NotFound, IsThere if the server is on that network already, InUse for a port of another server.
    """
    port = await get_resource(session, Port, port_id)
    await get_resource(session, Server, body.server_id)
    network = await get_resource(session, Network, port.network_id, for_change=True)
    if port.server_id is None:
        await _lock_server(session, body.server_id, network)
    port = await get_resource(session, Port, port_id, for_change=True)
    if port.server_id not in (None, body.server_id):  # also if somebody was faster
        at = await get_resource(session, Server, port.server_id)
        raise InUse(f"Port {port.name} is at the server {at.name}. Detach it there first.")
    port.server_id = body.server_id
    return await request_port_operation(session, principal, port, "port.attach")


async def detach_interface(
    session: WriteSession, principal: Principal, server_id: UUID, port_id: UUID
) -> tuple[PortDetails, Operation]:
    """Wish a port away from a server: one that was made for it goes, any other stays.

    Raises NotFound, also for a port that is not at this server; InUse while a floating IP leads to a port that goes.
    """
    await get_resource(session, Server, server_id, for_change=True)
    port = await get_resource(session, Port, port_id, for_change=True)
    if port.server_id != server_id:
        raise NotFound
    if not port.goes_with_server:
        port.server_id = None
        return await request_port_operation(session, principal, port, "port.detach")
    details = await get_port(session, port_id)
    refuse_while_led_to(details)
    return details, await delete_resource(session, port, "port.delete", principal.email)


async def lock_networks(session: WriteSession, network_ids: Sequence[UUID]) -> None:
    """Lock the networks that a new server shall be on, in one order for all; raises NotFound."""
    for network_id in sorted(network_ids):
        await get_resource(session, Network, network_id, for_change=True)


async def add_interfaces(session: WriteSession, server: Server, wanted: Sequence[InterfaceCreate]) -> list[Port]:
    """Give a server ports on networks that are locked, in the given order; asks for nothing to be done yet."""
    await check_quota(session, "ports", func.count(), Port, len(wanted))
    ports = []
    for each in wanted:
        network = await get_resource(session, Network, each.network_id)
        await check_addresses(session, network, each.fixed_addresses)
        port = Port(
            name=server.name,
            network_id=network.id,
            server_id=server.id,
            goes_with_server=True,
            fixed_addresses=each.fixed_addresses,
        )
        session.add(port)
        await session.flush()  # one at a time: the ids keep the order of the interfaces
        ports.append(port)
    return ports


async def place_addresses(
    session: TenantSession, network_ids: Sequence[UUID], addresses: Sequence[str]
) -> list[InterfaceCreate]:
    """Return interfaces on the networks, each with those of the addresses that lie in its subnets.

    Raises OutsideSubnets for an address that lies in subnets of none of the networks, Invalid for one of several.
    """
    subnets = list(await session.scalars(select(Subnet).where(Subnet.network_id.in_(network_ids))))
    placed: dict[UUID, list[str]] = {id_: [] for id_ in network_ids}
    for address in addresses:
        found = {each.network_id for each in subnets if lies_within(address, ipaddress.ip_network(each.cidr))}
        if not found:
            raise OutsideSubnets(f"{address} is in none of the subnets of the chosen networks.")
        if len(found) > 1:
            raise Invalid(f"{address} is in the subnets of several of the chosen networks. Attach them one by one.")
        placed[found.pop()].append(address)
    return [InterfaceCreate(network_id=id_, fixed_addresses=chosen) for id_, chosen in placed.items()]


async def _lock_server(session: WriteSession, server_id: UUID, network: Network) -> Server:
    """Lock a server and return it; raises IsThere if it is on the network already, Conflict if it has no room."""
    server = await get_resource(session, Server, server_id, for_change=True)
    present = list(await session.scalars(select(Port.network_id).where(Port.server_id == server_id)))
    if network.id in present:
        raise IsThere(f"Server {server.name} is on network {network.name} already.")
    if len(present) >= MOST_INTERFACES:
        raise Conflict(f"A server has at most {MOST_INTERFACES} interfaces.")
    return server


async def release_ports(session: WriteSession, principal: Principal, server_id: UUID) -> None:
    """Take the ports that stay from a server that is given up."""
    statement = select(Port).where(Port.server_id == server_id, Port.goes_with_server.is_(False)).order_by(Port.id)
    for port in (await session.scalars(statement.with_for_update())).all():
        port.server_id = None
        await request_port_operation(session, principal, port, "port.detach")
