"""What a tenant's project should look like, by the tenant's rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.openstack.resources import CloudId, CloudKind, RuleSpec, cloud_name
from platforma.clouds.openstack.rules import Traffic, wanted_traffic
from platforma.compute.models import Server
from platforma.database.tables import tenant_tables
from platforma.database.tenant_session import TenantSession
from platforma.network.models import FloatingIp, Port, Router, SecurityGroup, SecurityGroupRule, Subnet
from platforma.network.ports import groups_of_ports
from platforma.operations.models import Operation, OperationStatus, Plane, Resource, ResourceStatus
from platforma.operations.service import resource_kind
from platforma.storage.models import Snapshot, Volume, VolumeAttachment
from platforma.sweep.metering import Metered, load_metered

_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)


@dataclass(frozen=True)
class Wanted:
    """A resource that should be in the cloud. `is_settled`: it is well, and nothing is being done to it."""

    model: type[Resource]
    id: UUID
    name: str
    cloud_id: CloudId | None
    is_settled: bool
    is_busy: bool = False
    """Whether an operation is under way on it."""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{resource_kind(self.model).replace('_', ' ')} {self.name}"


@dataclass(frozen=True)
class WantedPort:
    """A port."""

    port: Wanted
    group_cloud_ids: frozenset[CloudId]
    allowed_addresses: frozenset[str]


@dataclass
class Expected:
    """The project as it should be."""

    names: set[str] = field(default_factory=set)
    """The names in the cloud of everything that we have made, make or will make."""
    cloud_ids: set[CloudId] = field(default_factory=set)
    resources: list[tuple[CloudKind, Wanted]] = field(default_factory=list)
    rules: dict[CloudId, frozenset[Traffic]] = field(default_factory=dict)
    ports: dict[CloudId, WantedPort] = field(default_factory=dict)
    gateways: dict[CloudId, bool] = field(default_factory=dict)
    targets: dict[CloudId, CloudId | None] = field(default_factory=dict)
    networks: dict[UUID, UUID] = field(default_factory=dict)
    """The network of each subnet."""
    attached: dict[CloudId, CloudId] = field(default_factory=dict)
    """The server that has each volume."""
    metered: Metered = field(default_factory=Metered)

    def find(self, kind: CloudKind, cloud_id: CloudId) -> Wanted | None:
        """Return what an object in the cloud is to us."""
        for each, wanted in self.resources:
            if each is kind and wanted.cloud_id == cloud_id:
                return wanted
        return None


async def load_expected(session: TenantSession) -> Expected:
    """Return what the bound tenant's project should look like."""
    busy = set(
        await session.scalars(
            select(Operation.resource_id).where(Operation.plane == Plane.TENANT, Operation.status.in_(_UNFINISHED))
        )
    )
    expected = Expected()
    models = [model for model in tenant_tables().values() if issubclass(model, Resource)]
    for model in models:
        await _add_resources(session, expected, model, busy)
    expected.metered = await load_metered(session, models)
    by_id = {wanted.id: wanted for _, wanted in expected.resources}
    await _add_rules(session, expected, by_id)
    await _add_ports(session, expected, by_id)
    for router in await session.scalars(select(Router).where(Router.cloud_id.is_not(None))):
        expected.gateways[router.cloud_id or ""] = router.has_external_gateway
    rows = await session.execute(
        select(FloatingIp.cloud_id, Port.cloud_id)
        .join(Port, Port.id == FloatingIp.port_id, isouter=True)
        .where(FloatingIp.cloud_id.is_not(None))
    )
    expected.targets = {cloud_id: port for cloud_id, port in rows.all() if cloud_id is not None}
    at = await session.execute(
        select(Volume.cloud_id, Server.cloud_id)
        .join(VolumeAttachment, VolumeAttachment.volume_id == Volume.id)
        .join(Server, Server.id == VolumeAttachment.server_id)
        .where(Volume.cloud_id.is_not(None), Server.cloud_id.is_not(None))
    )
    expected.attached = {volume: server for volume, server in at.all() if volume is not None and server is not None}
    return expected


async def _add_resources(session: TenantSession, expected: Expected, model: type[Resource], busy: set[UUID]) -> None:
    kinds = {kind.value: kind for kind in CloudKind}
    kind = CloudKind.VOLUME if model is Snapshot else kinds.get(resource_kind(model))
    if kind is None:
        return
    for row in await session.scalars(select(model)):
        expected.names.add(cloud_name(row.id))
        expected.cloud_ids |= {id_ for id_ in (row.cloud_id, getattr(row, "failed_cloud_id", None)) if id_ is not None}
        owner = row.id
        if isinstance(row, Subnet):
            owner = expected.networks[row.id] = row.network_id
        if isinstance(row, Port):
            owner = row.server_id or row.id
        is_busy = bool({row.id, owner} & busy)
        is_settled = row.status == ResourceStatus.ACTIVE and row.deletion_requested_at is None and not is_busy
        expected.resources.append((kind, Wanted(model, row.id, row.name, row.cloud_id, is_settled, is_busy)))


async def _add_rules(session: TenantSession, expected: Expected, by_id: Mapping[UUID, Wanted]) -> None:
    rules: dict[UUID, set[Traffic]] = {}
    for row in await session.scalars(select(SecurityGroupRule)):
        remote = by_id.get(row.remote_group_id) if row.remote_group_id else None
        spec = RuleSpec(
            id=row.id,
            direction=row.direction,  # type: ignore[arg-type]
            ethertype=row.ethertype,  # type: ignore[arg-type]
            protocol=row.protocol,
            port_range_min=row.port_range_min,
            port_range_max=row.port_range_max,
            remote_ip_prefix=row.remote_ip_prefix,
            remote_group_cloud_id=remote.cloud_id if remote else None,
        )
        rules.setdefault(row.security_group_id, set()).add(wanted_traffic(spec))
    for _, wanted in expected.resources:
        if wanted.model is SecurityGroup and wanted.cloud_id is not None:
            expected.rules[wanted.cloud_id] = frozenset(rules.get(wanted.id, ()))


async def _add_ports(session: TenantSession, expected: Expected, by_id: Mapping[UUID, Wanted]) -> None:
    ports = list(await session.scalars(select(Port).where(Port.cloud_id.is_not(None))))
    groups = await groups_of_ports(session, ports)
    for port in ports:
        expected.ports[port.cloud_id or ""] = WantedPort(
            by_id[port.id],
            frozenset(group.cloud_id or "" for group in groups[port.id]),
            frozenset(port.allowed_addresses),
        )
