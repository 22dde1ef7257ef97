"""Invoices: the account of each tenant, what it is issued for and by whom, and the documents themselves."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Numeric,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import (
    APPEND,
    CHANGE,
    READ,
    Created,
    Grants,
    PlatformWide,
    TenantOwned,
    Touched,
    tenant_reference,
    update_of,
)
from platforma.kit.ids import new_id

MADE_BY_WORKER: Grants = {
    DatabaseRole.PORTAL: READ,
    DatabaseRole.WORKER: APPEND,
    DatabaseRole.PROVISIONER: READ,
    DatabaseRole.OPERATOR: APPEND,
}
"""Documents are made by the worker, credit notes by operators; members look at them."""


class DocumentKind(StrEnum):
    """What a document says: that money is owed to the portal's owner, or by it."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class InvoiceStatus(StrEnum):
    """Where an invoice stands. A credit note is `issued` and stays so."""

    OPEN = "open"
    PAID = "paid"
    CREDITED = "credited"
    ISSUED = "issued"


class BillingAccount(Touched, TenantOwned):
    """How far a tenant's usage has been invoiced, and when a worker looks at it next. Made by the gate."""

    __tablename__ = "billing_accounts"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: ("SELECT", update_of("invoice_requested_at", "updated_at", "wake_at")),
        DatabaseRole.WORKER: CHANGE,
        DatabaseRole.PROVISIONER: READ,
        DatabaseRole.OPERATOR: ("SELECT", update_of("updated_at", "wake_at")),
    }
    __gate_reads__ = True
    __outlives_tenant__ = True
    __table_args__ = (UniqueConstraint("tenant_id"), Index(None, "wake_at"))

    billed_until: Mapped[datetime]
    """All usage before this moment is on an invoice, or has cost nothing."""
    wake_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lease: Mapped[UUID | None]
    """Token of the worker whose turn it is."""
    attempts: Mapped[int] = mapped_column(server_default="0")
    """How many turns in a row have not come to their end."""
    invoice_requested_at: Mapped[datetime | None]
    stripe_trouble: Mapped[str | None]
    """What Stripe said last when it did not do as asked."""
    compared_at: Mapped[datetime | None]
    """When what is here was last compared with what Stripe has."""
    trouble: Mapped[str | None]
    """Why an invoice that is due cannot be issued, for a person."""


class BillingDetails(Touched, TenantOwned):
    """Whom a tenant's invoices are made out to, and who gets to hear of them."""

    __tablename__ = "billing_details"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: ("SELECT", "INSERT", "UPDATE"),
        DatabaseRole.WORKER: READ,
        DatabaseRole.PROVISIONER: READ,
        DatabaseRole.OPERATOR: READ,
    }
    __outlives_tenant__ = True
    __table_args__ = (UniqueConstraint("tenant_id"), CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"))

    company: Mapped[str]
    line1: Mapped[str]
    line2: Mapped[str] = mapped_column(server_default="")
    postal_code: Mapped[str]
    city: Mapped[str]
    country: Mapped[str]
    vat_number: Mapped[str | None]
    contacts: Mapped[list[str]] = mapped_column(ARRAY(Text()), server_default="{}")


class Invoice(TenantOwned):
    """An invoice or a credit note. What it says is never changed: roles may update how far it is settled, no more."""

    __tablename__ = "invoices"
    __grants__: ClassVar[Grants] = {
        **MADE_BY_WORKER,
        DatabaseRole.WORKER: ("SELECT", "INSERT", update_of("credited", "paid", "status")),
        DatabaseRole.OPERATOR: ("SELECT", "INSERT", update_of("credited", "paid", "status")),
    }
    __gate_reads__ = True
    __outlives_tenant__ = True
    __table_args__ = (
        UniqueConstraint("tenant_id", "number"),
        tenant_reference("corrects_id", "invoices"),
        Index("invoices_period_key", "tenant_id", "begins", unique=True, postgresql_where=text("kind = 'invoice'")),
        Index(None, "tenant_id", "issued_at"),
        CheckConstraint("kind IN ('invoice', 'credit_note')", name="kind"),
        CheckConstraint("status IN ('open', 'paid', 'credited', 'issued')", name="status"),
        CheckConstraint("begins < ends", name="period"),
        CheckConstraint("total = net + tax AND net >= 0 AND tax >= 0", name="total"),
        CheckConstraint("paid >= 0 AND credited >= 0 AND paid + credited <= total", name="settled"),
        CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    )

    kind: Mapped[str]
    number: Mapped[str]
    corrects_id: Mapped[UUID | None]
    """Of a credit note: the invoice that it takes something back of, if it is one in particular."""
    begins: Mapped[datetime]
    ends: Mapped[datetime]
    currency: Mapped[str]
    net: Mapped[int] = mapped_column(BigInteger)
    tax_label: Mapped[str]
    tax_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    tax_note: Mapped[str | None]
    tax: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    """In the currency's smallest unit, as all amounts. A credit note's amounts are what is given back."""
    seller: Mapped[dict[str, Any]]
    buyer: Mapped[dict[str, Any]]
    """As they were when it was issued."""
    reason: Mapped[str | None]
    issued_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    made_by: Mapped[str]
    status: Mapped[str]
    paid: Mapped[int] = mapped_column(BigInteger, server_default="0")
    credited: Mapped[int] = mapped_column(BigInteger, server_default="0")

    @property
    def owed(self) -> int:
        """What is left to pay."""
        return self.total - self.paid - self.credited if self.kind == DocumentKind.INVOICE else 0


class InvoiceLine(TenantOwned):
    """A line of an invoice: what one resource used of one item at one price."""

    __tablename__ = "invoice_lines"
    __grants__: ClassVar[Grants] = MADE_BY_WORKER
    __outlives_tenant__ = True
    __table_args__ = (
        tenant_reference("invoice_id", "invoices"),
        UniqueConstraint("tenant_id", "invoice_id", "position"),
    )

    invoice_id: Mapped[UUID]
    position: Mapped[int]
    resource_kind: Mapped[str]
    resource_id: Mapped[UUID | None]
    resource_name: Mapped[str]
    item: Mapped[str]
    label: Mapped[str]
    unit: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(20, 8))
    discount_percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    begins: Mapped[datetime]
    ends: Mapped[datetime]
    unit_microseconds: Mapped[int] = mapped_column(BigInteger)
    free_unit_microseconds: Mapped[int] = mapped_column(BigInteger)
    amount: Mapped[int] = mapped_column(BigInteger)


class Seller(Touched, PlatformWide):
    """Who issues a portal's invoices, and on which terms. Processes but the operator's see it by `gate.own_terms`."""

    __tablename__ = "sellers"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: ("SELECT", "INSERT", "UPDATE")}
    __table_args__ = (
        CheckConstraint("country ~ '^[A-Z]{2}$'", name="country"),
        CheckConstraint("payment_days >= 0 AND grace_days >= 0", name="days"),
    )

    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"), primary_key=True)
    company: Mapped[str]
    line1: Mapped[str]
    line2: Mapped[str] = mapped_column(server_default="")
    postal_code: Mapped[str]
    city: Mapped[str]
    country: Mapped[str]
    vat_number: Mapped[str | None]
    email: Mapped[str]
    prefix: Mapped[str]
    """What the numbers of its documents begin with."""
    payment_days: Mapped[int]
    grace_days: Mapped[int]
    """How long after it was due an invoice may stay unpaid before the tenant can change nothing any more."""
    footer: Mapped[str] = mapped_column(server_default="")


class TaxRate(Created, PlatformWide):
    """The tax on a portal's invoices to a country (`*`: any other), from a moment on. Never changed."""

    __tablename__ = "tax_rates"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: APPEND}
    __table_args__ = (
        UniqueConstraint("portal_id", "country", "effective_from"),
        CheckConstraint("country ~ '^([A-Z]{2}|[*])$'", name="country"),
        CheckConstraint("percent BETWEEN 0 AND 100", name="percent"),
        CheckConstraint("business_percent BETWEEN 0 AND 100", name="business_percent"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"))
    country: Mapped[str]
    effective_from: Mapped[datetime]
    label: Mapped[str]
    percent: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    business_percent: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    """For companies with a VAT number in another country than the seller's; if null, as for everybody."""
    business_note: Mapped[str | None]
    """What the law wants to be said then, such as "Reverse charge"."""
    made_by: Mapped[str]


class InvoiceSeries(PlatformWide):
    """The last number of a portal's invoices and of its credit notes: locked until its document commits."""

    __tablename__ = "invoice_series"
    __table_args__ = {"schema": "gate"}  # noqa: RUF012
    __grants__: ClassVar[Grants] = {}

    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(server_default="0")
