"""Erasures: how far each has come, and the records of it, which nobody changes."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import APPEND, READ, WRITE, Grants, Restriction, TenantOwned, Touched


class ErasureMethod(StrEnum):
    """How what a volume holds is destroyed."""

    PLATFORM = "zeroed_by_platform"
    """A worker overwrites it and reads it back, before the cloud may delete it."""
    BACKEND = "zeroed_by_backend"
    """The back end overwrites it while it deletes it (Cinder's `volume_clear`); proven for the type, not for each."""


class ErasureState(StrEnum):
    """How far an erasure has come. The last two are final."""

    REQUESTED = "requested"
    DETACHED = "detached"
    ERASED = "erased"
    VERIFIED = "verified"
    RELEASED = "released"
    LOST = "lost"
    """It was gone from the cloud before it was erased: somebody else has deleted it."""


EVENTS = (*ErasureState, "failed")
"""What a record can say: the state that was reached, or that verification has found something."""

_SEES: Grants = {DatabaseRole.PORTAL: APPEND, DatabaseRole.PROVISIONER: READ, DatabaseRole.OPERATOR: READ}
"""The portal says what is requested, and by a policy nothing else."""


class Erasure(Touched, TenantOwned):
    """The erasure of one volume or snapshot. It stays when the row of that is gone."""

    __tablename__ = "erasures"
    __grants__: ClassVar[Grants] = {**_SEES, DatabaseRole.WORKER: WRITE, DatabaseRole.PROVISIONER: WRITE}
    __table_args__ = (
        UniqueConstraint("tenant_id", "subject_id"),
        CheckConstraint(f"state IN ({', '.join(repr(str(each)) for each in ErasureState)})", name="state"),
        CheckConstraint(f"method IN ({', '.join(repr(str(each)) for each in ErasureMethod)})", name="method"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("subject_kind IN ('volume', 'snapshot')", name="subject_kind"),
    )
    __restrictions__ = (
        Restriction("only_requests", (DatabaseRole.PORTAL,), "INSERT", check="(state = 'requested'::text)"),
    )

    subject_kind: Mapped[str]
    """`volume` or `snapshot`."""
    subject_id: Mapped[UUID]
    name: Mapped[str]
    """What it was called."""
    cloud_id: Mapped[str | None]
    size_gib: Mapped[int]
    method: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="requested")
    position: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """How many bytes from the beginning have been overwritten and flushed."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    """How often verification has found something left."""
    requested_by: Mapped[str]


class ErasureRecord(TenantOwned):
    """One event of an erasure. `gate.chain` gives it its number and the hash over it and all before it."""

    __tablename__ = "erasure_records"
    __grants__: ClassVar[Grants] = {**_SEES, DatabaseRole.WORKER: APPEND}
    __gate_reads__ = True
    __outlives_tenant__ = True
    __chained__ = True
    __table_args__ = (
        UniqueConstraint("tenant_id", "sequence"),
        Index(None, "tenant_id", "erasure_id"),
        CheckConstraint(f"event IN ({', '.join(repr(str(each)) for each in EVENTS)})", name="event"),
    )
    __restrictions__ = (
        Restriction("only_requests", (DatabaseRole.PORTAL,), "INSERT", check="(event = 'requested'::text)"),
    )

    erasure_id: Mapped[UUID]
    event: Mapped[str]
    content: Mapped[str]
    """JSON, as it was hashed, letter by letter."""
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    sequence: Mapped[int] = mapped_column(BigInteger, server_default="0")
    previous_hash: Mapped[str] = mapped_column(server_default="")
    hash: Mapped[str] = mapped_column(server_default="")


Content = dict[str, Any]
"""What a record says, before it is JSON."""
