"""Payments: what Stripe keeps for a tenant, as last seen, and what is wished of it. No card number is ever here."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import (
    READ,
    WRITE,
    Created,
    Grants,
    PlatformWide,
    Restriction,
    TenantOwned,
    Touched,
    tenant_reference,
    update_of,
)

_WORKERS: Grants = {
    DatabaseRole.PORTAL: READ,
    DatabaseRole.WORKER: ("SELECT", "INSERT", "UPDATE"),
    DatabaseRole.PROVISIONER: READ,
}
"""Cards are nothing to operators; of payments they may read."""


class SetupStatus(StrEnum):
    """Where the adding of a payment method stands."""

    WANTED = "wanted"
    READY = "ready"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class PaymentStatus(StrEnum):
    """Where a payment stands. The last two are final."""

    WANTED = "wanted"
    CHARGING = "charging"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


IN_FLIGHT = (PaymentStatus.WANTED, PaymentStatus.CHARGING, PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION)


class StripeCustomer(PlatformWide):
    """Which customer of Stripe is which tenant: one to one by both keys, written once by `gate.bind_customer`."""

    __tablename__ = "stripe_customers"
    __table_args__ = (UniqueConstraint("tenant_id"), {"schema": "gate"})
    __grants__: ClassVar[Grants] = {}

    customer_id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    bound_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PaymentSetup(Touched, TenantOwned):
    """A payment method that is being added: a SetupIntent, whose secret goes to the member's browser and to Stripe."""

    __tablename__ = "payment_setups"
    __grants__: ClassVar[Grants] = {
        **_WORKERS,
        DatabaseRole.PORTAL: ("SELECT", "INSERT", update_of("looked_at", "updated_at")),
    }
    __outlives_tenant__ = True
    __restrictions__ = (
        Restriction(
            "only_wishes",
            (DatabaseRole.PORTAL,),
            "INSERT",
            check="((status = 'wanted'::text) AND (stripe_id IS NULL) AND (client_secret IS NULL))",
        ),
    )
    __table_args__ = (CheckConstraint("status IN ('wanted', 'ready', 'succeeded', 'failed')", name="status"),)

    status: Mapped[str] = mapped_column(server_default="wanted")
    stripe_id: Mapped[str | None]
    client_secret: Mapped[str | None]
    failure: Mapped[str | None]
    requested_by: Mapped[str]
    looked_at: Mapped[datetime | None]
    """When Stripe was last asked; null to have it asked now."""


class PaymentMethod(Touched, TenantOwned):
    """A card that Stripe keeps for the tenant: what may be shown of it."""

    __tablename__ = "payment_methods"
    __grants__: ClassVar[Grants] = {
        **_WORKERS,
        DatabaseRole.PORTAL: ("SELECT", update_of("is_default", "removal_requested_at", "updated_at")),
    }
    __outlives_tenant__ = True
    __table_args__ = (UniqueConstraint("tenant_id", "stripe_id"),)

    stripe_id: Mapped[str]
    brand: Mapped[str]
    last4: Mapped[str]
    exp_month: Mapped[int]
    exp_year: Mapped[int]
    is_default: Mapped[bool] = mapped_column(server_default="false")
    removal_requested_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class Payment(Touched, TenantOwned):
    """One attempt to collect an invoice. Its id is the idempotency key at Stripe: asked twice, charged once."""

    __tablename__ = "payments"
    __grants__: ClassVar[Grants] = {
        **_WORKERS,
        DatabaseRole.PORTAL: ("SELECT", "INSERT", update_of("looked_at", "updated_at")),
        DatabaseRole.OPERATOR: READ,
    }
    __gate_reads__ = True
    __outlives_tenant__ = True
    __restrictions__ = (
        Restriction(
            "only_wishes",
            (DatabaseRole.PORTAL,),
            "INSERT",
            check="((status = 'wanted'::text) AND (amount IS NULL) AND (stripe_id IS NULL) AND (settled_at IS NULL))",
        ),
    )
    __table_args__ = (
        tenant_reference("invoice_id", "invoices"),
        UniqueConstraint("tenant_id", "invoice_id", "attempt"),
        Index(
            "payments_in_flight_key",
            "tenant_id",
            "invoice_id",
            unique=True,
            postgresql_where=text("status IN ('wanted', 'charging', 'processing', 'requires_action')"),
        ),
        CheckConstraint(
            "status IN ('wanted', 'charging', 'processing', 'requires_action', 'succeeded', 'failed')", name="status"
        ),
        CheckConstraint("amount > 0", name="amount"),
    )

    invoice_id: Mapped[UUID]
    attempt: Mapped[int]
    status: Mapped[str] = mapped_column(server_default="wanted")
    amount: Mapped[int | None] = mapped_column(BigInteger)
    """Set once by the worker, before Stripe is asked."""
    currency: Mapped[str | None]
    method_stripe_id: Mapped[str | None]
    stripe_id: Mapped[str | None]
    client_secret: Mapped[str | None]
    failure: Mapped[str | None]
    requested_by: Mapped[str]
    looked_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]
    """When its amount was counted on the invoice: once."""


class Refund(Touched, TenantOwned):
    """What is given back of a payment, for a credit note. Its id is the idempotency key at Stripe."""

    __tablename__ = "refunds"
    __grants__: ClassVar[Grants] = {**_WORKERS, DatabaseRole.OPERATOR: ("SELECT", "INSERT")}
    __outlives_tenant__ = True
    __table_args__ = (
        tenant_reference("credit_note_id", "invoices"),
        tenant_reference("payment_id", "payments"),
        UniqueConstraint("tenant_id", "credit_note_id", "payment_id"),
        CheckConstraint("status IN ('wanted', 'pending', 'succeeded', 'failed')", name="status"),
        CheckConstraint("amount > 0", name="amount"),
    )

    credit_note_id: Mapped[UUID]
    payment_id: Mapped[UUID]
    amount: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(server_default="wanted")
    stripe_id: Mapped[str | None]
    failure: Mapped[str | None]
    looked_at: Mapped[datetime | None]


class StripeEvent(TenantOwned):
    """A webhook of Stripe for the tenant's customer: no more than the hint to look. Written by the gate, once each."""

    __tablename__ = "stripe_events"
    __grants__: ClassVar[Grants] = {DatabaseRole.WORKER: ("SELECT", "UPDATE"), DatabaseRole.PROVISIONER: READ}
    __gate_reads__ = True
    __outlives_tenant__ = True
    __table_args__ = (
        UniqueConstraint("tenant_id", "event_id"),
        CheckConstraint("status IN ('received', 'applied', 'ignored', 'rejected')", name="status"),
    )

    event_id: Mapped[str]
    type: Mapped[str]
    object_id: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="received")
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class CreditEntry(Created, TenantOwned):
    """A tenant's credit: what was granted, less what was used for invoices. The balance is the sum."""

    __tablename__ = "credit_entries"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: READ,
        DatabaseRole.WORKER: ("SELECT", "INSERT"),
        DatabaseRole.PROVISIONER: READ,
        DatabaseRole.OPERATOR: ("SELECT", "INSERT"),
    }
    __outlives_tenant__ = True
    __table_args__ = (
        UniqueConstraint("tenant_id", "key"),
        tenant_reference("invoice_id", "invoices"),
        CheckConstraint("amount <> 0", name="amount"),
    )

    key: Mapped[str]
    """What it is for: the same thing is never counted twice."""
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    invoice_id: Mapped[UUID | None]
    reason: Mapped[str]
    made_by: Mapped[str]


class BillingEvent(TenantOwned):
    """What happened to a tenant's bills: reminders, suspensions, budgets, differences. Each once, by its key."""

    __tablename__ = "billing_events"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: READ,
        DatabaseRole.WORKER: ("SELECT", "INSERT"),
        DatabaseRole.PROVISIONER: READ,
        DatabaseRole.OPERATOR: READ,
    }
    __outlives_tenant__ = True
    __table_args__ = (UniqueConstraint("tenant_id", "key"), tenant_reference("invoice_id", "invoices"))

    key: Mapped[str]
    kind: Mapped[str]
    invoice_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class Budget(Touched, TenantOwned):
    """How much a month may cost before somebody is told, at shares of the amount in percent."""

    __tablename__ = "budgets"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: WRITE,
        DatabaseRole.WORKER: READ,
        DatabaseRole.PROVISIONER: WRITE,
    }
    __table_args__ = (UniqueConstraint("tenant_id", "name"), CheckConstraint("amount > 0", name="amount"))

    name: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    thresholds: Mapped[list[int]] = mapped_column(ARRAY(Integer()))
