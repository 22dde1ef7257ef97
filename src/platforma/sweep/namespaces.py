"""A tenant's namespaces in clusters, against what should be in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import select

from platforma.clouds.errors import CloudError
from platforma.clouds.kubernetes.protocol import TenantCluster
from platforma.database.tenant_session import TenantSession
from platforma.kubernetes.models import Namespace
from platforma.kubernetes.reconcile import NamespaceReconciler, NamespaceView
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.fence import Fence
from platforma.operations.keys import ClusterKey
from platforma.operations.models import Operation, OperationStatus
from platforma.sweep.comparing import Drift
from platforma.sweep.expecting import Wanted
from platforma.sweep.kinds import DriftKind

logger = structlog.get_logger(__name__)

NAMESPACE_KINDS = frozenset({DriftKind.NAMESPACE_CHANGED, DriftKind.NAMESPACE_MISSING})


@dataclass(frozen=True)
class WantedNamespace:
    """A namespace to which nothing is being done, and the key to its cluster."""

    view: NamespaceView
    key: ClusterKey


@dataclass(frozen=True)
class NamespaceSurvey:
    """What was found. It is whole if every namespace was looked at."""

    drifts: tuple[tuple[WantedNamespace, Drift], ...]
    is_whole: bool


@dataclass(frozen=True)
class WantedNamespaces:
    """The namespaces that can be compared, and whether these are all: what is being worked on is about to change."""

    settled: tuple[WantedNamespace, ...]
    is_whole: bool


async def load_namespaces(session: TenantSession) -> WantedNamespaces:
    """Return the bound tenant's namespaces."""
    reconciler, found = NamespaceReconciler(), []
    unfinished = (OperationStatus.QUEUED, OperationStatus.RUNNING)
    busy = set(await session.scalars(select(Operation.resource_id).where(Operation.status.in_(unfinished))))
    made = select(Namespace.id).where(Namespace.cloud_id.is_not(None), Namespace.deletion_requested_at.is_(None))
    ids = (await session.scalars(made)).all()
    for id_ in (id_ for id_ in ids if id_ not in busy):
        view = await reconciler.load(session, id_)
        key = await reconciler.find_key(session, view) if view is not None else None
        if view is not None and isinstance(key, ClusterKey):
            found.append(WantedNamespace(view, key))
    return WantedNamespaces(tuple(found), is_whole=len(found) == len(ids))


def survey_namespaces(access: CloudAccess, tenant_id: UUID, wanted: WantedNamespaces, fence: Fence) -> NamespaceSurvey:
    """Compare every namespace. A cluster that does not answer costs the others nothing."""
    drifts: list[tuple[WantedNamespace, Drift]] = []
    away: set[UUID] = set()
    for each in wanted.settled:
        if each.key.cluster_id in away:
            continue
        try:
            cluster = fence.around(access.open_cluster(tenant_id, each.key))
            drifts += [(each, drift) for drift in _compare(each.view, cluster)]
        except CloudError as error:
            away.add(each.key.cluster_id)
            logger.warning("a cluster could not be swept", tenant_id=str(tenant_id), error=type(error).__name__)
    return NamespaceSurvey(tuple(drifts), is_whole=wanted.is_whole and not away)


def lasting(survey: NamespaceSurvey, now: WantedNamespaces) -> list[Drift]:
    """Return what is drift still: of namespaces that nobody has touched since the look."""
    return [drift for each, drift in survey.drifts if each in now.settled]


def _compare(view: NamespaceView, cluster: TenantCluster) -> Iterator[Drift]:
    seen = cluster.observe_namespace(view.spec)
    wanted = Wanted(Namespace, view.spec.id, view.spec.display_name, view.cloud_id, is_settled=True)
    place = {"cluster": view.cluster_name, "namespace": seen.name}
    if seen.state == "absent":
        yield Drift(DriftKind.NAMESPACE_MISSING, seen.name, wanted.title, place, wanted)
    elif seen.drift:
        yield Drift(DriftKind.NAMESPACE_CHANGED, seen.name, wanted.title, place | {"drift": list(seen.drift)}, wanted)
