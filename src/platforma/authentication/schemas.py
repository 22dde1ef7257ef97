"""What the API says and hears about signing in."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints
from ua_parser import parse

from platforma.api.fields import Input, Output
from platforma.authentication.models import Session
from platforma.authentication.passwords import MAXIMUM_LENGTH, MINIMUM_LENGTH
from platforma.authentication.permissions import PERMISSIONS, Permission, Role
from platforma.authentication.principals import Principal

Email = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=r"^[^\x00\s@]+@[^\x00\s@]+$")]
Password = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]
NewPassword = Annotated[
    str, StringConstraints(min_length=MINIMUM_LENGTH, max_length=MAXIMUM_LENGTH, pattern=r"^[^\x00]*$")
]
Token = Annotated[str, StringConstraints(min_length=20, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")]


class SignIn(Input):
    """E-mail and password."""

    email: Email = Field(examples=["ada@example.org"])
    password: Password = Field(examples=["correct horse battery staple"])


class PasswordChange(Input):
    """The present password and a new one of 12 to 256 characters."""

    present_password: Password = Field(examples=["correct horse battery staple"])
    new_password: NewPassword = Field(examples=["a sentence is a good password"])


class InvitationToken(Input):
    """The token of an invitation."""

    token: Token = Field(examples=["xgL1hP4pYd0Vq3m8Zs5tK7wR2nB6cJ9aE0uF1iO2yQw"])


class InvitationAcceptance(InvitationToken):
    """The token of an invitation, and the password to set."""

    password: NewPassword = Field(examples=["a sentence is a good password"])


class InvitedOut(Output):
    """Whom an invitation is for."""

    email: str
    name: str
    tenant_name: str


class AcceptedOut(Output):
    """The e-mail to sign in with."""

    email: str


class TenantOut(Output):
    """The tenant of the session."""

    id: UUID
    name: str
    status: str


class MeOut(Output):
    """The signed-in member."""

    id: UUID
    email: str
    name: str
    role: Role
    permissions: list[Permission]
    tenant: TenantOut
    session_id: UUID

    @classmethod
    def of(cls, principal: Principal) -> "MeOut":
        """Describe a principal to itself."""
        return cls(
            id=principal.member_id,
            email=principal.email,
            name=principal.name,
            role=principal.role,
            permissions=[permission for permission, roles in PERMISSIONS.items() if principal.role in roles],
            tenant=TenantOut(id=principal.tenant_id, name=principal.tenant_name, status=principal.tenant_status),
            session_id=principal.session_id,
        )


class SessionOut(Output):
    """A signed-in browser or program, and from where it was last used."""

    id: UUID
    device: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    is_current: bool

    @classmethod
    def of(cls, row: Session, current: UUID) -> "SessionOut":
        """Describe a session; `current` is the one that asks."""
        return cls(
            id=row.id,
            device=describe_device(row.user_agent),
            address=row.address,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=row.expires_at,
            is_current=row.id == current,
        )


class RevokedOut(Output):
    """How many sessions ended."""

    revoked: int


@lru_cache(maxsize=1024)
def describe_device(user_agent: str) -> str:
    """Return browser and system in words, such as "Chromium on Linux"."""
    found = parse(user_agent)
    browser = found.user_agent.family if found.user_agent else (user_agent[:40] or "Unknown program")
    return f"{browser} on {found.os.family}" if found.os else browser
