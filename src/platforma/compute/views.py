"""What the server's reconciler needs to know of the rows, without any row."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.openstack.resources import CloudId
from platforma.compute.models import Flavor, Image, KeyPair, Server
from platforma.database.tenant_session import TenantSession
from platforma.network.models import Port
from platforma.network.port_views import NeededView, PortView, load_ports, needed
from platforma.operations.reconciling import RowKey
from platforma.storage.models import Volume, VolumeAttachment


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
        places = (port.network if port.goes_with_server else port.as_needed for port in self.lasting_ports)
        groups = (group for port in self.lasting_ports for group in port.groups)
        return (*key_pair, *groups, *places)

    @property
    def lasting_ports(self) -> tuple[PortView, ...]:
        """The ports that it shall have."""
        return tuple(port for port in self.ports if not port.is_deleting)

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
        key_pair=None if key_pair is None else needed("key pair", key_pair),
        ports=await load_ports(session, Port.server_id == server_id),
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
