"""Offboarding: nothing of a tenant is left, in the cloud or in the database, but a tombstone, the operators' audit and
the accounts, which have to be kept.

The order closes the doors first. The members are gone already (`offboard_tenant`). Then every resource is marked for
deletion and every operation is cancelled, so that no worker begins anything, and those with a step under way are waited
for, because a cloud may honour a token for minutes after its user has gone; meanwhile the tenants' worker erases the
volumes, for which it needs the tenant's credential, and before which nothing goes on; then kubeconfigs are revoked, and
the cloud's user goes, and its credentials with it; then namespaces are deleted in every cluster that has any, and then
the project is emptied and deleted; at last the rows, of every table that has tenants' rows.
"""

from collections.abc import Callable

from sqlalchemy import ColumnElement, and_, delete, func, select, union, update

from platforma.clouds.kubernetes import TenantCluster
from platforma.clouds.openstack.errors import CloudNotFound
from platforma.clouds.openstack.protocol import CloudAdministration
from platforma.database.tables import Base, TenantOwned, tenant_tables
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kubernetes.models import ClusterAccess, Kubeconfig, Namespace
from platforma.operations.keys import ClusterKey
from platforma.operations.models import Operation, OperationStatus, Plane, Resource, ResourceStatus
from platforma.operations.reconciling import Step, again, gone
from platforma.operations.service import request_operation
from platforma.storage.models import Snapshot, Volume
from platforma.tenants.models import OperatorAudit, Tenant, TenantStatus
from platforma.tenants.views import USER_GONE, TenantView, record_project

ERASING = ("volume.delete", "snapshot.delete")
"""Actions that go on while a tenant is removed."""

OpenCluster = Callable[[ClusterKey], TenantCluster]


def offboard(view: TenantView, cloud: CloudAdministration, open_cluster: OpenCluster) -> Step:
    """Take one step of removing a tenant. What was made without having been recorded is found by its name."""
    credential = view.credential
    if not view.is_closed:
        return again(1, "Waiting for what is under way", progress=10, record=close_tenant)
    clusters = [open_cluster(key) for key in view.clusters]
    for cluster in clusters:
        for kubeconfig_id in cluster.list_kubeconfigs():
            cluster.revoke_kubeconfig(kubeconfig_id)
    if credential is None:
        project_id = cloud.ensure_project(view.id, description=view.name)
        return again(0, "Found the project", progress=15, record=record_project(project_id))
    if view.unerased and credential.is_sealed:
        words = f"Waiting until {view.unerased} volumes are erased"
        return again(2, words, progress=15, record=erase_volumes)
    if credential.user_id is None:
        user_id = cloud.ensure_user(view.id, credential.project_id)
        return again(0, "Found the user", progress=20, changes={credential.row: {"user_id": user_id}})
    if credential.user_id != USER_GONE:
        if not cloud.delete_user(credential.user_id):
            return again(1, "Waiting for the user to go", progress=25)
        gone_user = {"user_id": USER_GONE, "sealed": None}
        return again(0, "Took the credential back", progress=30, changes={credential.row: gone_user})
    namespaces = sum(_delete_namespaces(cluster) for cluster in clusters)
    left = _empty(credential.project_id, cloud)
    if namespaces:
        return again(1, f"Waiting for {namespaces} namespaces and {left} objects in the cloud to go", progress=40)
    if left:
        return again(1, f"Waiting for {left} objects in the cloud to go", progress=50)
    if not cloud.delete_project(credential.project_id):
        return again(1, "Waiting for the project to go", progress=90)
    return gone(record=delete_rows)


def _empty(project_id: str, cloud: CloudAdministration) -> int:
    """Remove what can be removed now; return how many objects are left. A project that is gone is empty."""
    try:
        return len(cloud.empty_project(project_id))
    except CloudNotFound:
        return 0


def _delete_namespaces(cluster: TenantCluster) -> int:
    """Delete every namespace of the tenant, whoever made it; return how many are left."""
    found = [namespace for namespace in cluster.list_namespaces() if namespace.namespace_id is not None]
    return sum(not cluster.delete_namespace(namespace.namespace_id) for namespace in found if namespace.namespace_id)


async def find_clusters(session: TenantSession) -> tuple[ClusterKey, ...]:
    """Return the keys of the clusters that the tenant's rows name."""
    named = union(select(Namespace.cluster_id), select(Kubeconfig.cluster_id)).subquery()
    statement = (
        select(ClusterAccess.cluster_id, ClusterAccess.sealed)
        .where(ClusterAccess.cluster_id.in_(select(named.c.cluster_id)))
        .order_by(ClusterAccess.cluster_id)
    )
    return tuple(ClusterKey(cluster_id, sealed) for cluster_id, sealed in (await session.execute(statement)).all())


async def close_tenant(session: WriteSession) -> None:
    """Mark every resource for deletion, and cancel every operation of the tenants' plane that has no step under way.

    One that has is cancelled when its worker comes back for the next step, or when the reaper has taken its claim.
    """
    for model in tenant_tables().values():
        if issubclass(model, Resource):
            await session.execute(
                update(model)
                .where(model.deletion_requested_at.is_(None))
                .values(deletion_requested_at=func.now(), status=ResourceStatus.DELETING)
                .execution_options(synchronize_session=False)
            )
    await session.execute(
        update(Operation)
        .where(_is_unfinished(), Operation.claim.is_(None), Operation.action.not_in(ERASING))
        .values(status=OperationStatus.CANCELLED, step=None, finished_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def count_unerased(session: TenantSession) -> int:
    """Return how many volumes and snapshots of the tenant are still to be erased."""
    counts = [await session.scalar(select(func.count()).select_from(model)) for model in (Volume, Snapshot)]
    return sum(count or 0 for count in counts)


async def erase_volumes(session: WriteSession) -> None:
    """Have the tenants' worker delete every volume, which it erases before; one that has failed is tried again."""
    under_way = select(Operation.resource_id).where(_is_unfinished())
    for model, action in zip((Volume, Snapshot), ERASING, strict=True):
        for row in await session.scalars(select(model).where(model.id.not_in(under_way))):
            await request_operation(session, action=action, resource=row, requested_by="platforma")


async def is_closed(session: TenantSession) -> bool:
    """Say whether `close_tenant` has nothing left to do."""
    if await session.scalar(select(Operation.id).where(_is_unfinished()).limit(1)) is not None:
        return False
    for model in tenant_tables().values():
        if issubclass(model, Resource):
            wanted = select(model.id).where(model.deletion_requested_at.is_(None)).limit(1)
            if await session.scalar(wanted) is not None:
                return False
    return True


def _is_unfinished() -> ColumnElement[bool]:
    """Whether an operation of the tenants' plane is under way."""
    return and_(
        Operation.plane == Plane.TENANT, Operation.status.in_([OperationStatus.QUEUED, OperationStatus.RUNNING])
    )


async def delete_rows(session: WriteSession) -> None:
    """Delete the tenant's rows from every table, those that refer to others first; leave a tombstone.

    Operations go last, when the engine has recorded the one that is at work here.
    """
    for model in deletion_order():
        if model is not Operation:
            await session.execute(delete(model).execution_options(synchronize_session=False))
    tenant = await session.get(Tenant, session.tenant_id, with_for_update=True)
    if tenant is not None and tenant.status == TenantStatus.OFFBOARDING:
        tenant.status = TenantStatus.OFFBOARDED
        session.add(
            OperatorAudit(
                actor="provisioner",
                action="tenant.offboarded",
                tenant_id=tenant.id,
                reason="The project and all rows of the tenant are deleted.",
            )
        )


def deletion_order() -> list[type[TenantOwned]]:
    """Return the tenant-owned models whose rows go, from those that refer to others to those that are referred to."""
    models = {name: model for name, model in tenant_tables().items() if not model.__outlives_tenant__}
    return [models[table.name] for table in reversed(Base.metadata.sorted_tables) if table.name in models]
