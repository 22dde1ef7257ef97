"""Sessions, and the gate's private store of everything secret about signing in.

The models of schema `gate` are readable by no role but the owner: only the gate's functions reach
them, and each function asks for the secret that its caller must hold.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import (
    READ,
    Created,
    Grants,
    PlatformWide,
    Restriction,
    TenantOwned,
    Touched,
    tenant_reference,
    update_of,
)
from platforma.kit.ids import new_id


class Session(Created, TenantOwned):
    """A signed-in browser or program. The token that proves it is in the gate, as a hash."""

    __tablename__ = "sessions"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: ("SELECT", update_of("revoked_at")),
        DatabaseRole.OPERATOR: ("SELECT", update_of("revoked_at")),
        DatabaseRole.PROVISIONER: ("SELECT", "DELETE"),
    }
    __gate_reads__ = True
    __restrictions__ = (
        Restriction(
            "revoked_for_good",
            (DatabaseRole.PORTAL, DatabaseRole.OPERATOR),
            "UPDATE",
            using="(revoked_at IS NULL)",
            check="(revoked_at IS NOT NULL)",
        ),
    )
    __table_args__ = (
        tenant_reference("member_id", "members", ondelete="CASCADE"),
        Index(None, "tenant_id", "member_id"),
    )

    member_id: Mapped[UUID]
    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"))
    user_agent: Mapped[str]
    address: Mapped[str]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    idle_seconds: Mapped[int]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class SigningKey(Created, PlatformWide):
    """HMAC-SHA256 keys of the gate, as the padded inner and outer blocks of RFC 2104."""

    __tablename__ = "signing_keys"
    __table_args__ = {"schema": "gate"}  # noqa: RUF012
    __grants__: ClassVar[Grants] = {}

    id: Mapped[int] = mapped_column(primary_key=True)
    inner_block: Mapped[bytes]
    outer_block: Mapped[bytes]


class SessionToken(PlatformWide):
    """SHA-256 of a session's token -> the session."""

    __tablename__ = "session_tokens"
    __grants__: ClassVar[Grants] = {}
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "session_id"], ["sessions.tenant_id", "sessions.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "session_id"),
        {"schema": "gate"},
    )

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    session_id: Mapped[UUID]


class Credential(Touched, PlatformWide):
    """A sign-in name of a portal. The database stores SHA-256 of the stretched, peppered password."""

    __tablename__ = "credentials"
    __grants__: ClassVar[Grants] = {}
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "member_id"], ["members.tenant_id", "members.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "member_id"),
        {"schema": "gate"},
    )

    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"), primary_key=True)
    email: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    member_id: Mapped[UUID]
    salt: Mapped[bytes | None]
    verifier: Mapped[bytes | None]


class Invitation(Created, PlatformWide):
    """SHA-256 of an invitation's token -> the member who may set a password with it, once."""

    __tablename__ = "invitations"
    __grants__: ClassVar[Grants] = {}
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "member_id"], ["members.tenant_id", "members.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "member_id"),
        {"schema": "gate"},
    )

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    member_id: Mapped[UUID]
    expires_at: Mapped[datetime]


class SignInBucket(PlatformWide):
    """Token buckets of the sign-in rate limit: a fixed number of rows, whatever is thrown at it."""

    __tablename__ = "sign_in_buckets"
    __grants__: ClassVar[Grants] = {}
    __table_args__ = {"schema": "gate", "prefixes": ["UNLOGGED"]}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    spent: Mapped[float] = mapped_column(server_default="0")
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class Operator(Touched, PlatformWide):
    """A person who runs the installation; signs in at the operator's own host."""

    __tablename__ = "operators"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: READ}
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", name="status"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")


class OperatorCredential(Touched, PlatformWide):
    """An operator's password, stretched and peppered as a member's is."""

    __tablename__ = "operator_credentials"
    __grants__: ClassVar[Grants] = {}
    __table_args__ = {"schema": "gate"}  # noqa: RUF012

    operator_id: Mapped[UUID] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"), primary_key=True)
    salt: Mapped[bytes]
    verifier: Mapped[bytes]


class OperatorSession(Created, PlatformWide):
    """A signed-in operator."""

    __tablename__ = "operator_sessions"
    __grants__: ClassVar[Grants] = {}
    __table_args__ = {"schema": "gate"}  # noqa: RUF012

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    operator_id: Mapped[UUID] = mapped_column(ForeignKey("operators.id", ondelete="CASCADE"))
    user_agent: Mapped[str]
    address: Mapped[str]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    idle_seconds: Mapped[int]
    expires_at: Mapped[datetime]
