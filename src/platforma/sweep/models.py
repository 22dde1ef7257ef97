"""Sweeps of tenants' projects, what they found, and what operators chose to have done about it."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import CHANGE, READ, WRITE, Grants, PlatformWide, TenantOwned, Touched


class Sweep(Touched, TenantOwned):
    """When a tenant's project is looked at next, and how it went last. Made by the gate."""

    __tablename__ = "sweeps"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.WORKER: CHANGE,
        DatabaseRole.PROVISIONER: ("SELECT", "DELETE"),
    }
    __gate_reads__ = True
    __table_args__ = (UniqueConstraint("tenant_id"), Index(None, "wake_at"))

    wake_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lease: Mapped[UUID | None]
    """Token of the worker whose turn it is."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    """How many turns in a row have not come to their end."""
    finished_at: Mapped[datetime | None]
    trouble: Mapped[str | None]
    """Why the last turn did not come to its end, for a person."""
    suspected: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """Walls that were open at resources that were being worked on, and since when, by the finding's key."""


class SweepFinding(TenantOwned):
    """A difference between a tenant's project and the database, with the evidence. Kept when it is gone."""

    __tablename__ = "sweep_findings"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.WORKER: ("SELECT", "INSERT", "UPDATE"),
        DatabaseRole.PROVISIONER: ("SELECT", "DELETE"),
    }
    __gate_reads__ = True
    __table_args__ = (
        CheckConstraint("status IN ('open', 'mending', 'mended', 'gone')", name="status"),
        Index(
            "sweep_findings_tenant_id_key_key",
            "tenant_id",
            "key",
            unique=True,
            postgresql_where=text("status IN ('open', 'mending')"),
        ),
        Index(None, "last_seen_at"),
    )

    key: Mapped[str]
    """The same for the same difference, as long as it lasts."""
    kind: Mapped[str]
    subject: Mapped[str]
    """What it is about, as the tenant calls it."""
    evidence: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(server_default="open")
    """`gone`: it ended by itself, or somebody else ended it."""
    first_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class SweepChoice(PlatformWide):
    """What an operator chose to have done about a kind of finding: mend it, or only report it."""

    __tablename__ = "sweep_choices"
    __grants__: ClassVar[Grants] = {DatabaseRole.WORKER: READ, DatabaseRole.OPERATOR: WRITE}

    kind: Mapped[str] = mapped_column(primary_key=True)
    mode: Mapped[str]
    chosen_by: Mapped[str]
    chosen_at: Mapped[datetime] = mapped_column(server_default=func.now())
