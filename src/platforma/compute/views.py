"""What the server's reconciler needs to know of the rows, without any row."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.openstack.resources import CloudId
from platforma.compute.models import Flavor, Image, KeyPair, Server, ServerNetwork, ServerSecurityGroup
from platforma.database.tenant_session import TenantSession
from platforma.network.models import Network, SecurityGroup, Subnet
from platforma.operations.models import Resource, ResourceStatus
from platforma.operations.reconciling import RowKey
from platforma.storage.models import Volume, VolumeAttachment


@dataclass(frozen=True)
class NeededView:
    """Something that has to be in the cloud before the server can be made."""

    what: str
    cloud_id: CloudId | None
    is_ready: bool
    failure: str | None
    """Why it will not become ready by waiting."""


@dataclass(frozen=True)
class PortView:
    """The server's port on a network."""

    id: UUID
    network_id: UUID
    network: NeededView
    cloud_id: CloudId | None
    allowed_addresses: tuple[str, ...]

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (ServerNetwork, self.id)


@dataclass(frozen=True)
class AttachedView:
    """A volume that is, was or will be at the server."""

    id: UUID
    volume_name: str
    volume_cloud_id: CloudId | None

    @property
    def row(self) -> RowKey:
        """The row to delete when the server has the volume no more."""
        return (VolumeAttachment, self.id)


@dataclass(frozen=True)
class ServerView:
    """A server: what is desired, and what was last seen."""

    id: UUID
    name: str
    cloud_id: CloudId | None
    failed_cloud_id: CloudId | None
    is_deleting: bool
    flavor_cloud_id: CloudId
    image_cloud_id: CloudId
    key_pair: NeededView | None
    ports: tuple[PortView, ...]
    groups: tuple[NeededView, ...]
    attached: tuple[AttachedView, ...]
    desired_power: str
    power_state: str | None
    reboots_requested: int
    reboots_done: int
    reboots_before: int | None
    is_reboot_hard: bool
    console_reads_requested: int
    console_reads_done: int

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (Server, self.id)

    @property
    def needed(self) -> tuple[NeededView, ...]:
        """Everything that has to be there first."""
        key_pair = () if self.key_pair is None else (self.key_pair,)
        return (*key_pair, *self.groups, *(port.network for port in self.ports))

    @property
    def group_cloud_ids(self) -> list[CloudId]:
        """The security groups of each port."""
        return [group.cloud_id for group in self.groups if group.cloud_id is not None]

    @property
    def was_made(self) -> bool:
        """Whether the server has been seen to run: then it holds data, and is never made anew."""
        return self.power_state is not None


async def load_server(session: TenantSession, server_id: UUID) -> ServerView | None:
    """Return the view of a server, or None if it is no more."""
    server = await session.get(Server, server_id)
    if server is None:
        return None
    flavor = await session.get_one(Flavor, server.flavor_id)
    image = await session.get_one(Image, server.image_id)
    key_pair = await session.get(KeyPair, server.key_pair_id) if server.key_pair_id else None
    groups = await session.scalars(
        select(SecurityGroup)
        .join(ServerSecurityGroup, ServerSecurityGroup.security_group_id == SecurityGroup.id)
        .where(ServerSecurityGroup.server_id == server_id)
        .order_by(SecurityGroup.id)
    )
    attached = await session.execute(
        select(VolumeAttachment.id, Volume.name, Volume.cloud_id)
        .join(Volume, Volume.id == VolumeAttachment.volume_id)
        .where(VolumeAttachment.server_id == server_id)
        .order_by(VolumeAttachment.id)
    )
    return ServerView(
        id=server.id,
        name=server.name,
        cloud_id=server.cloud_id,
        failed_cloud_id=server.failed_cloud_id,
        is_deleting=server.deletion_requested_at is not None,
        flavor_cloud_id=flavor.cloud_id,
        image_cloud_id=image.cloud_id,
        key_pair=None if key_pair is None else _needed("key pair", key_pair),
        ports=await _load_ports(session, server_id),
        groups=tuple(_needed("security group", group) for group in groups),
        attached=tuple(AttachedView(*row) for row in attached),
        desired_power=server.desired_power,
        power_state=server.power_state,
        reboots_requested=server.reboots_requested,
        reboots_done=server.reboots_done,
        reboots_before=server.reboots_before,
        is_reboot_hard=server.is_reboot_hard,
        console_reads_requested=server.console_reads_requested,
        console_reads_done=server.console_reads_done,
    )


async def _load_ports(session: TenantSession, server_id: UUID) -> tuple[PortView, ...]:
    """Return the ports in the order of the interfaces. A network is ready when its subnets are in the cloud."""
    rows: Any = await session.execute(
        select(ServerNetwork, Network)
        .join(Network, Network.id == ServerNetwork.network_id)
        .where(ServerNetwork.server_id == server_id)
        .order_by(ServerNetwork.id)
    )
    found = rows.all()
    unmade = await session.scalars(
        select(Subnet.network_id).where(
            Subnet.network_id.in_([network.id for _, network in found]),
            Subnet.cloud_id.is_(None),
            Subnet.deletion_requested_at.is_(None),
        )
    )
    without_subnets = set(unmade)
    return tuple(
        PortView(
            port.id,
            network.id,
            _needed("network", network, is_whole=network.id not in without_subnets),
            port.cloud_port_id,
            tuple(port.allowed_addresses),
        )
        for port, network in found
    )


def _needed(kind: str, row: Resource, *, is_whole: bool = True) -> NeededView:
    is_ready = row.cloud_id is not None and is_whole
    failure = None
    if not is_ready and row.status == ResourceStatus.ERROR:
        failure = row.status_reason or "It could not be made."
    return NeededView(f"{kind} {row.name}", row.cloud_id, is_ready, failure)
