"""What is owed and what was given: payments, credit and refunds counted on invoices, each once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from platforma.billing.invoice_models import DocumentKind, Invoice, InvoiceStatus
from platforma.billing.payment_models import (
    IN_FLIGHT,
    BillingEvent,
    CreditEntry,
    Payment,
    PaymentStatus,
    Refund,
)
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.ids import new_id

MADE_BY = "platforma"


async def list_open_invoices(session: TenantSession) -> list[Invoice]:
    """Return the invoices of the tenant on which something is owed, the oldest first."""
    statement = select(Invoice).where(Invoice.kind == DocumentKind.INVOICE, Invoice.status == InvoiceStatus.OPEN)
    return [row for row in await session.scalars(statement.order_by(Invoice.issued_at, Invoice.id)) if row.owed > 0]


async def balance_of(session: TenantSession, currency: str) -> int:
    """Return the tenant's credit in a currency."""
    statement = select(func.coalesce(func.sum(CreditEntry.amount), 0)).where(CreditEntry.currency == currency)
    return int(await session.scalar(statement) or 0)


async def add_credit(
    session: WriteSession,
    key: str,
    amount: int,
    currency: str,
    *,
    reason: str,
    made_by: str = MADE_BY,
    invoice_id: UUID | None = None,
) -> bool:
    """Add to the tenant's credit, or take from it; False if this key was counted before."""
    if await session.scalar(select(CreditEntry.id).where(CreditEntry.key == key)) is not None:
        return False
    session.add(
        CreditEntry(
            id=new_id(),
            key=key,
            amount=amount,
            currency=currency,
            reason=reason,
            made_by=made_by,
            invoice_id=invoice_id,
        )
    )
    await session.flush()
    return True


async def add_event(
    session: WriteSession, key: str, kind: str, *, invoice_id: UUID | None = None, **details: Any
) -> bool:
    """Write down that something happened to the tenant's bills; False if that was done before."""
    if await session.scalar(select(BillingEvent.id).where(BillingEvent.key == key)) is not None:
        return False
    session.add(BillingEvent(id=new_id(), key=key, kind=kind, invoice_id=invoice_id, details=details))
    await session.flush()
    return True


def count_paid(invoice: Invoice, amount: int) -> int:
    """Count money on an invoice; return what is more than was owed."""
    counted = min(amount, invoice.owed)
    invoice.paid += counted
    if invoice.owed == 0:
        invoice.status = InvoiceStatus.PAID
    return amount - counted


async def settle_payment(session: WriteSession, payment: Payment, *, now: datetime) -> None:
    """Count a payment that has succeeded on its invoice, once. What is too much becomes credit."""
    payment.status = PaymentStatus.SUCCEEDED
    payment.client_secret = None
    payment.failure = None
    if payment.settled_at is not None:
        return
    payment.settled_at = now
    invoice = await session.get(Invoice, payment.invoice_id, with_for_update=True)
    assert invoice is not None  # noqa: S101 (a foreign key)
    assert payment.amount is not None  # noqa: S101 (it was charged)
    rest = count_paid(invoice, payment.amount)
    if rest:
        await add_credit(session, f"over:{payment.id}", rest, invoice.currency, reason=f"Overpaid {invoice.number}.")
    await add_event(session, f"paid:{payment.id}", "payment_succeeded", invoice_id=invoice.id, amount=payment.amount)


async def use_credit(session: WriteSession) -> None:
    """Grant what period credit notes give back, and pay open invoices with the credit that there is."""
    loose = select(Invoice).where(Invoice.kind == DocumentKind.CREDIT_NOTE, Invoice.corrects_id.is_(None))
    for note in (await session.scalars(loose)).all():
        await add_credit(session, f"note:{note.id}", note.total, note.currency, reason=note.number, invoice_id=note.id)
    for invoice in await list_open_invoices(session):
        credit = await balance_of(session, invoice.currency)
        if credit <= 0 or await has_payment_in_flight(session, invoice.id):
            continue
        amount = min(credit, invoice.owed)
        key = f"use:{invoice.id}:{invoice.paid}:{invoice.credited}"
        if await add_credit(session, key, -amount, invoice.currency, reason=invoice.number, invoice_id=invoice.id):
            count_paid(invoice, amount)
    await session.flush()


async def has_payment_in_flight(session: TenantSession, invoice_id: UUID) -> bool:
    """Say whether a payment of an invoice may still succeed."""
    statement = select(Payment.id).where(Payment.invoice_id == invoice_id, Payment.status.in_(IN_FLIGHT))
    return await session.scalar(statement) is not None


async def credit_invoice(session: WriteSession, invoice: Invoice, note: Invoice, *, made_by: str) -> None:
    """Count a credit note on its invoice. What was paid already goes back to the cards, or else becomes credit."""
    too_much = max(0, invoice.paid + invoice.credited + note.total - invoice.total)
    invoice.paid -= too_much
    invoice.credited += note.total
    if invoice.owed == 0:
        invoice.status = InvoiceStatus.PAID if invoice.paid else InvoiceStatus.CREDITED
    payments = await session.scalars(
        select(Payment)
        .where(Payment.invoice_id == invoice.id, Payment.status == PaymentStatus.SUCCEEDED)
        .order_by(Payment.attempt)
    )
    for payment in payments.all():
        given = select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.payment_id == payment.id, Refund.status != "failed"
        )
        left = (payment.amount or 0) - int(await session.scalar(given) or 0)
        amount = min(too_much, left)
        if amount > 0:
            session.add(Refund(id=new_id(), credit_note_id=note.id, payment_id=payment.id, amount=amount))
            too_much -= amount
    if too_much:
        await add_credit(
            session,
            f"note:{note.id}",
            too_much,
            note.currency,
            reason=note.number,
            made_by=made_by,
            invoice_id=note.id,
        )
    await session.flush()
