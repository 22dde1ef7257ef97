"""Pages of security groups and their rules."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ConfigDict, Field, ValidationError, model_validator

from platforma.api.fields import Description, Name
from platforma.api.lists import ResourceQuery
from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.kit.problems import NotFound
from platforma.network import security_groups as service
from platforma.network.models import SecurityGroup, SecurityGroupRule
from platforma.network.pages import NetworksQuery
from platforma.network.schemas import Cidr, NameChange, Protocol, RuleCreate, SecurityGroupCreate
from platforma.network.security_group_endpoints import Reads, Writes
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, EditForm, show_deletion, show_edit
from platforma.portal.routes import PageRoute, shown_on

security_groups = APIRouter(prefix="/security-groups", tags=["Security groups"], route_class=PageRoute)

Plans = Annotated[Reading, may_read(Permission.SECURITY_GROUPS_WRITE)]

_EXAMPLE_ID = "0190a5f0-0000-7000-8000-000000000000"
_ANYWHERE = (None, "0.0.0.0/0", "::/0")

SERVICES: dict[str, tuple[str, Protocol | None, int | None]] = {
    "ssh": ("SSH (TCP 22)", "tcp", 22),
    "http": ("HTTP (TCP 80)", "tcp", 80),
    "https": ("HTTPS (TCP 443)", "tcp", 443),
    "postgresql": ("PostgreSQL (TCP 5432)", "tcp", 5432),
    "rdp": ("Remote desktop (TCP 3389)", "tcp", 3389),
    "icmp": ("Ping and other ICMP", "icmp", None),
    "any": ("Everything", None, None),
}
"""What the form for a rule offers by name: protocol and port."""


class GroupForm(FormInput):
    """A security group."""

    name: Annotated[Name, Field(examples=["web"])]
    description: Description = ""


class RuleForm(FormInput):
    """A rule: what is admitted, and from where."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"service": "ssh", "source": "group", "remote_group_id": _EXAMPLE_ID}]}
    )

    direction: Literal["ingress", "egress"] = "ingress"
    ethertype: Literal["IPv4", "IPv6"] = "IPv4"
    service: Literal["ssh", "http", "https", "postgresql", "rdp", "icmp", "any", "custom"] = "custom"
    protocol: Protocol | None = None
    port_range_min: int | None = Field(default=None, ge=0, le=65535)
    port_range_max: int | None = Field(default=None, ge=0, le=65535)
    source: Literal["anywhere", "range", "group"] = "range"
    remote_ip_prefix: Cidr | None = None
    remote_group_id: UUID | None = None
    description: Description = ""

    @model_validator(mode="after")
    def _check_rule(self) -> "RuleForm":
        if self.source == "range" and self.remote_ip_prefix is None:
            raise ValueError("Enter the address range, or choose another source.")
        if self.source == "group" and self.remote_group_id is None:
            raise ValueError("Choose the security group, or choose another source.")
        try:
            self.wanted()
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
        return self

    def wanted(self) -> RuleCreate:
        """Return the rule that is asked for."""
        protocol, low, high = self.protocol, self.port_range_min, self.port_range_max
        if self.service != "custom":
            _title, protocol, low = SERVICES[self.service]
            high = low
        elif high is None and protocol in ("tcp", "udp"):
            high = low
        if protocol == "icmp" and self.ethertype == "IPv6":
            protocol = "ipv6-icmp"
        return RuleCreate(
            direction=self.direction,
            ethertype=self.ethertype,
            protocol=protocol,
            port_range_min=low,
            port_range_max=high,
            remote_ip_prefix=self.remote_ip_prefix if self.source == "range" else None,
            remote_group_id=self.remote_group_id if self.source == "group" else None,
            description=self.description,
        )


def is_open_to_all(rule: SecurityGroupRule) -> bool:
    """Say whether a rule lets the whole internet in."""
    return rule.direction == "ingress" and rule.remote_group_id is None and rule.remote_ip_prefix in _ANYWHERE


@security_groups.get("")
async def show_security_groups(request: Request, query: Annotated[NetworksQuery, Query()], reading: Reads) -> Response:
    """The list of security groups."""
    rows, cursor = await service.list_security_groups(reading.session, query)
    return render(
        request,
        "network/security_groups.html",
        reading,
        rows=rows,
        running=await find_running_operations(reading.session, [group.id for group, _rules in rows]),
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
        open_rules=lambda rules: [rule for rule in rules if is_open_to_all(rule)],
    )


@security_groups.get("/new")
async def show_new_security_group(request: Request, reading: Plans) -> Response:
    """The form for a security group."""
    return render(request, "network/new_security_group.html", reading)


@security_groups.post("")
@shown_on("/security-groups/new")
async def create_security_group(form: Annotated[GroupForm, Form()], writing: Writes) -> Response:
    """Make a security group."""
    wanted = SecurityGroupCreate(name=form.name, description=form.description)
    (group, _rules), _operation = await service.create_security_group(writing.session, writing.principal, wanted)
    return see_other(f"/security-groups/{group.id}")


@security_groups.get("/{security_group_id}")
async def show_security_group(security_group_id: UUID, request: Request, reading: Reads) -> Response:
    """A security group with its rules."""
    group, rules = await service.get_security_group(reading.session, security_group_id)
    others, _cursor = await service.list_security_groups(reading.session, ResourceQuery(limit=200, sort="name"))
    return render(
        request,
        "network/security_group.html",
        reading,
        group=group,
        rules=sorted(
            rules, key=lambda rule: (rule.direction != "ingress", rule.protocol or "", rule.port_range_min or 0)
        ),
        groups={other.id: other for other, _rules in others},
        services=[(value, title) for value, (title, _protocol, _port) in SERVICES.items()],
        operation=await find_latest_operation(reading.session, security_group_id),
        is_open_to_all=is_open_to_all,
    )


@security_groups.get("/{security_group_id}/edit")
async def show_edit_security_group(security_group_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a security group's name."""
    group = await get_resource(reading.session, SecurityGroup, security_group_id)
    return show_edit(request, reading, group, kind="security group", at=f"/security-groups/{security_group_id}")


@security_groups.post("/{security_group_id}/edit")
@shown_on("/security-groups/{security_group_id}/edit")
async def edit_security_group(security_group_id: UUID, form: Annotated[EditForm, Form()], writing: Writes) -> Response:
    """Rename a security group."""
    change = NameChange(name=form.name, description=form.description)
    await service.change_security_group(writing.session, writing.principal, security_group_id, change)
    return see_other(f"/security-groups/{security_group_id}")


@security_groups.get("/{security_group_id}/delete")
async def show_delete_security_group(security_group_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a security group shall go."""
    group = await get_resource(reading.session, SecurityGroup, security_group_id)
    lost = ("Its rules go with it.",)
    at = f"/security-groups/{security_group_id}"
    return show_deletion(request, reading, group, kind="security group", at=at, consequences=lost)


@security_groups.post("/{security_group_id}/delete")
@shown_on("/security-groups/{security_group_id}/delete")
async def delete_security_group(security_group_id: UUID, writing: Writes) -> Response:
    """Delete a security group."""
    await service.delete_security_group(writing.session, writing.principal, security_group_id)
    return see_other("/security-groups", notice="deletion-requested")


@security_groups.post("/{security_group_id}/rules")
@shown_on("/security-groups/{security_group_id}")
async def add_rule(security_group_id: UUID, form: Annotated[RuleForm, Form()], writing: Writes) -> Response:
    """Add a rule."""
    await service.add_rule(writing.session, writing.principal, security_group_id, form.wanted())
    return see_other(f"/security-groups/{security_group_id}")


@security_groups.get("/{security_group_id}/rules/{rule_id}/delete")
async def show_delete_rule(security_group_id: UUID, rule_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a rule shall go."""
    group = await get_resource(reading.session, SecurityGroup, security_group_id)
    rule = await reading.session.get(SecurityGroupRule, rule_id)
    if rule is None or rule.security_group_id != group.id:
        raise NotFound
    return render(request, "network/delete_rule.html", reading, group=group, rule=rule)


@security_groups.post("/{security_group_id}/rules/{rule_id}/delete")
@shown_on("/security-groups/{security_group_id}/rules/{rule_id}/delete")
async def delete_rule(security_group_id: UUID, rule_id: UUID, writing: Writes) -> Response:
    """Delete a rule."""
    await service.delete_rule(writing.session, writing.principal, security_group_id, rule_id)
    return see_other(f"/security-groups/{security_group_id}")
