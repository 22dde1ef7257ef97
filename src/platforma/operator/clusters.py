"""Kubernetes clusters, as operators connect them. A provisioner examines them; see `platforma.kubernetes.onboarding`.

What an operator hands in is sealed here to the provisioner's public key: no process of the operator's plane can read
it again.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from platforma.api.lists import resource_filters
from platforma.database.database import PlatformSession
from platforma.kit.crypto import seal_to
from platforma.kit.ids import new_id
from platforma.kubernetes.kubeconfig_files import read_server
from platforma.kubernetes.models import Cluster, ClusterAdministrator, ClusterStatus, SealingKey
from platforma.kubernetes.sealing import administrator_owner
from platforma.operator.errors import ClusterInUse, NoSealingKey, UnknownCluster
from platforma.operator.portals import list_platform_page
from platforma.operator.routes import Acting
from platforma.operator.schemas import ClusterChange, ClusterCreate, ClusterQuery
from platforma.tenants.errors import NameTaken
from platforma.tenants.models import OperatorAudit

_SORTABLE = {"created_at": Cluster.created_at, "name": Cluster.name, "status": Cluster.status}
_REASON = "A change of a cluster."


async def list_clusters(acting: Acting, query: ClusterQuery) -> tuple[list[Cluster], str | None]:
    """Return a page of clusters."""
    async with acting.database.platform() as session:
        return await list_platform_page(session, Cluster, query, _SORTABLE, resource_filters(query, Cluster))


async def get_cluster(acting: Acting, cluster_id: UUID) -> Cluster:
    """Return a cluster; raises UnknownCluster."""
    async with acting.database.platform() as session:
        return await _get(session, cluster_id)


async def find_cluster_id(acting: Acting, name: str) -> UUID:
    """Return the id of a cluster by its name; raises UnknownCluster."""
    async with acting.database.platform() as session:
        cluster_id: UUID | None = await session.scalar(select(Cluster.id).where(Cluster.name == name))
    if cluster_id is None:
        raise UnknownCluster(f"There is no cluster named {name}.")
    return cluster_id


async def add_cluster(acting: Acting, wanted: ClusterCreate) -> Cluster:
    """Connect a cluster, which a provisioner then examines. Raises BadKubeconfig, NameTaken or NoSealingKey."""
    options = wanted.options.model_dump(exclude_defaults=True)
    cluster = Cluster(id=new_id(), name=wanted.name, server=read_server(wanted.kubeconfig), options=options)
    async with acting.database.platform() as session:
        session.add(cluster)
        try:
            await session.flush()
        except IntegrityError as error:
            raise NameTaken(f"There is a cluster named {wanted.name} already.") from error
        await _seal(session, cluster, wanted.kubeconfig)
        session.add(_audit(acting, "cluster.add", cluster, server=cluster.server))
        await session.flush()
        await session.refresh(cluster)
    return cluster


async def replace_kubeconfig(acting: Acting, cluster_id: UUID, kubeconfig: str) -> Cluster:
    """Connect to a cluster with another credential; it is examined again. Raises UnknownCluster, BadKubeconfig."""
    server = read_server(kubeconfig)
    async with acting.database.platform() as session:
        cluster = await _get(session, cluster_id, is_locked=True)
        cluster.server = server
        statement = delete(ClusterAdministrator).where(ClusterAdministrator.cluster_id == cluster_id)
        await session.execute(statement.execution_options(synchronize_session=False))
        await _seal(session, cluster, kubeconfig)
        _ask_for_check(cluster)
        session.add(_audit(acting, "cluster.replace_kubeconfig", cluster, server=server))
        await session.flush()
        await session.refresh(cluster)
    return cluster


async def change_cluster(acting: Acting, cluster_id: UUID, change: ClusterChange) -> Cluster:
    """Say something else about a cluster; it is examined again. Raises UnknownCluster."""
    options = change.options.model_dump(exclude_defaults=True)
    async with acting.database.platform() as session:
        cluster = await _get(session, cluster_id, is_locked=True)
        cluster.options = options
        _ask_for_check(cluster)
        session.add(_audit(acting, "cluster.change", cluster, options=options))
        await session.flush()
        await session.refresh(cluster)
    return cluster


async def check_cluster(acting: Acting, cluster_id: UUID) -> Cluster:
    """Ask for an examination now; raises UnknownCluster."""
    async with acting.database.platform() as session:
        cluster = await _get(session, cluster_id, is_locked=True)
        _ask_for_check(cluster)
        session.add(_audit(acting, "cluster.check", cluster))
        await session.flush()
        await session.refresh(cluster)
    return cluster


async def remove_cluster(acting: Acting, cluster_id: UUID) -> None:
    """Forget a cluster. What Platforma put there for all stays. Raises UnknownCluster, or ClusterInUse."""
    async with acting.database.platform() as session:
        cluster = await _get(session, cluster_id, is_locked=True)
        session.add(_audit(acting, "cluster.remove", cluster))
        statement = delete(Cluster).where(Cluster.id == cluster_id).execution_options(synchronize_session=False)
        try:
            await session.execute(statement)
        except IntegrityError as error:
            raise ClusterInUse(f"Tenants have namespaces or kubeconfigs in cluster {cluster.name}.") from error


def _ask_for_check(cluster: Cluster) -> None:
    """Have it examined at once. One that was never ready shows that it is being looked at."""
    cluster.check_requested_at = func.now()
    cluster.check_due_at = func.now()
    cluster.check_attempts = 0
    if cluster.status != ClusterStatus.READY:
        cluster.status = ClusterStatus.CHECKING
        cluster.status_reason = None


async def _seal(session: PlatformSession, cluster: Cluster, kubeconfig: str) -> None:
    newest = select(SealingKey.public_key).order_by(SealingKey.created_at.desc()).limit(1)
    public_key: bytes | None = await session.scalar(newest)
    if public_key is None:
        raise NoSealingKey("Start a provisioner first: platforma worker --plane platform.")
    sealed = seal_to(public_key, kubeconfig.encode(), owner=administrator_owner(cluster.id))
    session.add(ClusterAdministrator(cluster_id=cluster.id, sealed=sealed))


async def _get(session: PlatformSession, cluster_id: UUID, *, is_locked: bool = False) -> Cluster:
    cluster = await session.get(Cluster, cluster_id, with_for_update=is_locked or None)
    if cluster is None:
        raise UnknownCluster
    return cluster


def _audit(acting: Acting, action: str, cluster: Cluster, **details: Any) -> OperatorAudit:
    return OperatorAudit(
        actor=acting.operator.email,
        action=action,
        reason=acting.reason or _REASON,
        details={"cluster": cluster.name, **details},
    )
