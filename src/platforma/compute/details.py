"""Servers with all that a person wants to see beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import select

from platforma.compute.models import Flavor, Image, KeyPair, Server, ServerSecurityGroup
from platforma.database.tenant_session import TenantSession
from platforma.network.models import Network, Port, SecurityGroup
from platforma.storage.models import Volume, VolumeAttachment


@dataclass(frozen=True)
class AttachedVolume:
    """A volume, and how it is attached."""

    volume: Volume
    attachment: VolumeAttachment


@dataclass(frozen=True)
class Interface:
    """A port of a server, and the network that it is on."""

    port: Port
    network: Network


@dataclass(frozen=True)
class ServerDetails:
    """A server, what it is made of, and what it is connected to."""

    server: Server
    flavor: Flavor
    image: Image
    key_pair: KeyPair | None
    interfaces: list[Interface] = field(default_factory=list)
    security_groups: list[SecurityGroup] = field(default_factory=list)
    volumes: list[AttachedVolume] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        """All addresses of the server, as last seen."""
        return [address for interface in self.interfaces for address in interface.port.addresses]


async def describe_servers(session: TenantSession, servers: Sequence[Server]) -> list[ServerDetails]:
    """Return the details of servers, in their order, with a fixed number of queries."""
    ids = [server.id for server in servers]
    if not ids:
        return []
    flavors = await session.scalars(select(Flavor).where(Flavor.id.in_({server.flavor_id for server in servers})))
    flavor_by_id = {flavor.id: flavor for flavor in flavors}
    images = await session.scalars(select(Image).where(Image.id.in_({server.image_id for server in servers})))
    image_by_id = {image.id: image for image in images}
    key_pairs = await session.scalars(
        select(KeyPair).where(KeyPair.id.in_({server.key_pair_id for server in servers if server.key_pair_id}))
    )
    key_pair_by_id = {key_pair.id: key_pair for key_pair in key_pairs}
    details = {
        server.id: ServerDetails(
            server,
            flavor_by_id[server.flavor_id],
            image_by_id[server.image_id],
            key_pair_by_id[server.key_pair_id] if server.key_pair_id else None,
        )
        for server in servers
    }
    await _add_connections(session, ids, details)
    return list(details.values())


async def _add_connections(session: TenantSession, ids: list[UUID], details: dict[UUID, ServerDetails]) -> None:
    ports: Any = await session.execute(
        select(Port.server_id, Port, Network)
        .join(Network, Network.id == Port.network_id)
        .where(Port.server_id.in_(ids))
        .order_by(Port.id)
    )
    for server_id, port, network in ports:
        details[server_id].interfaces.append(Interface(port, network))
    groups = await session.execute(
        select(ServerSecurityGroup.server_id, SecurityGroup)
        .join(SecurityGroup, SecurityGroup.id == ServerSecurityGroup.security_group_id)
        .where(ServerSecurityGroup.server_id.in_(ids))
        .order_by(SecurityGroup.name, SecurityGroup.id)
    )
    for server_id, group in groups:
        details[server_id].security_groups.append(group)
    attachments = await session.execute(
        select(VolumeAttachment, Volume)
        .join(Volume, Volume.id == VolumeAttachment.volume_id)
        .where(VolumeAttachment.server_id.in_(ids))
        .order_by(VolumeAttachment.id)
    )
    for attachment, volume in attachments:
        details[attachment.server_id].volumes.append(AttachedVolume(volume, attachment))
