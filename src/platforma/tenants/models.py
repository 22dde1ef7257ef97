"""Tenants, their quotas, their members, and the credentials with which workers act for them."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import (
    APPEND,
    CHANGE,
    READ,
    WRITE,
    Created,
    Grants,
    PlatformWide,
    TenantOwned,
    Touched,
    update_of,
)
from platforma.kit.ids import new_id

OPENSTACK = "openstack"
"""As in `CloudCredential.cloud`."""


class TenantStatus(StrEnum):
    """Where a tenant stands. An offboarded one is a tombstone: nothing of it is left but its name and the audit."""

    ONBOARDING = "onboarding"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    OFFBOARDING = "offboarding"
    OFFBOARDED = "offboarded"


class Tenant(Touched, PlatformWide):
    """A customer of a portal. Portal and worker see their own row only (`__own_row__`)."""

    __tablename__ = "tenants"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: READ,
        DatabaseRole.WORKER: READ,
        DatabaseRole.PROVISIONER: CHANGE,
        DatabaseRole.OPERATOR: WRITE,
    }
    __gate_reads__ = True
    __own_row__ = True
    __table_args__ = (
        Index(
            "tenants_portal_id_name_key",
            "portal_id",
            "name",
            unique=True,
            postgresql_where=text("status <> 'offboarded'"),
        ),
        CheckConstraint("status IN ('onboarding', 'active', 'suspended', 'offboarding', 'offboarded')", name="status"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"), index=True)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="onboarding")
    is_on_hold: Mapped[bool] = mapped_column(server_default="false")
    """Whether members may change nothing until a bill is paid. Set by billing (`gate.hold_tenant`)."""


class Member(Touched, TenantOwned):
    """A person of one tenant, who signs in at the tenant's portal. Secrets are in the gate."""

    __tablename__ = "members"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: ("SELECT", update_of("name", "role", "status", "updated_at")),
        DatabaseRole.WORKER: READ,
        DatabaseRole.PROVISIONER: WRITE,
        DatabaseRole.OPERATOR: WRITE,
    }
    __gate_reads__ = True
    __table_args__ = (
        UniqueConstraint("tenant_id", "email"),
        CheckConstraint("role IN ('owner', 'admin', 'member', 'billing', 'viewer')", name="role"),
        CheckConstraint("status IN ('invited', 'active', 'suspended')", name="status"),
    )

    email: Mapped[str]
    name: Mapped[str]
    role: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="invited")


class Quota(TenantOwned):
    """How much of one kind of resource a tenant may have."""

    __tablename__ = "quotas"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: READ,
        DatabaseRole.WORKER: READ,
        DatabaseRole.PROVISIONER: WRITE,
        DatabaseRole.OPERATOR: WRITE,
    }
    __table_args__ = (
        UniqueConstraint("tenant_id", "resource"),
        CheckConstraint("maximum >= 0", name="maximum"),
    )

    resource: Mapped[str]
    maximum: Mapped[int]


class CloudCredential(Created, TenantOwned):
    """The tenant's own access to one cloud, sealed for it alone. No portal process can read it."""

    __tablename__ = "cloud_credentials"
    __grants__: ClassVar[Grants] = {DatabaseRole.WORKER: READ, DatabaseRole.PROVISIONER: WRITE}
    __table_args__ = (UniqueConstraint("tenant_id", "cloud"),)

    cloud: Mapped[str]
    project_id: Mapped[str]
    user_id: Mapped[str | None]
    sealed: Mapped[bytes | None]


class AuditEvent(TenantOwned):
    """Who did what in the tenant. Rows are added and never changed, but by the gate, which counts refused sign-ins."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "tenant_id", "at"),)
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: APPEND,
        DatabaseRole.WORKER: APPEND,
        DatabaseRole.PROVISIONER: ("SELECT", "INSERT", "DELETE"),
        DatabaseRole.OPERATOR: APPEND,
    }
    __gate_reads__ = True

    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str]
    target: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class OperatorAudit(PlatformWide):
    """What operators did, with the reason they gave. Rows are added and never changed."""

    __tablename__ = "operator_audit"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: APPEND, DatabaseRole.PROVISIONER: APPEND}

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, server_default=func.gen_random_uuid())
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor: Mapped[str]
    action: Mapped[str]
    tenant_id: Mapped[UUID | None]
    reason: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
