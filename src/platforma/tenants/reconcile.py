"""Tenants, brought to what is desired by the provisioner: onboarded with a project of their own, or removed.

Onboarding, each act found again if its answer was lost: project, user, application credential (confined, verified,
sealed for this tenant), quotas; then, in the transaction that makes the tenant active, the rows of a first network
and of the project's default security group, which the tenants' worker carries out with the new credential.

Offboarding: see `platforma.tenants.offboarding`.
"""

from typing import ClassVar
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.openstack.protocol import CloudAdministration
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.network.models import Network, Router, SecurityGroup, SecurityGroupRule, Subnet
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.models import SETUP, Plane, Resource
from platforma.operations.reconciling import Reconciler, Step, again, done
from platforma.operations.service import request_operation
from platforma.tenants.models import OPENSTACK, CloudCredential, Quota, Tenant, TenantStatus
from platforma.tenants.offboarding import count_unerased, find_clusters, is_closed, offboard
from platforma.tenants.quotas import OPENSTACK_QUOTAS
from platforma.tenants.views import CredentialView, TenantView, record_project

FIRST_CIDR = "10.0.0.0/24"


class TenantReconciler(Reconciler[TenantView, CloudAdministration]):
    """A tenant as a whole. An active one is done when its quotas are in the cloud and nobody else's rules are."""

    kind: ClassVar[str] = "tenant"
    plane: ClassVar[Plane] = Plane.PLATFORM
    leaves_nothing: ClassVar[bool] = True

    def __init__(self, access: CloudAccess) -> None:
        self._access = access

    async def load(self, session: TenantSession, resource_id: UUID) -> TenantView | None:
        """See Reconciler. `resource_id` is the tenant's own id, and no other tenant can be loaded here."""
        tenant = await session.get(Tenant, session.tenant_id)
        if tenant is None or tenant.id != resource_id or tenant.status == TenantStatus.OFFBOARDED:
            return None
        row = await session.scalar(select(CloudCredential).where(CloudCredential.cloud == OPENSTACK))
        credential = CredentialView(row.id, row.project_id, row.user_id, row.sealed is not None) if row else None
        quotas = await session.execute(select(Quota.resource, Quota.maximum))
        return TenantView(
            tenant.id,
            tenant.name,
            tenant.status,
            credential,
            OPENSTACK_QUOTAS | {row.resource: row.maximum for row in quotas if row.resource in OPENSTACK_QUOTAS},
            is_closed=await is_closed(session),
            unerased=await count_unerased(session) if tenant.status == TenantStatus.OFFBOARDING else 0,
            clusters=await find_clusters(session) if tenant.status == TenantStatus.OFFBOARDING else (),
        )

    def step(self, view: TenantView, cloud: CloudAdministration) -> Step:
        """See Reconciler."""
        if view.status == TenantStatus.OFFBOARDING:
            return offboard(view, cloud, lambda key: self._access.open_cluster(view.id, key))
        if view.status == TenantStatus.SUSPENDED:
            return again(60, "Waiting until the tenant is resumed")
        return self._onboard(view, cloud)

    def _onboard(self, view: TenantView, cloud: CloudAdministration) -> Step:
        if view.credential is None:
            project_id = cloud.ensure_project(view.id, description=view.name)
            return again(0, "Made the project", progress=20, record=record_project(project_id))
        credential = view.credential
        if credential.user_id is None:
            user_id = cloud.ensure_user(view.id, credential.project_id)
            return again(0, "Made the user", progress=40, changes={credential.row: {"user_id": user_id}})
        if not credential.is_sealed:
            made = cloud.create_credential(credential.project_id, credential.user_id)
            cloud.verify_confined(made)
            sealed = self._access.seal(view.id, made)
            return again(0, "Made the credential", progress=60, changes={credential.row: {"sealed": sealed}})
        cloud.set_quotas(credential.project_id, view.quotas)
        if view.status == TenantStatus.ACTIVE:
            cloud.delete_foreign_rules(credential.project_id)
            return done()
        return done(record=self._activate)

    async def _activate(self, session: WriteSession) -> None:
        """Make the tenant active and wish for what every tenant begins with, unless that has been done."""
        tenant = await session.get(Tenant, session.tenant_id, with_for_update=True)
        if tenant is None or tenant.status != TenantStatus.ONBOARDING:
            return
        tenant.status = TenantStatus.ACTIVE
        if await session.scalar(select(SecurityGroup.id).where(SecurityGroup.is_default)) is not None:
            return
        router = Router(
            name="default",
            description="Leads from the first network to the outside.",
            has_external_gateway=self._access.has_external_network,
        )
        network = Network(name="default", description="The first network.")
        group = SecurityGroup(
            name="default", description="Admits everything out, and in only from itself.", is_default=True
        )
        session.add_all([router, network, group])
        await session.flush()
        session.add(_first_subnet(network, router))
        session.add_all(_default_rules(group))
        await session.flush()
        resources: list[tuple[str, Resource]] = [
            ("security_group.create", group),
            ("router.create", router),
            ("network.create", network),
        ]
        for action, resource in resources:
            await request_operation(session, action=action, resource=resource, requested_by=SETUP)


def _first_subnet(network: Network, router: Router) -> Subnet:
    return Subnet(
        name=f"default {FIRST_CIDR}", network_id=network.id, router_id=router.id, ip_version=4, cidr=FIRST_CIDR
    )


def _default_rules(group: SecurityGroup) -> list[SecurityGroupRule]:
    """Return the rules of the default group: out to anywhere, in from the group's own servers, nothing from outside."""
    return [
        SecurityGroupRule(
            security_group_id=group.id,
            direction=direction,
            ethertype=ethertype,
            remote_group_id=group.id if direction == "ingress" else None,
        )
        for direction in ("egress", "ingress")
        for ethertype in ("IPv4", "IPv6")
    ]
