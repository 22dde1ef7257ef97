"""What the API says and hears about a tenant's members, quotas and audit log."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from platforma.api.fields import Input, Name, Output
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
    """How much of a resource the tenant may have."""

    resource: str
    maximum: int


class AuditEventOut(Output):
    """Who did what in the tenant."""

    id: UUID
    at: datetime
    actor: str
    action: str
    target: str | None
    details: dict[str, Any]
