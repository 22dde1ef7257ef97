"""Operations, and what every resource that lives in a cloud has in common."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import WRITE, Grants, Restriction, TenantOwned, Touched, UnscopedModelError, update_of


class OperationStatus(StrEnum):
    """Where an operation stands. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


REMOVALS = (".delete", ".offboard", ".revoke")
"""How actions end that have succeeded when their resource is gone."""


ACCESS = "kubernetes_access"
"""The kind of what is reconciled when members may no longer have their kubeconfigs."""


SETUP = "platforma"
"""Who asks for what a new tenant is given."""
OPERATOR = "operator "
"""How the names of operators begin where tenants read them."""


class Plane(StrEnum):
    """Who carries an operation out: the tenants' worker, or the provisioner with the administrator's rights."""

    TENANT = "tenant"
    PLATFORM = "platform"


class ResourceStatus(StrEnum):
    """Where a resource stands between what is desired and what the cloud has."""

    PENDING = "pending"
    CREATING = "creating"
    ACTIVE = "active"
    UPDATING = "updating"
    DELETING = "deleting"
    ERROR = "error"


class Operation(Touched, TenantOwned):
    """One wish of a person, and how far it has come."""

    __tablename__ = "operations"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: (
            "SELECT",
            "INSERT",
            update_of(
                "attempts", "claim", "error", "finished_at", "progress", "status", "step", "trouble_since", "updated_at"
            ),
        ),
        DatabaseRole.WORKER: WRITE,
        DatabaseRole.PROVISIONER: WRITE,
        DatabaseRole.OPERATOR: ("SELECT", "INSERT", "UPDATE"),
    }
    __gate_reads__ = True
    __restrictions__ = (
        # Else somebody who speaks SQL as these roles could have the provisioner do what he likes, or be born
        # before another tenant's operation of the same id (see gate.open_operation).
        Restriction(
            "own_plane_and_time",
            (DatabaseRole.PORTAL, DatabaseRole.WORKER),
            "INSERT",
            check="((plane = 'tenant'::text) AND (created_at = now()))",
        ),
    )
    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status"),
        CheckConstraint("plane IN ('tenant', 'platform')", name="plane"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        Index(None, "id"),
        Index(None, "tenant_id", "resource_id"),
        Index(
            "operations_unfinished_idx", "tenant_id", "plane", postgresql_where=text("status IN ('queued', 'running')")
        ),
    )

    plane: Mapped[str] = mapped_column(server_default="tenant")
    action: Mapped[str]
    """What was asked for: `server.create`, `volume.attach`, `tenant.onboard`."""
    resource_kind: Mapped[str]
    resource_id: Mapped[UUID]
    resource_name: Mapped[str]
    requested_by: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="queued")
    progress: Mapped[int] = mapped_column(server_default="0")
    step: Mapped[str | None]
    """What is being done or waited for, in words for a person."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    """How often in a row the cloud was in no state to take the step."""
    error: Mapped[dict[str, Any] | None]
    """The last problem, as `{"type", "title", "detail"}`; cleared when a later try gets further."""
    trouble_since: Mapped[datetime | None]
    """When the cloud began to refuse the present step; the worker gives up some time after that."""
    claim: Mapped[UUID | None]
    """Token of the worker that takes the present step: only its holder may record what came of it."""
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class Resource(Touched, TenantOwned):
    """What a member wants to exist in the cloud, and what was last seen of it there.

    The cloud object is found again by `cloud_id`, or before that is known by a name derived from `id`. Each model says
    what of it is metered: a `Meter`, or None.
    """

    __abstract__ = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__meter__" not in cls.__dict__:
            raise UnscopedModelError(
                f"{cls.__name__} does not say in __meter__ what of it is metered: a Meter, or None."
            )

    name: Mapped[str] = mapped_column(sort_order=-10)
    description: Mapped[str] = mapped_column(server_default="", sort_order=-9)
    status: Mapped[str] = mapped_column(server_default="pending", sort_order=-8)
    status_reason: Mapped[str | None] = mapped_column(sort_order=-7)
    cloud_id: Mapped[str | None] = mapped_column(sort_order=-6)
    deletion_requested_at: Mapped[datetime | None] = mapped_column(sort_order=-5)


RESOURCE_GRANTS: Grants = {
    DatabaseRole.PORTAL: ("SELECT", "INSERT", "UPDATE", "DELETE"),
    DatabaseRole.WORKER: WRITE,
    DatabaseRole.PROVISIONER: WRITE,
}
"""Resources of tenants: the portal writes what is desired, the workers what is observed; operators see nothing."""
