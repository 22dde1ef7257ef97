"""What opens a cluster for the tenants' worker."""

from uuid import UUID

from sqlalchemy import select

from platforma.database.tenant_session import TenantSession
from platforma.kubernetes.models import ClusterAccess
from platforma.operations.keys import ClusterKey


async def find_cluster_key(session: TenantSession, cluster_id: UUID) -> ClusterKey | None:
    """Return the worker's key of a cluster; None until the provisioner has made it."""
    sealed: bytes | None = await session.scalar(
        select(ClusterAccess.sealed).where(ClusterAccess.cluster_id == cluster_id)
    )
    return None if sealed is None else ClusterKey(cluster_id, sealed)
