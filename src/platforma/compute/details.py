"""Servers with all that a person wants to see beside them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from platforma.compute.models import Flavor, Image, KeyPair, Server, ServerNetwork, ServerSecurityGroup
from platforma.database.tenant_session import TenantSession
from platforma.network.models import Network, SecurityGroup
from platforma.storage.models import Volume, VolumeAttachment


@dataclass(frozen=True)
class AttachedVolume:
    """A volume, and how it is attached."""

    volume: Volume
    attachment: VolumeAttachment


@dataclass(frozen=True)
class ServerDetails:
    """A server, what it is made of, and what it is connected to."""

    server: Server
    flavor: Flavor
    image: Image
    key_pair: KeyPair | None
    networks: list[Network] = field(default_factory=list)
    security_groups: list[SecurityGroup] = field(default_factory=list)
    volumes: list[AttachedVolume] = field(default_factory=list)

    def addresses_on(self, network_id: UUID) -> list[str]:
        """Return the server's addresses on a network, as last seen."""
        return [item["address"] for item in self.server.addresses if item["network_id"] == str(network_id)]


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
    networks = await session.execute(
        select(ServerNetwork.server_id, Network)
        .join(Network, Network.id == ServerNetwork.network_id)
        .where(ServerNetwork.server_id.in_(ids))
        .order_by(ServerNetwork.id)
    )
    for server_id, network in networks:
        details[server_id].networks.append(network)
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
