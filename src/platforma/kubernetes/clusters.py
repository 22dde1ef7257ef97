"""Clusters as tenants see them: which there are, and which of them a new namespace can be made in."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from platforma.api.lists import list_page
from platforma.database.tenant_session import TenantSession
from platforma.kit.problems import NotFound
from platforma.kubernetes.errors import ClusterNotReady, NoCluster
from platforma.kubernetes.models import Cluster, ClusterStatus
from platforma.kubernetes.schemas import ClusterQuery

_SORTABLE = {"name": Cluster.name, "created_at": Cluster.created_at}


async def list_clusters(session: TenantSession, query: ClusterQuery) -> tuple[list[Cluster], str | None]:
    """Return a page of clusters."""
    return await list_page(session, Cluster, query, sortable=_SORTABLE)


async def get_cluster(session: TenantSession, cluster_id: UUID) -> Cluster:
    """Return a cluster; raises NotFound."""
    cluster = await session.get(Cluster, cluster_id)
    if cluster is None:
        raise NotFound
    return cluster


async def list_ready_clusters(session: TenantSession) -> Sequence[Cluster]:
    """Return the clusters that namespaces can be made in, by name."""
    statement = select(Cluster).where(Cluster.status == ClusterStatus.READY).order_by(Cluster.name)
    return (await session.scalars(statement)).all()


async def has_clusters(session: TenantSession) -> bool:
    """Say whether the operator has connected any cluster, ready or not."""
    return await session.scalar(select(Cluster.id).limit(1)) is not None


async def choose_cluster(session: TenantSession, cluster_id: UUID | None) -> Cluster:
    """Return the cluster that is asked for, or without a choice the only one that is ready.

    Raises NotFound, ClusterNotReady or NoCluster.
    """
    if cluster_id is not None:
        cluster = await get_cluster(session, cluster_id)
        if cluster.status != ClusterStatus.READY:
            raise ClusterNotReady(f"Cluster {cluster.name} is not ready. Choose another, or try again later.")
        return cluster
    ready = await list_ready_clusters(session)
    if not ready:
        raise NoCluster("Your provider has no Kubernetes cluster that is ready. Try again later.")
    if len(ready) > 1:
        names = ", ".join(cluster.name for cluster in ready)
        raise NoCluster(f"There are several clusters. Choose one: {names}.")
    return ready[0]


async def clusters_of(session: TenantSession, cluster_ids: Sequence[UUID]) -> dict[UUID, Cluster]:
    """Return some clusters by id."""
    rows = await session.scalars(select(Cluster).where(Cluster.id.in_(set(cluster_ids))))
    return {cluster.id: cluster for cluster in rows}
