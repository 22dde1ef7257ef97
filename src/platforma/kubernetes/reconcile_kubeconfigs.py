"""Kubeconfigs: issued once, handed over sealed, revoked for good."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.kubernetes import TenantCluster, render_kubeconfig
from platforma.database.tenant_session import TenantSession
from platforma.kit.crypto import seal_to
from platforma.kubernetes.cluster_keys import find_cluster_key
from platforma.kubernetes.models import Cluster, Kubeconfig, Namespace
from platforma.kubernetes.reconcile_access import find_stale
from platforma.operations.keys import Key
from platforma.operations.reconciling import Reconciler, RowKey, Step, again, done, failed, gone


@dataclass(frozen=True)
class KubeconfigView:
    """A kubeconfig, and the namespaces that it leads to: what each is called here and in the cluster."""

    id: UUID
    cluster_id: UUID
    cluster_name: str
    namespaces: tuple[tuple[str, str], ...]
    lifetime_seconds: int
    public_key: bytes
    is_issued: bool
    is_deleting: bool

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (Kubeconfig, self.id)


class KubeconfigReconciler(Reconciler[KubeconfigView, TenantCluster]):
    """A kubeconfig. One whose member may not have it any more is revoked instead of issued."""

    kind: ClassVar[str] = "kubeconfig"
    model = Kubeconfig

    async def load(self, session: TenantSession, resource_id: UUID) -> KubeconfigView | None:
        """See Reconciler."""
        kubeconfig = await session.get(Kubeconfig, resource_id)
        if kubeconfig is None:
            return None
        cluster = await session.get(Cluster, kubeconfig.cluster_id)
        if cluster is None:
            return None
        statement = (
            select(Namespace)
            .where(
                Namespace.cluster_id == cluster.id,
                Namespace.cloud_id.is_not(None),
                Namespace.deletion_requested_at.is_(None),
            )
            .order_by(Namespace.name)
        )
        rows = await session.scalars(statement)
        is_stale = kubeconfig.id in {row.id for row in await find_stale(session)}
        return KubeconfigView(
            id=kubeconfig.id,
            cluster_id=cluster.id,
            cluster_name=cluster.name,
            namespaces=tuple((row.name, row.cloud_id) for row in rows if row.cloud_id is not None),
            lifetime_seconds=kubeconfig.lifetime_seconds,
            public_key=kubeconfig.public_key,
            is_issued=kubeconfig.expires_at is not None,
            is_deleting=kubeconfig.deletion_requested_at is not None or is_stale,
        )

    async def find_key(self, session: TenantSession, view: KubeconfigView) -> Key | None:
        """See Reconciler."""
        return await find_cluster_key(session, view.cluster_id)

    def step(self, view: KubeconfigView, cloud: TenantCluster) -> Step:
        """See Reconciler. A token whose answer was lost is unknown to everybody; the next is of the same account."""
        if view.is_deleting:
            if cloud.revoke_kubeconfig(view.id):
                return again(0, "Revoked the token", progress=50)
            return gone()
        if view.is_issued:
            return done()
        if not view.namespaces:
            return failed("There is no namespace left that it could lead to.")
        issued = cloud.issue_kubeconfig(view.id, lifetime_seconds=view.lifetime_seconds)
        text = render_kubeconfig(issued, dict(view.namespaces), cluster_name=view.cluster_name)
        sealed = seal_to(view.public_key, text.encode(), owner=view.id.bytes)
        return done({view.row: {"sealed": sealed, "expires_at": issued.expires_at, "cloud_id": str(view.id)}})
