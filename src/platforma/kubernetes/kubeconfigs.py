"""Kubeconfigs: issued by a worker, sealed to a key that only the asker has, collected once, revoked at any time.

No process of the portal can read what is handed over, but in the one request that collects it: the private key is in
the answer to the request that asked for the kubeconfig, and nowhere else. See
docs/decisions/a-kubeconfig-is-sealed-to-who-asked.md.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import ResourceQuery, list_page, resource_filters
from platforma.authentication.principals import Principal
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.clock import utc_now
from platforma.kit.crypto import UnsealError, new_private_key, open_sealed_to, public_key_of
from platforma.kubernetes.clusters import choose_cluster, list_ready_clusters
from platforma.kubernetes.errors import Collected, NamespaceNotMade, NotIssued, WrongKey
from platforma.kubernetes.models import Cluster, Kubeconfig, Namespace
from platforma.kubernetes.schemas import KubeconfigCreate
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.tenants.models import AuditEvent
from platforma.tenants.quotas import check_quota

_SORTABLE = {
    "created_at": Kubeconfig.created_at,
    "name": Kubeconfig.name,
    "status": Kubeconfig.status,
    "expires_at": Kubeconfig.expires_at,
}


@dataclass(frozen=True)
class Asked:
    """A kubeconfig that is being issued, and the key that will open it, which is kept nowhere."""

    kubeconfig: Kubeconfig
    operation: Operation
    key: str


async def list_kubeconfigs(session: ReadSession, query: ResourceQuery) -> tuple[list[Kubeconfig], str | None]:
    """Return a page of issued kubeconfigs."""
    return await list_page(session, Kubeconfig, query, sortable=_SORTABLE, where=resource_filters(query, Kubeconfig))


async def list_reachable_clusters(session: ReadSession) -> list[Cluster]:
    """Return the ready clusters in which the tenant has a namespace."""
    ready = await list_ready_clusters(session)
    return [cluster for cluster in ready if await _has_namespace(session, cluster)]


async def create_kubeconfig(session: WriteSession, principal: Principal, body: KubeconfigCreate) -> Asked:
    """Wish for a kubeconfig, sealed to a new key that is returned and kept nowhere.

    Raises NotFound for the cluster, ClusterNotReady, NoCluster, or NamespaceNotMade while there is nothing to reach.
    """
    cluster = await choose_cluster(session, body.cluster_id)
    if not await _has_namespace(session, cluster):
        raise NamespaceNotMade(f"You have no namespace in cluster {cluster.name} yet. Make one first.")
    for expired in [row for row in await _live(session) if row.expires_at is not None and row.expires_at < utc_now()]:
        await _revoke(session, principal, expired)
    still_good = func.count().filter(Kubeconfig.deletion_requested_at.is_(None))
    await check_quota(session, "kubeconfigs", still_good, Kubeconfig, 1)
    private_key = new_private_key()
    kubeconfig = Kubeconfig(
        name=body.name,
        cluster_id=cluster.id,
        member_id=principal.member_id,
        issued_to=principal.email,
        lifetime_seconds=body.lifetime_seconds,
        public_key=public_key_of(private_key),
    )
    session.add(kubeconfig)
    operation = await request_operation(
        session, action="kubeconfig.issue", resource=kubeconfig, requested_by=principal.email
    )
    return Asked(kubeconfig, operation, base64.b64encode(private_key).decode())


async def collect_kubeconfig(session: WriteSession, principal: Principal, kubeconfig_id: UUID, key: str) -> str:
    """Open an issued kubeconfig and forget it. Raises NotFound, NotIssued, Collected or WrongKey."""
    kubeconfig = await get_resource(session, Kubeconfig, kubeconfig_id, for_change=True)
    if kubeconfig.collected_at is not None:
        raise Collected("A kubeconfig can be collected once. Ask for another, and revoke this one if it is lost.")
    if kubeconfig.sealed is None:
        raise NotIssued("Wait until it is active, and try again.")
    try:
        opened = open_sealed_to(base64.b64decode(key), kubeconfig.sealed, owner=kubeconfig.id.bytes)
    except UnsealError:
        raise WrongKey("Use the key that the answer to the request for this kubeconfig had.") from None
    kubeconfig.sealed = None
    kubeconfig.collected_at = func.now()
    told = {"kind": "kubeconfig", "id": str(kubeconfig.id), "issued_to": kubeconfig.issued_to}
    session.add(AuditEvent(actor=principal.email, action="kubeconfig.collect", target=kubeconfig.name, details=told))
    await session.flush()
    return opened.decode()


async def revoke_kubeconfig(
    session: WriteSession, principal: Principal, kubeconfig_id: UUID
) -> tuple[Kubeconfig, Operation]:
    """Wish that a token is worth nothing any more. What has not been collected cannot be from now on."""
    kubeconfig = await get_resource(session, Kubeconfig, kubeconfig_id, for_change=True)
    return kubeconfig, await _revoke(session, principal, kubeconfig)


async def revoke_kubeconfigs(session: WriteSession, principal: Principal) -> int:
    """Wish that no token of the tenant is worth anything any more; return how many there were."""
    rows = await _live(session)
    for kubeconfig in rows:
        await _revoke(session, principal, kubeconfig)
    return len(rows)


async def revoke_kubeconfigs_of(session: WriteSession, principal: Principal, member_id: UUID) -> int:
    """Wish that no token of a member is worth anything any more; return how many there were."""
    rows = [row for row in await _live(session) if row.member_id == member_id]
    for kubeconfig in rows:
        await _revoke(session, principal, kubeconfig)
    return len(rows)


async def _has_namespace(session: TenantSession, cluster: Cluster) -> bool:
    reachable = select(Namespace.id).where(
        Namespace.cluster_id == cluster.id, Namespace.cloud_id.is_not(None), Namespace.deletion_requested_at.is_(None)
    )
    return await session.scalar(reachable.limit(1)) is not None


async def _live(session: WriteSession) -> Sequence[Kubeconfig]:
    statement = (
        select(Kubeconfig).where(Kubeconfig.deletion_requested_at.is_(None)).order_by(Kubeconfig.id).with_for_update()
    )
    return (await session.scalars(statement)).all()


async def _revoke(session: WriteSession, principal: Principal, kubeconfig: Kubeconfig) -> Operation:
    kubeconfig.sealed = None
    issued_to = {"issued_to": kubeconfig.issued_to}
    return await delete_resource(session, kubeconfig, "kubeconfig.revoke", principal.email, issued_to)
