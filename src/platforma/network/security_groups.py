"""Security groups with their rules: what members may do with them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import Page, Parts, ResourceQuery, list_outputs, list_page_with_parts, resource_filters
from platforma.authentication.principals import Principal
from platforma.compute.models import Server, ServerSecurityGroup
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.problems import NotFound
from platforma.network.errors import DefaultGroup, NoDefaultGroup, RuleExists
from platforma.network.models import Port, PortSecurityGroup, SecurityGroup, SecurityGroupRule
from platforma.network.schemas import NameChange, RuleCreate, RuleOut, SecurityGroupCreate, SecurityGroupOut
from platforma.network.service import apply_changes, refuse_while_used
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.tenants.quotas import check_quota

_SORTABLE = {"created_at": SecurityGroup.created_at, "name": SecurityGroup.name, "status": SecurityGroup.status}
_RULES = Parts("rules", SecurityGroupRule, RuleOut, of="security_group_id")
_EVERYTHING_OUT = (
    RuleCreate(direction="egress", ethertype="IPv4", description="Everything out"),
    RuleCreate(direction="egress", ethertype="IPv6", description="Everything out"),
)

GroupWithRules = tuple[SecurityGroup, list[SecurityGroupRule]]


async def list_security_groups(session: ReadSession, query: ResourceQuery) -> tuple[list[GroupWithRules], str | None]:
    """Return a page of security groups, each with its rules."""
    return await list_page_with_parts(
        session,
        SecurityGroup,
        query,
        part=SecurityGroupRule,
        part_of=SecurityGroupRule.security_group_id,
        sortable=_SORTABLE,
        where=resource_filters(query, SecurityGroup),
    )


async def list_security_group_outputs(session: ReadSession, query: ResourceQuery) -> Page[SecurityGroupOut]:
    """Return a page of security groups, each with its rules, as the API shows it."""
    return await list_outputs(
        session,
        SecurityGroup,
        SecurityGroupOut,
        query,
        sortable=_SORTABLE,
        where=resource_filters(query, SecurityGroup),
        parts=_RULES,
    )


async def get_security_group(session: TenantSession, security_group_id: UUID) -> GroupWithRules:
    """Return a security group with its rules; raises NotFound."""
    group = await get_resource(session, SecurityGroup, security_group_id)
    return group, (await rules_of(session, [group.id])).get(group.id, [])


async def rules_of(session: TenantSession, group_ids: Sequence[UUID]) -> dict[UUID, list[SecurityGroupRule]]:
    """Return the rules of some security groups, by group."""
    found: dict[UUID, list[SecurityGroupRule]] = {}
    if group_ids:
        statement = (
            select(SecurityGroupRule)
            .where(SecurityGroupRule.security_group_id.in_(group_ids))
            .order_by(SecurityGroupRule.created_at, SecurityGroupRule.id)
        )
        for rule in await session.scalars(statement):
            found.setdefault(rule.security_group_id, []).append(rule)
    return found


async def create_security_group(
    session: WriteSession, principal: Principal, body: SecurityGroupCreate
) -> tuple[GroupWithRules, Operation]:
    """Wish for a security group that lets everything out, and in what its rules admit."""
    await _lock_groups(session, [rule.remote_group_id for rule in body.rules])
    given = {traffic_of(rule) for rule in body.rules}
    wanted = [rule for rule in _EVERYTHING_OUT if traffic_of(rule) not in given] + body.rules
    await check_quota(session, "security_groups", func.count(), SecurityGroup, 1)
    await check_quota(session, "security_group_rules", func.count(), SecurityGroupRule, len(wanted))
    group = SecurityGroup(name=body.name, description=body.description)
    session.add(group)
    await session.flush()
    rules: list[SecurityGroupRule] = []
    for rule in wanted:
        rules.append(await _add_rule(session, group, rules, rule))
    operation = await request_operation(
        session, action="security_group.create", resource=group, requested_by=principal.email
    )
    return (group, rules), operation


async def change_security_group(
    session: WriteSession, principal: Principal, security_group_id: UUID, body: NameChange
) -> tuple[GroupWithRules, Operation]:
    """Rename a security group or describe it anew. Raises DefaultGroup for a new name of the default group."""
    group = await get_resource(session, SecurityGroup, security_group_id, for_change=True)
    changes = body.model_dump(exclude_unset=True)
    if group.is_default and changes.get("name", group.name) != group.name:
        raise DefaultGroup("The default security group keeps its name. Change its rules instead.")
    apply_changes(group, changes)
    operation = await request_operation(
        session, action="security_group.change", resource=group, requested_by=principal.email
    )
    return (group, (await rules_of(session, [group.id])).get(group.id, [])), operation


async def delete_security_group(
    session: WriteSession, principal: Principal, security_group_id: UUID
) -> tuple[GroupWithRules, Operation]:
    """Wish a security group away with its rules.

    Raises DefaultGroup for the default group, InUse while servers, ports or the rules of other groups use it.
    """
    group = await get_resource(session, SecurityGroup, security_group_id, for_change=True)
    if group.is_default:
        raise DefaultGroup("New servers get the default security group. Change its rules instead of deleting it.")
    servers = (
        select(Server.name)
        .join(ServerSecurityGroup, ServerSecurityGroup.server_id == Server.id)
        .where(ServerSecurityGroup.security_group_id == group.id)
        .order_by(Server.name)
        .limit(5)
    )
    refuse_while_used(f"security group {group.name}", "servers", await session.scalars(servers))
    ports = (
        select(Port.name)
        .join(PortSecurityGroup, PortSecurityGroup.port_id == Port.id)
        .where(PortSecurityGroup.security_group_id == group.id)
        .order_by(Port.name)
        .limit(5)
    )
    refuse_while_used(f"security group {group.name}", "ports", await session.scalars(ports))
    others = (
        select(SecurityGroup.name)
        .join(SecurityGroupRule, SecurityGroupRule.security_group_id == SecurityGroup.id)
        .where(SecurityGroupRule.remote_group_id == group.id, SecurityGroup.id != group.id)
        .distinct()
        .order_by(SecurityGroup.name)
        .limit(5)
    )
    refuse_while_used(f"security group {group.name}", "rules of security groups", await session.scalars(others))
    rules = (await rules_of(session, [group.id])).get(group.id, [])
    return (group, rules), await delete_resource(session, group, "security_group.delete", principal.email)


async def choose_groups(session: WriteSession, group_ids: Sequence[UUID] | None) -> list[UUID]:
    """Lock the security groups and return their ids: those that are named, or the default group.

    Raises NotFound, or NoDefaultGroup while the tenant has none.
    """
    if group_ids is None:
        default = await session.scalar(select(SecurityGroup.id).where(SecurityGroup.is_default))
        if default is None:
            raise NoDefaultGroup("Your cloud is still being set up. Try again in a moment, or name a security group.")
        group_ids = [default]
    await _lock_groups(session, group_ids)
    return sorted(group_ids)


async def add_rule(
    session: WriteSession, principal: Principal, security_group_id: UUID, body: RuleCreate
) -> tuple[SecurityGroupRule, Operation]:
    """Wish for one more rule. Raises NotFound, also for the remote group; RuleExists for a second such rule."""
    await _lock_groups(session, [security_group_id, body.remote_group_id])
    group = await get_resource(session, SecurityGroup, security_group_id, for_change=True)
    await check_quota(session, "security_group_rules", func.count(), SecurityGroupRule, 1)
    present = (await rules_of(session, [group.id])).get(group.id, [])
    rule = await _add_rule(session, group, present, body)
    return rule, await request_operation(
        session, action="security_group.add_rule", resource=group, requested_by=principal.email
    )


async def delete_rule(
    session: WriteSession, principal: Principal, security_group_id: UUID, rule_id: UUID
) -> tuple[SecurityGroupRule, Operation]:
    """Wish a rule away. Raises NotFound, also for a rule of another group."""
    group = await get_resource(session, SecurityGroup, security_group_id, for_change=True)
    rule = await session.get(SecurityGroupRule, rule_id, with_for_update=True)
    if rule is None or rule.security_group_id != group.id:
        raise NotFound
    await session.delete(rule)
    return rule, await request_operation(
        session, action="security_group.delete_rule", resource=group, requested_by=principal.email
    )


def traffic_of(rule: RuleCreate | SecurityGroupRule) -> tuple[object, ...]:
    """Return what a rule admits: two rules that admit the same are one rule to Neutron."""
    prefix = rule.remote_ip_prefix
    return (
        rule.direction,
        rule.ethertype,
        rule.protocol,
        rule.port_range_min,
        rule.port_range_max,
        None if prefix in ("0.0.0.0/0", "::/0") else prefix,
        rule.remote_group_id,
    )


async def _lock_groups(session: WriteSession, group_ids: Sequence[UUID | None]) -> None:
    """Lock the groups that a change touches, in one order for all; raises NotFound."""
    for group_id in sorted({id_ for id_ in group_ids if id_ is not None}):
        await get_resource(session, SecurityGroup, group_id, for_change=True)


async def _add_rule(
    session: WriteSession, group: SecurityGroup, present: Sequence[SecurityGroupRule], wanted: RuleCreate
) -> SecurityGroupRule:
    if traffic_of(wanted) in map(traffic_of, present):
        raise RuleExists(f"Security group {group.name} admits this already.")
    rule = SecurityGroupRule(security_group_id=group.id, **wanted.model_dump())
    session.add(rule)
    await session.flush()
    return rule
