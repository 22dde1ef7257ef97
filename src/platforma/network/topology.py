"""The tenant's topology: routers, networks, servers and volumes, and what of it is open to the internet."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from platforma.compute.models import Server
from platforma.database.tenant_session import ReadSession
from platforma.network.models import FloatingIp, Network, Port, Router, SecurityGroupRule, Subnet
from platforma.network.ports import groups_of_ports
from platforma.portal.wording import service_words
from platforma.storage.models import Volume, VolumeAttachment

MOST_SERVERS = 300
"""More are only counted: a picture of them would not be read."""


@dataclass
class ServerNode:
    """A server as it is on one network."""

    server: Server
    addresses: list[str]
    floating_ip: FloatingIp | None = None
    volumes: list[Volume] = field(default_factory=list)
    openings: list[str] = field(default_factory=list)
    """What the internet reaches: services, each with where from unless it is from anywhere."""
    other_networks: list[str] = field(default_factory=list)


@dataclass
class NetworkNode:
    """A network with its subnets and servers."""

    network: Network
    subnets: list[Subnet] = field(default_factory=list)
    servers: list[ServerNode] = field(default_factory=list)

    @property
    def router_ids(self) -> list[UUID]:
        """The routers that its subnets are attached to."""
        return list(dict.fromkeys(subnet.router_id for subnet in self.subnets if subnet.router_id))


@dataclass
class Topology:
    """Everything that there is to see."""

    routers: list[Router]
    networks: list[NetworkNode]
    loose_volumes: list[Volume]
    loose_floating_ips: list[FloatingIp]
    servers: int
    hidden_servers: int

    @property
    def open_servers(self) -> list[ServerNode]:
        """The servers that the internet reaches."""
        return [node for network in self.networks for node in network.servers if node.openings]

    def router_names(self, node: NetworkNode) -> list[str]:
        """The names of a network's routers."""
        return [router.name for router in self.routers if router.id in node.router_ids]


async def survey_topology(session: ReadSession) -> Topology:
    """Return the tenant's topology, with a fixed number of queries."""
    routers = list(await session.scalars(select(Router).order_by(Router.name, Router.id)))
    networks = list(await session.scalars(select(Network).order_by(Network.name, Network.id)))
    nodes = {network.id: NetworkNode(network) for network in networks}
    for subnet in await session.scalars(select(Subnet).order_by(Subnet.created_at, Subnet.id)):
        nodes[subnet.network_id].subnets.append(subnet)
    servers = list(await session.scalars(select(Server).order_by(Server.name, Server.id)))
    shown = {server.id: server for server in servers[:MOST_SERVERS]}
    floating = list(await session.scalars(select(FloatingIp).order_by(FloatingIp.name, FloatingIp.id)))
    volumes = await _volumes(session)
    at_server = {volume.id for attached in volumes.values() for volume in attached}
    outside = {router.id for router in routers if router.has_external_gateway}
    names: dict[UUID, list[tuple[UUID, str]]] = {}
    ports = list(await session.scalars(select(Port).order_by(Port.id)))
    for port in ports:
        if port.server_id is not None:
            names.setdefault(port.server_id, []).append((port.network_id, nodes[port.network_id].network.name))
    rules = await _admitting_rules(session, ports)
    by_port = {row.port_id: row for row in floating if row.port_id is not None}
    for port in ports:
        server = shown.get(port.server_id) if port.server_id else None
        if server is None:
            continue
        network = nodes[port.network_id]
        floating_ip = by_port.get(port.id)
        has_way_outside = bool(outside.intersection(network.router_ids))
        network.servers.append(
            ServerNode(
                server,
                port.addresses,
                floating_ip,
                volumes.get(server.id, []),
                _openings(rules.get(port.id, ()), port.addresses, floating_ip, has_way_outside=has_way_outside),
                [name for id_, name in names[server.id] if id_ != port.network_id],
            )
        )
    for node in nodes.values():
        node.servers.sort(key=lambda each: (each.server.name, each.server.id))
    every_volume = await session.scalars(select(Volume).order_by(Volume.name, Volume.id))
    return Topology(
        routers,
        list(nodes.values()),
        [volume for volume in every_volume if volume.id not in at_server],
        [row for row in floating if row.port_id is None],
        len(servers),
        len(servers) - len(shown),
    )


async def _admitting_rules(session: ReadSession, ports: Sequence[Port]) -> dict[UUID, list[SecurityGroupRule]]:
    """Return, by port, the rules that admit traffic from addresses, not from groups."""
    statement = (
        select(SecurityGroupRule)
        .where(SecurityGroupRule.direction == "ingress", SecurityGroupRule.remote_group_id.is_(None))
        .order_by(SecurityGroupRule.protocol, SecurityGroupRule.port_range_min, SecurityGroupRule.id)
    )
    rules = list(await session.scalars(statement))
    groups = await groups_of_ports(session, ports)
    return {
        port_id: [rule for rule in rules if rule.security_group_id in {group.id for group in found}]
        for port_id, found in groups.items()
    }


async def _volumes(session: ReadSession) -> dict[UUID, list[Volume]]:
    statement = (
        select(VolumeAttachment.server_id, Volume)
        .join(Volume, Volume.id == VolumeAttachment.volume_id)
        .order_by(Volume.name, Volume.id)
    )
    found: dict[UUID, list[Volume]] = {}
    for server_id, volume in await session.execute(statement):
        found.setdefault(server_id, []).append(volume)
    return found


def _openings(
    rules: Iterable[SecurityGroupRule],
    addresses: list[str],
    floating_ip: FloatingIp | None,
    *,
    has_way_outside: bool,
) -> list[str]:
    """Say what the internet reaches: IPv4 by a floating IP, IPv6 by an address of its own that is global."""
    six = has_way_outside and any(":" in each and ipaddress.ip_address(each).is_global for each in addresses)
    versions = {"IPv4": floating_ip is not None, "IPv6": six}
    words = []
    for rule in rules:
        prefix = ipaddress.ip_network(rule.remote_ip_prefix) if rule.remote_ip_prefix else None
        if not versions[rule.ethertype] or (prefix is not None and prefix.prefixlen and prefix.is_private):
            continue
        source = f" from {prefix}" if prefix is not None and prefix.prefixlen else ""
        words.append(f"{service_words(rule)}{source}")
    return list(dict.fromkeys(words))
