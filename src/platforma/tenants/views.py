"""A tenant as the provisioner's steps see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from platforma.database.tenant_session import WriteSession
from platforma.operations.keys import ClusterKey
from platforma.operations.reconciling import Record, RowKey
from platforma.tenants.models import OPENSTACK, CloudCredential

USER_GONE = ""
"""In `CloudCredential.user_id`: the user has been deleted, where None means that none is known yet."""


@dataclass(frozen=True)
class CredentialView:
    """How far the tenant's access to its cloud has come. The provisioner never needs to open what is sealed."""

    id: UUID
    project_id: str
    user_id: str | None
    is_sealed: bool

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (CloudCredential, self.id)


@dataclass(frozen=True)
class TenantView:
    """A tenant: its status is what is desired."""

    id: UUID
    name: str
    status: str
    credential: CredentialView | None
    quotas: Mapping[str, int] = field(default_factory=dict)
    is_closed: bool = False
    """Of a tenant that is being offboarded: nothing is under way, and nothing is desired any more."""
    unerased: int = 0
    """Of a tenant that is being offboarded: how many volumes are still to be erased."""
    clusters: tuple[ClusterKey, ...] = ()
    """Of a tenant that is being offboarded: the Kubernetes clusters in which it has or had anything."""


def record_project(project_id: str) -> Record:
    """Return what records the tenant's project, once."""

    async def record(session: WriteSession) -> None:
        if await session.scalar(select(CloudCredential.id).where(CloudCredential.cloud == OPENSTACK)) is None:
            session.add(CloudCredential(cloud=OPENSTACK, project_id=project_id))

    return record
