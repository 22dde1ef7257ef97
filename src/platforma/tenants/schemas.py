"""What the API says and hears about a tenant's members, quotas and audit log."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from platforma.api.fields import Input, Name, Output
from platforma.api.lists import ListQuery
from platforma.authentication.permissions import Role


class MemberOut(Output):
    """A member of the tenant."""

    id: UUID
    email: str
    name: str
    role: Role
    status: Literal["invited", "active", "suspended"]
    created_at: datetime


class MemberChange(Input):
    """What can be changed of a member. A change of role or a suspension ends the member's sessions."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ada"}]})

    name: Name = Field(default=None)  # type: ignore[assignment]
    role: Role = Field(default=None)  # type: ignore[assignment]
    status: Literal["active", "suspended"] = Field(default=None)  # type: ignore[arg-type]


class QuotaOut(Output):
    """How much of a resource the tenant may have, and how much it has."""

    resource: str
    title: str = Field(description="Of what, in words.")
    used: int
    maximum: int


class AuditFilters(BaseModel):
    """Which lines of the audit log."""

    model_config = ConfigDict(extra="forbid")

    actor: Annotated[str, StringConstraints(max_length=254, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="Part of who did it, in any case."
    )
    action: Annotated[str, StringConstraints(max_length=80, pattern=r"^[a-z_]+(\.[a-z_]+)?$")] | None = Field(
        default=None, description="One action, such as `server.create`, or all of a kind: `server`."
    )
    since: AwareDatetime | date | None = Field(default=None, description="A moment, or the first day in UTC.")
    until: AwareDatetime | date | None = Field(default=None, description="A moment, or the last day in UTC.")


class AuditQuery(AuditFilters, ListQuery):
    """The newest first, if nothing else is said."""

    sort: str = Field(default="-at", pattern=r"^-?at$")


class AuditEventOut(Output):
    """Who did what in the tenant."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target: str | None
    details: dict[str, Any]
