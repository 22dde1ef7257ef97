"""Ports: places on networks, with or without a server. For attaching them to servers see `compute.interfaces`."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, func, select

from platforma.api.lists import list_page
from platforma.authentication.principals import Principal
from platforma.compute.models import Server, ServerSecurityGroup
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.problems import Invalid
from platforma.network.errors import AddressTaken, InUse, NoAddresses, OutsideSubnets
from platforma.network.models import FloatingIp, Network, Port, PortSecurityGroup, SecurityGroup, Subnet
from platforma.network.schemas import PortChange, PortCreate, PortQuery, ends_of
from platforma.network.security_groups import choose_groups
from platforma.network.service import apply_changes
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.tenants.quotas import check_quota

_SORTABLE = {"created_at": Port.created_at, "name": Port.name, "status": Port.status}
_ROUTED = ("slaac", "dhcpv6-stateless")
"""Modes of subnets in which servers make their addresses themselves."""


@dataclass(frozen=True)
class PortDetails:
    """A port with its server, its network, its security groups, and the floating IP that leads to it."""

    port: Port
    server: Server | None
    network: Network
    groups: Sequence[SecurityGroup]
    floating_ip: FloatingIp | None

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.port.name} on {self.network.name}"


async def list_ports(session: ReadSession, query: PortQuery) -> tuple[list[PortDetails], str | None]:
    """Return a page of ports."""
    where = []
    if query.server_id is not None:
        where.append(Port.server_id == query.server_id)
    if query.network_id is not None:
        where.append(Port.network_id == query.network_id)
    rows, cursor = await list_page(session, Port, query, sortable=_SORTABLE, where=where)
    return await describe_ports(session, rows), cursor


async def get_port(session: TenantSession, port_id: UUID) -> PortDetails:
    """Return a port; raises NotFound."""
    return (await describe_ports(session, [await get_resource(session, Port, port_id)]))[0]


async def describe_ports(session: TenantSession, ports: Sequence[Port]) -> list[PortDetails]:
    """Return the details of ports, in their order, with a fixed number of queries."""
    if not ports:
        return []
    ids, server_ids = [port.id for port in ports], {port.server_id for port in ports} - {None}
    servers = {row.id: row for row in await session.scalars(select(Server).where(Server.id.in_(server_ids)))}
    networks = await session.scalars(select(Network).where(Network.id.in_({port.network_id for port in ports})))
    network_by_id = {network.id: network for network in networks}
    floating = await session.scalars(select(FloatingIp).where(FloatingIp.port_id.in_(ids)))
    floating_by_port = {row.port_id: row for row in floating}
    groups = await groups_of_ports(session, ports)
    return [
        PortDetails(
            port,
            servers[port.server_id] if port.server_id else None,
            network_by_id[port.network_id],
            groups[port.id],
            floating_by_port.get(port.id),
        )
        for port in ports
    ]


async def groups_of_ports(session: TenantSession, ports: Sequence[Port]) -> dict[UUID, list[SecurityGroup]]:
    """Return the security groups of each port: its own, or if it has none its server's."""
    own: dict[UUID, list[SecurityGroup]] = {}
    statement = (
        select(PortSecurityGroup.port_id, SecurityGroup)
        .join(SecurityGroup, SecurityGroup.id == PortSecurityGroup.security_group_id)
        .where(PortSecurityGroup.port_id.in_([port.id for port in ports]))
        .order_by(SecurityGroup.name, SecurityGroup.id)
    )
    for port_id, group in await session.execute(statement):
        own.setdefault(port_id, []).append(group)
    of_server: dict[UUID, list[SecurityGroup]] = {}
    statement = (
        select(ServerSecurityGroup.server_id, SecurityGroup)
        .join(SecurityGroup, SecurityGroup.id == ServerSecurityGroup.security_group_id)
        .where(ServerSecurityGroup.server_id.in_({port.server_id for port in ports} - {None}))
        .order_by(SecurityGroup.name, SecurityGroup.id)
    )
    for server_id, group in await session.execute(statement):
        of_server.setdefault(server_id, []).append(group)
    return {
        port.id: own.get(port.id) or (of_server.get(port.server_id, []) if port.server_id else []) for port in ports
    }


async def create_port(session: WriteSession, principal: Principal, body: PortCreate) -> tuple[PortDetails, Operation]:
    """Wish for a port that is free for a server.

    Raises NotFound for a network or a group that is not there, NoAddresses, what `check_addresses` raises, and
    QuotaExceeded.
    """
    network = await get_resource(session, Network, body.network_id, for_change=True)
    await check_addresses(session, network, body.fixed_addresses)
    _refuse_outside(body.allowed_addresses, network, await _subnets_on(session, network.id))
    group_ids = await choose_groups(session, body.security_group_ids)
    await check_quota(session, "ports", func.count(), Port, 1)
    port = Port(**body.model_dump(exclude={"security_group_ids"}))
    session.add(port)
    await session.flush()
    session.add_all(PortSecurityGroup(port_id=port.id, security_group_id=group_id) for group_id in group_ids)
    return await request_port_operation(session, principal, port, "port.create")


async def change_port(
    session: WriteSession, principal: Principal, port_id: UUID, body: PortChange
) -> tuple[PortDetails, Operation]:
    """Change a port's name, its security groups, or what may be sent from besides its own addresses.

    Raises OutsideSubnets for an allowed address that is in none of the network's subnets, NotFound for a group.
    """
    found = await get_resource(session, Port, port_id)
    network = await get_resource(session, Network, found.network_id, for_change=True)
    changes = body.model_dump(exclude_unset=True)
    group_ids = await choose_groups(session, body.security_group_ids) if "security_group_ids" in changes else None
    port = await get_resource(session, Port, port_id, for_change=True)
    _refuse_outside(changes.get("allowed_addresses", []), network, await _subnets_on(session, network.id))
    fields = {name: value for name, value in changes.items() if name != "security_group_ids"}
    if fields or group_ids is None:
        apply_changes(port, fields)
    if group_ids is not None:
        await session.execute(delete(PortSecurityGroup).where(PortSecurityGroup.port_id == port.id))
        session.add_all(PortSecurityGroup(port_id=port.id, security_group_id=group_id) for group_id in group_ids)
    return await request_port_operation(session, principal, port, "port.change")


async def delete_port(session: WriteSession, principal: Principal, port_id: UUID) -> tuple[PortDetails, Operation]:
    """Wish a port away. Raises InUse while a server has it or a floating IP leads to it."""
    port = await get_resource(session, Port, port_id, for_change=True)
    (details,) = await describe_ports(session, [port])
    if details.server is not None:
        raise InUse(f"Port {port.name} is at the server {details.server.name}. Detach it there first.")
    refuse_while_led_to(details)
    return details, await delete_resource(session, port, "port.delete", principal.email)


def refuse_while_led_to(details: PortDetails) -> None:
    """Raise InUse while a floating IP leads to a port."""
    if details.floating_ip is not None:
        raise InUse(f"The floating IP {details.floating_ip.name} leads to {details.title}. Detach it first.")


async def request_port_operation(
    session: WriteSession, principal: Principal, port: Port, action: str
) -> tuple[PortDetails, Operation]:
    """Ask for a port to be reconciled."""
    operation = await request_operation(session, action=action, resource=port, requested_by=principal.email)
    return (await describe_ports(session, [port]))[0], operation


async def check_addresses(session: TenantSession, network: Network, addresses: Sequence[str]) -> None:
    """Raise unless a new port of a locked network can have these addresses.

    NoAddresses for a network without a subnet, OutsideSubnets for an address in none of its subnets, AddressTaken for
    one that something else has, Invalid for one that no server can have.
    """
    subnets = await _subnets_on(session, network.id)
    if not subnets:
        raise NoAddresses(f"Network {network.name} has no subnet. Add one first.")
    _refuse_outside(addresses, network, subnets)
    chosen = [(address, next(each for each in subnets if _lies_in(address, each))) for address in addresses]
    if len({subnet.id for _, subnet in chosen}) != len(chosen):
        raise Invalid("Choose at most one address of each subnet.")
    for address, subnet in chosen:
        _refuse_useless(address, subnet)
    if not chosen:
        return
    ports = await session.scalars(select(Port).where(Port.network_id == network.id).order_by(Port.name))
    for port in ports.all():
        for taken in {*port.addresses, *port.fixed_addresses}.intersection(addresses):
            raise AddressTaken(f"Port {port.name} has {taken} already. Choose another address.")


def lies_within(address: str, range_: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    """Say whether an address or range is part of a range."""
    wanted = ipaddress.ip_network(address)
    return wanted.version == range_.version and wanted.subnet_of(range_)  # type: ignore[arg-type]


def _lies_in(address: str, subnet: Subnet) -> bool:
    return lies_within(address, ipaddress.ip_network(subnet.cidr))


def _refuse_outside(addresses: Sequence[str], network: Network, subnets: Sequence[Subnet]) -> None:
    for address in addresses:
        if not any(_lies_in(address, subnet) for subnet in subnets):
            raise OutsideSubnets(f"{address} is in none of the subnets of network {network.name}.")


def _refuse_useless(address: str, subnet: Subnet) -> None:
    """Raise Invalid or AddressTaken for an address of a subnet that no server can have."""
    range_ = ipaddress.ip_network(subnet.cidr)
    if subnet.ipv6_mode in _ROUTED:
        raise Invalid(f"Servers in subnet {subnet.name} make their addresses themselves: none can be chosen.")
    ends = ends_of(range_)
    if ipaddress.ip_address(address) in ends:
        raise Invalid(f"{address} is an end of {range_}, which no server can have.")
    if address == (subnet.gateway_ip or str(range_.network_address + 1)):
        raise AddressTaken(f"{address} is the gateway of subnet {subnet.name}.")


async def _subnets_on(session: TenantSession, network_id: UUID) -> list[Subnet]:
    statement = select(Subnet).where(Subnet.network_id == network_id, Subnet.deletion_requested_at.is_(None))
    return list(await session.scalars(statement.order_by(Subnet.created_at, Subnet.id)))
