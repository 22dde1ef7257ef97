"""Security groups with their rules, and the project's default group among them."""

from dataclasses import dataclass
from typing import ClassVar, Literal, cast
from uuid import UUID

from sqlalchemy import select

from platforma.clouds.openstack.protocol import SecurityCloud
from platforma.clouds.openstack.resources import CloudId, RuleSpec
from platforma.database.tenant_session import TenantSession
from platforma.network.models import SecurityGroup, SecurityGroupRule
from platforma.network.reconcile import describe
from platforma.operations.reconciling import Changes, Reconciler, Step, again, done, gone


@dataclass(frozen=True)
class RuleView:
    """A rule with the ids of our own; the cloud's ids of the rule and of the remote group, once they are known."""

    spec: RuleSpec
    remote_group_id: UUID | None
    remote_group_name: str | None
    cloud_id: CloudId | None


@dataclass(frozen=True)
class SecurityGroupView:
    """A security group and the rules it should have: these and no other."""

    id: UUID
    name: str
    description: str
    cloud_id: CloudId | None
    is_default: bool
    is_deleting: bool
    rules: tuple[RuleView, ...]


class SecurityGroupReconciler(Reconciler[SecurityGroupView, SecurityCloud]):
    """A security group and its rules. The default group is Neutron's own: it is adopted, and goes with the project."""

    kind: ClassVar[str] = "security_group"
    model = SecurityGroup

    async def load(self, session: TenantSession, resource_id: UUID) -> SecurityGroupView | None:
        """See Reconciler."""
        group = await session.get(SecurityGroup, resource_id)
        if group is None:
            return None
        rows = await session.scalars(
            select(SecurityGroupRule)
            .where(SecurityGroupRule.security_group_id == resource_id)
            .order_by(SecurityGroupRule.created_at, SecurityGroupRule.id)
        )
        rules = rows.all()
        remote_ids = {rule.remote_group_id for rule in rules if rule.remote_group_id is not None}
        found = await session.scalars(select(SecurityGroup).where(SecurityGroup.id.in_(remote_ids)))
        remote_groups = {remote.id: remote for remote in found}
        return SecurityGroupView(
            group.id,
            group.name,
            group.description,
            group.cloud_id,
            group.is_default,
            group.deletion_requested_at is not None,
            tuple(
                _view_rule(rule, remote_groups[rule.remote_group_id] if rule.remote_group_id else None)
                for rule in rules
            ),
        )

    def step(self, view: SecurityGroupView, cloud: SecurityCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            if view.is_default or cloud.delete_security_group(view.id):
                # A rule may refer to its own group, so that the rows of the rules have to go first.
                return gone(deletions=[(SecurityGroupRule, rule.spec.id) for rule in view.rules])
            return again(1, "Waiting for the security group to go", progress=50)
        cloud_id = _ensure_group(view, cloud)
        if cloud_id is None:
            return again(1, "Waiting for the cloud to make the default security group", progress=10)
        if cloud_id != view.cloud_id:
            return again(
                0, "Made the security group", progress=40, changes={(SecurityGroup, view.id): {"cloud_id": cloud_id}}
            )
        for rule in view.rules:
            if rule.remote_group_id is not None and rule.spec.remote_group_cloud_id is None:
                return again(1, f"Waiting for security group {rule.remote_group_name}", progress=50)
        cloud_ids = cloud.replace_rules(cloud_id, [rule.spec for rule in view.rules])
        observed: Changes = {
            (SecurityGroupRule, rule.spec.id): {"cloud_id": cloud_ids[rule.spec.id]}
            for rule in view.rules
            if cloud_ids[rule.spec.id] != rule.cloud_id
        }
        if observed:
            return again(0, "Set the rules", progress=80, changes=observed)
        return done()


def _ensure_group(view: SecurityGroupView, cloud: SecurityCloud) -> CloudId | None:
    """Have the group, and return its id in the cloud; None if it is the cloud that has to make it."""
    if not view.is_default:
        return cloud.ensure_security_group(view.id, description=describe(view.name, view.description)).cloud_id
    default = cloud.find_default_security_group()
    return default.cloud_id if default is not None else None


def _view_rule(rule: SecurityGroupRule, remote_group: SecurityGroup | None) -> RuleView:
    spec = RuleSpec(
        id=rule.id,
        direction=cast(Literal["ingress", "egress"], rule.direction),
        ethertype=cast(Literal["IPv4", "IPv6"], rule.ethertype),
        protocol=rule.protocol,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=rule.remote_ip_prefix,
        remote_group_cloud_id=remote_group.cloud_id if remote_group else None,
        description=rule.description,
    )
    return RuleView(spec, rule.remote_group_id, remote_group.name if remote_group else None, rule.cloud_id)
