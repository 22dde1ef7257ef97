"""Namespaces, brought to what is desired in their cluster; and looked into, when somebody has asked for that."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.kubernetes import NamespaceQuota, NamespaceSpec, OpeningSpec, TenantCluster
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.clock import Clock, utc_now
from platforma.kubernetes.cluster_keys import find_cluster_key
from platforma.kubernetes.models import Cluster, ClusterStatus, Namespace, NamespaceReading, Opening
from platforma.operations.keys import Key
from platforma.operations.reconciling import Changes, Reconciler, Record, RowKey, Step, again, done, gone

_MOST_EVENTS = 50
_MOST_WORKLOADS = 200


@dataclass(frozen=True)
class NamespaceView:
    """A namespace, what is open to it, and where it is to be."""

    spec: NamespaceSpec
    cluster_id: UUID
    cluster_name: str
    is_cluster_ready: bool
    cloud_id: str | None
    is_deleting: bool
    readings_requested: int
    readings_done: int
    waits_for: str | None
    """The name of a namespace that an opening comes from and that has not been made yet."""

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (Namespace, self.spec.id)


class NamespaceReconciler(Reconciler[NamespaceView, TenantCluster]):
    """A namespace with all that keeps it apart. Whatever differs in the cluster is mended on the way."""

    kind: ClassVar[str] = "namespace"
    model = Namespace

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock

    async def load(self, session: TenantSession, resource_id: UUID) -> NamespaceView | None:
        """See Reconciler."""
        namespace = await session.get(Namespace, resource_id)
        if namespace is None:
            return None
        cluster = await session.get(Cluster, namespace.cluster_id)
        if cluster is None:
            return None
        statement = (
            select(Opening, Namespace)
            .join(Namespace, Namespace.id == Opening.from_namespace_id)
            .where(Opening.namespace_id == resource_id)
            .order_by(Opening.created_at, Opening.id)
        )
        rows: Any = (await session.execute(statement)).all()
        unmade = [source.name for _opening, source in rows if source.cloud_id is None]
        return NamespaceView(
            spec=_spec(namespace, [opening for opening, _source in rows]),
            cluster_id=cluster.id,
            cluster_name=cluster.name,
            is_cluster_ready=cluster.status == ClusterStatus.READY,
            cloud_id=namespace.cloud_id,
            is_deleting=namespace.deletion_requested_at is not None,
            readings_requested=namespace.readings_requested,
            readings_done=namespace.readings_done,
            waits_for=unmade[0] if unmade else None,
        )

    async def find_key(self, session: TenantSession, view: NamespaceView) -> Key | None:
        """See Reconciler."""
        return await find_cluster_key(session, view.cluster_id)

    def step(self, view: NamespaceView, cloud: TenantCluster) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            if not cloud.delete_namespace(view.spec.id):
                return again(1, "Waiting for everything in the namespace to end", progress=50)
            return gone()
        if view.cloud_id is None and not view.is_cluster_ready:
            return again(10, f"Waiting until cluster {view.cluster_name} is ready", progress=5)
        ensured = cloud.ensure_namespace(view.spec)
        if ensured.name != view.cloud_id:
            return again(0, "Made the namespace", progress=60, changes={view.row: {"cloud_id": ensured.name}})
        if ensured.was_written:
            return again(0, "Set what belongs to the namespace", progress=80)
        if view.readings_requested != view.readings_done:
            return self._read(view, cloud)
        return done()

    def _read(self, view: NamespaceView, cloud: TenantCluster) -> Step:
        """Look into the namespace. What a pod says may be long or strange: only so much of it is kept."""
        content = {
            "workloads": [_plain(each) for each in cloud.list_workloads(view.spec.id)[:_MOST_WORKLOADS]],
            "events": [_plain(each) for each in cloud.list_events(view.spec.id, limit=_MOST_EVENTS)],
            "used": _plain(cloud.quota_use(view.spec.id)),
        }
        changes: Changes = {view.row: {"readings_done": view.readings_requested}}
        return done(changes, record=_keep_reading(view.spec.id, content, self._clock()))


def _keep_reading(namespace_id: UUID, content: dict[str, Any], read_at: datetime) -> Record:
    async def record(session: WriteSession) -> None:
        reading = await session.scalar(select(NamespaceReading).where(NamespaceReading.namespace_id == namespace_id))
        if reading is None:
            session.add(NamespaceReading(namespace_id=namespace_id, content=content, read_at=read_at))
        else:
            reading.content, reading.read_at = content, read_at

    return record


def _spec(namespace: Namespace, openings: list[Opening]) -> NamespaceSpec:
    return NamespaceSpec(
        id=namespace.id,
        tenant_id=namespace.tenant_id,
        display_name=namespace.name,
        quota=NamespaceQuota(vcpus=namespace.vcpus, ram_mib=namespace.ram_mib, pods=namespace.pods),
        openings=tuple(
            OpeningSpec(
                id=opening.id,
                from_namespace_id=opening.from_namespace_id,
                protocol=opening.protocol,  # type: ignore[arg-type]
                port=opening.port,
                end_port=opening.end_port,
                pod_labels=opening.pod_labels,
            )
            for opening in openings
        ),
    )


def _plain(seen: Any) -> dict[str, Any]:
    """Return what was seen as JSON has it; PostgreSQL keeps no NUL in it, and a page no endless text."""
    return {name: _plain_value(value) for name, value in asdict(seen).items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return value.replace("\x00", "")[:1000]
    if isinstance(value, tuple | list):
        return [_plain_value(each) for each in value][:20]
    return value
