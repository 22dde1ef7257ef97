"""`/api/v1/security-groups`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page, ResourceQuery
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.network import security_groups as service
from platforma.network.models import SecurityGroupRule
from platforma.network.schemas import NameChange, RuleCreate, RuleOut, SecurityGroupCreate, SecurityGroupOut
from platforma.network.security_groups import GroupWithRules
from platforma.operations.models import Operation
from platforma.operations.schemas import Accepted, OperationOut

security_groups = APIRouter(prefix="/security-groups", tags=["Security groups"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.SECURITY_GROUPS_READ)]
Writes = Annotated[Writing, may_write(Permission.SECURITY_GROUPS_WRITE)]


@security_groups.get("")
async def list_security_groups(query: Annotated[ResourceQuery, Query()], reading: Reads) -> Page[SecurityGroupOut]:
    """Security groups with their rules."""
    return await service.list_security_group_outputs(reading.session, query)


@security_groups.post("", status_code=202)
async def create_security_group(body: SecurityGroupCreate, writing: Writes) -> Accepted[SecurityGroupOut]:
    """Make a security group. It lets everything out, and in what its rules admit."""
    return accepted_group(*await service.create_security_group(writing.session, writing.principal, body))


@security_groups.get("/{security_group_id}")
async def get_security_group(security_group_id: UUID, reading: Reads) -> SecurityGroupOut:
    """One security group with its rules."""
    return security_group_out(await service.get_security_group(reading.session, security_group_id))


@security_groups.patch("/{security_group_id}", status_code=202)
async def change_security_group(
    security_group_id: UUID, body: NameChange, writing: Writes
) -> Accepted[SecurityGroupOut]:
    """Rename a security group or describe it anew."""
    return accepted_group(
        *await service.change_security_group(writing.session, writing.principal, security_group_id, body)
    )


@security_groups.delete("/{security_group_id}", status_code=202)
async def delete_security_group(security_group_id: UUID, writing: Writes) -> Accepted[SecurityGroupOut]:
    """Delete a security group. Refused while servers or rules of other groups use it."""
    return accepted_group(*await service.delete_security_group(writing.session, writing.principal, security_group_id))


@security_groups.post("/{security_group_id}/rules", status_code=202)
async def add_rule(security_group_id: UUID, body: RuleCreate, writing: Writes) -> Accepted[RuleOut]:
    """Admit more traffic."""
    return accepted_rule(*await service.add_rule(writing.session, writing.principal, security_group_id, body))


@security_groups.delete("/{security_group_id}/rules/{rule_id}", status_code=202)
async def delete_rule(security_group_id: UUID, rule_id: UUID, writing: Writes) -> Accepted[RuleOut]:
    """Admit no longer what a rule admits."""
    return accepted_rule(*await service.delete_rule(writing.session, writing.principal, security_group_id, rule_id))


def security_group_out(described: GroupWithRules) -> SecurityGroupOut:
    """Describe a security group."""
    group, rules = described
    fields = {name: getattr(group, name) for name in SecurityGroupOut.model_fields if name != "rules"}
    return SecurityGroupOut(**fields, rules=[RuleOut.model_validate(rule) for rule in rules])


def accepted_group(described: GroupWithRules, operation: Operation) -> Accepted[SecurityGroupOut]:
    """Answer a change of a security group."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=security_group_out(described))


def accepted_rule(rule: SecurityGroupRule, operation: Operation) -> Accepted[RuleOut]:
    """Answer a change of a rule."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=RuleOut.model_validate(rule))
