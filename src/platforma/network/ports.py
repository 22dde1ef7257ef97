"""Ports of servers: where they are on networks, and what they may send from besides their own addresses."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from platforma.api.lists import list_page
from platforma.authentication.principals import Principal
from platforma.compute.models import Server, ServerNetwork
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.problems import NotFound
from platforma.network.errors import OutsideSubnets
from platforma.network.models import FloatingIp, Network, Subnet
from platforma.network.schemas import PortChange, PortQuery
from platforma.operations.models import Operation
from platforma.operations.resources import get_resource
from platforma.operations.service import request_operation

_SORTABLE = {"created_at": ServerNetwork.created_at}


@dataclass(frozen=True)
class PortDetails:
    """A port with the server and the network that it joins, and the floating IP that leads to it."""

    port: ServerNetwork
    server: Server
    network: Network
    floating_ip: FloatingIp | None

    @property
    def addresses(self) -> list[str]:
        """The server's addresses on the network, as last seen."""
        return [item["address"] for item in self.server.addresses if item["network_id"] == str(self.network.id)]

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.server.name} on {self.network.name}"


async def list_ports(session: ReadSession, query: PortQuery) -> tuple[list[PortDetails], str | None]:
    """Return a page of ports."""
    where = []
    if query.server_id is not None:
        where.append(ServerNetwork.server_id == query.server_id)
    if query.network_id is not None:
        where.append(ServerNetwork.network_id == query.network_id)
    rows, cursor = await list_page(session, ServerNetwork, query, sortable=_SORTABLE, where=where)
    return await describe_ports(session, rows), cursor


async def get_port(session: TenantSession, port_id: UUID) -> PortDetails:
    """Return a port; raises NotFound."""
    port = await session.get(ServerNetwork, port_id)
    if port is None:
        raise NotFound
    return (await describe_ports(session, [port]))[0]


async def describe_ports(session: TenantSession, ports: Sequence[ServerNetwork]) -> list[PortDetails]:
    """Return the details of ports, in their order."""
    if not ports:
        return []
    servers = await session.scalars(select(Server).where(Server.id.in_({port.server_id for port in ports})))
    server_by_id = {server.id: server for server in servers}
    networks = await session.scalars(select(Network).where(Network.id.in_({port.network_id for port in ports})))
    network_by_id = {network.id: network for network in networks}
    floating = await session.scalars(select(FloatingIp).where(FloatingIp.port_id.in_([port.id for port in ports])))
    floating_by_port = {row.port_id: row for row in floating}
    return [
        PortDetails(port, server_by_id[port.server_id], network_by_id[port.network_id], floating_by_port.get(port.id))
        for port in ports
    ]


async def change_port(
    session: WriteSession, principal: Principal, port_id: UUID, body: PortChange
) -> tuple[PortDetails, Operation]:
    """Let a server send from these addresses besides its own, and from no other.

    Raises OutsideSubnets for an address that is in none of the network's subnets.
    """
    details = await get_port(session, port_id)
    network = await get_resource(session, Network, details.network.id, for_change=True)
    server = await get_resource(session, Server, details.server.id, for_change=True)
    statement = select(Subnet).where(Subnet.network_id == network.id, Subnet.deletion_requested_at.is_(None))
    ranges = [ipaddress.ip_network(subnet.cidr) for subnet in await session.scalars(statement)]
    for address in body.allowed_addresses:
        if not any(lies_within(address, range_) for range_ in ranges):
            raise OutsideSubnets(f"{address} is in none of the subnets of network {network.name}.")
    details.port.allowed_addresses = body.allowed_addresses
    operation = await request_operation(session, action="server.change", resource=server, requested_by=principal.email)
    return details, operation


def lies_within(address: str, range_: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Say whether an address or range is part of a range."""
    wanted = ipaddress.ip_network(address)
    return wanted.version == range_.version and wanted.subnet_of(range_)  # type: ignore[arg-type]
