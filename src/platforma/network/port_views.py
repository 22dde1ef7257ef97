"""What reconcilers need to know of ports, without any row."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select

from platforma.clouds.openstack.resources import CloudId
from platforma.compute.models import Server
from platforma.database.tenant_session import TenantSession
from platforma.network.models import Network, Port, Subnet
from platforma.network.ports import groups_of_ports
from platforma.operations.models import Resource, ResourceStatus
from platforma.operations.reconciling import RowKey


@dataclass(frozen=True)
class NeededView:
    """Something that has to be in the cloud first."""

    what: str
    cloud_id: CloudId | None
    is_ready: bool
    failure: str | None
    """Why it will not become ready by waiting."""


@dataclass(frozen=True)
class PortView:
    """A port: what is desired, and what was last seen."""

    id: UUID
    name: str
    network: NeededView
    groups: tuple[NeededView, ...]
    server: NeededView | None
    """The server that it shall be at."""
    goes_with_server: bool
    cloud_id: CloudId | None
    fixed_addresses: tuple[str, ...]
    allowed_addresses: tuple[str, ...]
    failure: str | None
    is_deleting: bool

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (Port, self.id)

    @property
    def group_cloud_ids(self) -> list[CloudId]:
        """The security groups that are in the cloud."""
        return [group.cloud_id for group in self.groups if group.cloud_id is not None]

    @property
    def as_needed(self) -> NeededView:
        """The port as something that has to be there first."""
        return NeededView(f"port {self.name}", self.cloud_id, self.cloud_id is not None, self.failure)


async def load_ports(session: TenantSession, which: ColumnElement[bool]) -> tuple[PortView, ...]:
    """Return ports in the order of their making, which is that of a new server's interfaces."""
    ports: Sequence[Port] = (await session.scalars(select(Port).where(which).order_by(Port.id))).all()
    network_ids = {port.network_id for port in ports}
    networks = {row.id: row for row in await session.scalars(select(Network).where(Network.id.in_(network_ids)))}
    unmade = await session.scalars(
        select(Subnet.network_id).where(
            Subnet.network_id.in_(network_ids), Subnet.cloud_id.is_(None), Subnet.deletion_requested_at.is_(None)
        )
    )
    without_subnets = set(unmade)
    server_ids = {port.server_id for port in ports} - {None}
    servers = {row.id: row for row in await session.scalars(select(Server).where(Server.id.in_(server_ids)))}
    groups = await groups_of_ports(session, ports)
    return tuple(
        PortView(
            port.id,
            port.name,
            needed("network", networks[port.network_id], is_whole=port.network_id not in without_subnets),
            tuple(needed("security group", group) for group in groups[port.id]),
            needed("server", servers[port.server_id]) if port.server_id else None,
            port.goes_with_server,
            port.cloud_id,
            tuple(port.fixed_addresses),
            tuple(port.allowed_addresses),
            _failure(port) if port.cloud_id is None else None,
            port.deletion_requested_at is not None,
        )
        for port in ports
    )


def needed(kind: str, row: Resource, *, is_whole: bool = True) -> NeededView:
    """Return what somebody else's reconciler needs to know of a resource. A network is whole with its subnets."""
    is_ready = row.cloud_id is not None and is_whole
    return NeededView(f"{kind} {row.name}", row.cloud_id, is_ready, None if is_ready else _failure(row))


def _failure(row: Resource) -> str | None:
    return (row.status_reason or "It could not be made.") if row.status == ResourceStatus.ERROR else None
