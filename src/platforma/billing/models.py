"""Usage, as the database has metered it."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import READ, Created, Grants, TenantOwned

ACCOUNTS: Grants = {
    DatabaseRole.PORTAL: READ,
    DatabaseRole.WORKER: READ,
    DatabaseRole.PROVISIONER: READ,
    DatabaseRole.OPERATOR: READ,
}
"""Who may look at accounts, each under the binding of one tenant. Nobody may write what the database meters."""


class UsageEvent(TenantOwned):
    """From `at` on, a resource uses `quantity` units of an item; 0 ends it. Written by `gate.meter`, never changed."""

    __tablename__ = "usage_events"
    __grants__: ClassVar[Grants] = ACCOUNTS
    __gate_reads__ = True
    __outlives_tenant__ = True
    __table_args__ = (
        UniqueConstraint("tenant_id", "resource_id", "at", "item"),
        Index(None, "tenant_id", "at"),
        CheckConstraint("quantity >= 0", name="quantity"),
    )

    resource_kind: Mapped[str]
    resource_id: Mapped[UUID]
    resource_name: Mapped[str]
    """As it was called then."""
    item: Mapped[str]
    """What is sold: `server.running:<flavour>`, `server.stopped:<flavour>`, `volume`."""
    quantity: Mapped[int] = mapped_column(BigInteger)
    """Servers count one by one, volumes in GiB."""
    at: Mapped[datetime]


class UsageCorrection(Created, TenantOwned):
    """Usage that is added to a resource's, or taken from it: what was wrong is never changed, but made up for.

    `key` is the reporter's own: the same correction sent twice counts once, and another one under its key is refused.
    """

    __tablename__ = "usage_corrections"
    __grants__: ClassVar[Grants] = {**ACCOUNTS, DatabaseRole.OPERATOR: ("SELECT", "INSERT")}
    __outlives_tenant__ = True
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        Index(None, "tenant_id", "at"),
        CheckConstraint("unit_seconds <> 0", name="unit_seconds"),
    )

    key: Mapped[str]
    payload_hash: Mapped[bytes]
    """SHA-256 over what is corrected, to tell a repetition from a contradiction."""
    resource_kind: Mapped[str]
    resource_id: Mapped[UUID]
    resource_name: Mapped[str]
    item: Mapped[str]
    unit_seconds: Mapped[int] = mapped_column(BigInteger)
    """Units times seconds; negative to take away."""
    at: Mapped[datetime]
    """The moment that it counts for."""
    reason: Mapped[str]
    made_by: Mapped[str]
