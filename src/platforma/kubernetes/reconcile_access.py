"""Who may no longer reach the tenant's namespaces, after a suspension or a change of roles: their tokens are revoked.

An operator sees nothing of a tenant's kubeconfigs, and so asks for this operation, which finds out what follows.
"""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from platforma.authentication.permissions import Permission, Role, allows
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kubernetes.models import Kubeconfig
from platforma.operations.keys import Key, NoKey
from platforma.operations.models import ACCESS
from platforma.operations.reconciling import Reconciler, Step, done
from platforma.operations.resources import delete_resource
from platforma.tenants.models import Member, Tenant, TenantStatus


@dataclass(frozen=True)
class AccessView:
    """The kubeconfigs of a tenant whose members may not have them any more."""

    stale: tuple[UUID, ...]


class AccessReconciler(Reconciler[AccessView, None]):
    """Revokes the kubeconfigs of members who are suspended, gone or of another role now; all, if the tenant is."""

    kind: ClassVar[str] = ACCESS

    async def load(self, session: TenantSession, resource_id: UUID) -> AccessView | None:
        """See Reconciler. `resource_id` is the tenant's own id."""
        return AccessView(tuple(row.id for row in await find_stale(session)))

    async def find_key(self, session: TenantSession, view: AccessView) -> Key | None:
        """See Reconciler. The revocations are operations of their own."""
        return NoKey()

    def step(self, view: AccessView, cloud: None) -> Step:
        """See Reconciler."""
        return done(record=self._revoke) if view.stale else done()

    async def _revoke(self, session: WriteSession) -> None:
        for kubeconfig in await find_stale(session):
            kubeconfig.sealed = None
            await delete_resource(session, kubeconfig, "kubeconfig.revoke", "platforma")


async def find_stale(session: TenantSession) -> list[Kubeconfig]:
    """Return the live kubeconfigs whose members may not have them."""
    status = await session.scalar(select(Tenant.status).where(Tenant.id == session.tenant_id))
    live = await session.scalars(
        select(Kubeconfig).where(Kubeconfig.deletion_requested_at.is_(None)).order_by(Kubeconfig.id)
    )
    rows = list(live)
    members = {member.id: member for member in await session.scalars(select(Member))} if rows else {}
    is_shut = status not in (TenantStatus.ACTIVE, TenantStatus.ONBOARDING)

    def may_have(row: Kubeconfig) -> bool:
        member = members.get(row.member_id) if row.member_id is not None else None
        if member is None or member.status != "active":
            return False
        return allows(Role(member.role), Permission.KUBECONFIGS_WRITE)

    return [row for row in rows if is_shut or not may_have(row)]
