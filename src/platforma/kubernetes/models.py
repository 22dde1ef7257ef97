"""Clusters of the platform; tenants' namespaces, the openings between them, and issued kubeconfigs."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import (
    CHANGE,
    READ,
    WRITE,
    Created,
    Grants,
    Meter,
    PlatformWide,
    TenantOwned,
    Touched,
    select_of,
    tenant_reference,
)
from platforma.kit.ids import new_id
from platforma.operations.models import RESOURCE_GRANTS, Resource


class ClusterStatus(StrEnum):
    """Where a cluster stands. Namespaces are made in a ready one only; those that are there are looked after in any."""

    CHECKING = "checking"
    READY = "ready"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"


class Cluster(Touched, PlatformWide):
    """A Kubernetes cluster that the operator has connected, and what its last examination found."""

    __tablename__ = "clusters"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: READ,
        DatabaseRole.WORKER: READ,
        DatabaseRole.PROVISIONER: CHANGE,
        DatabaseRole.OPERATOR: WRITE,
    }
    __table_args__ = (
        CheckConstraint("status IN ('checking', 'ready', 'refused', 'unavailable')", name="status"),
        Index(None, "check_due_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    server: Mapped[str]
    """The address of its API server."""
    options: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """What the operator said about it, as `platforma.operator.schemas.ClusterSettings`."""
    status: Mapped[str] = mapped_column(server_default="checking")
    status_reason: Mapped[str | None]
    version: Mapped[str | None]
    is_simulated: Mapped[bool] = mapped_column(server_default="false")
    """Whether it is a stand-in for development, which keeps objects and moves no packets."""
    findings: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """What the last examination saw, for the operator: by the name of the check, its outcome in words."""
    checked_at: Mapped[datetime | None]
    check_requested_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    """When an operator last asked for an examination; None once it has been made."""
    check_due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """When a provisioner takes it up next. While one examines it, this is when another may."""
    check_attempts: Mapped[int] = mapped_column(server_default="0")
    """How many examinations in a row could not be made."""


class ClusterAdministrator(Created, PlatformWide):
    """An administrator's kubeconfig, sealed to the provisioner's public key: operators can write and not read it."""

    __tablename__ = "cluster_administrators"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PROVISIONER: READ,
        DatabaseRole.OPERATOR: (select_of("cluster_id", "created_at"), "INSERT", "DELETE"),
    }

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes]


class ClusterAccess(Touched, PlatformWide):
    """The tenants' worker's own, lesser credential of a cluster, which the provisioner makes and renews."""

    __tablename__ = "cluster_access"
    __grants__: ClassVar[Grants] = {DatabaseRole.WORKER: READ, DatabaseRole.PROVISIONER: WRITE}

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes]
    expires_at: Mapped[datetime | None]


class SealingKey(Created, PlatformWide):
    """A public key of the provisioner, to which operators seal what they may not read again."""

    __tablename__ = "sealing_keys"
    __grants__: ClassVar[Grants] = {DatabaseRole.PROVISIONER: ("SELECT", "INSERT"), DatabaseRole.OPERATOR: READ}

    public_key: Mapped[bytes] = mapped_column(primary_key=True)


class Namespace(Resource):
    """A namespace in a cluster, with what keeps it apart from all others, and its quota."""

    __tablename__ = "namespaces"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = Meter("CASE WHEN r.cloud_id IS NOT NULL THEN 'namespace.vcpu' END", "r.vcpus")
    __table_args__ = (
        UniqueConstraint("tenant_id", "name"),
        CheckConstraint("vcpus > 0", name="vcpus"),
        CheckConstraint("ram_mib > 0", name="ram_mib"),
        CheckConstraint("pods > 0", name="pods"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), index=True)
    vcpus: Mapped[int]
    ram_mib: Mapped[int]
    pods: Mapped[int]
    readings_requested: Mapped[int] = mapped_column(server_default="0")
    readings_done: Mapped[int] = mapped_column(server_default="0")


class NamespaceReading(TenantOwned):
    """What was last seen in a namespace: workloads, events, and how much of the quota is used."""

    __tablename__ = "namespace_readings"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __table_args__ = (
        tenant_reference("namespace_id", "namespaces", ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "namespace_id"),
    )

    namespace_id: Mapped[UUID]
    content: Mapped[dict[str, Any]]
    read_at: Mapped[datetime]


class Opening(Created, TenantOwned):
    """Traffic from one namespace of the tenant to pods of another: the composite keys admit no other tenant's."""

    __tablename__ = "openings"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __table_args__ = (
        tenant_reference("namespace_id", "namespaces", ondelete="CASCADE"),
        tenant_reference("from_namespace_id", "namespaces", ondelete="CASCADE"),
        Index(None, "tenant_id", "namespace_id"),
        Index(None, "tenant_id", "from_namespace_id"),
        CheckConstraint("namespace_id <> from_namespace_id", name="namespace_id"),
        CheckConstraint("protocol IN ('TCP', 'UDP', 'SCTP')", name="protocol"),
        CheckConstraint("port BETWEEN 1 AND 65535 AND end_port BETWEEN port AND 65535", name="port"),
    )

    namespace_id: Mapped[UUID]
    """Where the traffic comes in."""
    from_namespace_id: Mapped[UUID]
    pod_labels: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """The pods that are opened: those with all of these labels, or all if there are none."""
    protocol: Mapped[str]
    port: Mapped[int]
    end_port: Mapped[int]
    description: Mapped[str] = mapped_column(server_default="")


class Kubeconfig(Resource):
    """An issued way in: a token that is confined to the tenant's namespaces in one cluster, and ends by itself.

    Deleting it revokes the token. What was issued is here only until it is collected, sealed to the key of whoever
    asked for it.
    """

    __tablename__ = "kubeconfigs"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = None
    __table_args__ = (
        tenant_reference("member_id", "members", ondelete="SET NULL (member_id)"),
        Index(None, "tenant_id", "member_id"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("clusters.id"), index=True)
    member_id: Mapped[UUID | None]
    issued_to: Mapped[str]
    """The member's e-mail."""
    lifetime_seconds: Mapped[int]
    public_key: Mapped[bytes]
    sealed: Mapped[bytes | None]
    expires_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None]
