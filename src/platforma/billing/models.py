"""Usage as the database has metered it, and what it costs."""

from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import READ, Created, Grants, PlatformWide, TenantOwned, update_of
from platforma.kit.ids import new_id

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
    __gate_reads__ = True
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


class PriceBook(Created, PlatformWide):
    """The prices of a portal from a moment on, until its next book. Never changed: a new one takes its place."""

    __tablename__ = "price_books"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: ("SELECT", "INSERT")}
    __table_args__ = (
        UniqueConstraint("portal_id", "effective_from"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"))
    effective_from: Mapped[datetime]
    currency: Mapped[str]
    made_by: Mapped[str]


class Price(PlatformWide):
    """The price of one item in a book. Processes but the operator's see their own portal's: `gate.own_prices`."""

    __tablename__ = "prices"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: ("SELECT", "INSERT")}
    __table_args__ = (
        UniqueConstraint("book_id", "item"),
        CheckConstraint("unit IN ('hour', 'month')", name="unit"),
        CheckConstraint("amount >= 0", name="amount"),
        CheckConstraint("free_units >= 0", name="free_units"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    book_id: Mapped[UUID] = mapped_column(ForeignKey("price_books.id"))
    item: Mapped[str]
    """One item, or what stands before the colon of all of its kind."""
    label: Mapped[str]
    unit: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    """In the currency's major unit."""
    free_units: Mapped[Decimal] = mapped_column(Numeric(20, 6), server_default="0")
    """How many unit hours or unit months of a month cost nothing."""


class Discount(Created, TenantOwned):
    """A discount on everything that a tenant uses, for some time. Only its end is ever changed."""

    __tablename__ = "discounts"
    __grants__: ClassVar[Grants] = {**ACCOUNTS, DatabaseRole.OPERATOR: ("SELECT", "INSERT", update_of("ends"))}
    __outlives_tenant__ = True
    __table_args__ = (CheckConstraint("percent > 0 AND percent <= 100", name="percent"),)

    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    begins: Mapped[datetime]
    ends: Mapped[datetime | None]
    reason: Mapped[str]
    made_by: Mapped[str]

    def is_valid(self, moment: datetime) -> bool:
        """Say whether it counts at a moment, or will later."""
        return self.ends is None or self.ends > max(moment, self.begins)
