"""Credit notes: how an invoice is taken back, in part or as a whole. The invoice itself stays as it is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from platforma.billing.errors import NoSeller, NotCreditable
from platforma.billing.invoice_models import DocumentKind, Invoice, InvoiceLine, InvoiceStatus
from platforma.billing.invoicing import credit_of, next_number
from platforma.billing.ledger import credit_invoice
from platforma.billing.terms import find_terms
from platforma.database.tenant_session import WriteSession
from platforma.kit.ids import new_id
from platforma.kit.problems import NotFound


async def issue_credit_note(
    session: WriteSession, invoice_id: UUID, *, net: int | None, reason: str, made_by: str, now: datetime
) -> Invoice:
    """Take back an invoice, or `net` of it without tax, in the currency's smallest unit; return the credit note.

    What is not paid yet is owed no more; what has been paid is to be given back. Raises NotFound, NotCreditable or
    NoSeller.
    """
    invoice: Invoice | None = await session.get(Invoice, invoice_id, with_for_update=True)
    if invoice is None:
        raise NotFound
    if invoice.kind != DocumentKind.INVOICE:
        raise NotCreditable("A credit note is not taken back. Issue an invoice.")
    given = (await session.scalars(select(Invoice).where(Invoice.corrects_id == invoice_id))).all()
    amount, tax = credit_of(invoice, net, given)
    left = invoice.net - sum(note.net for note in given)
    if not 0 < amount <= left:
        raise NotCreditable(f"{left} of the net sum is left, in the smallest unit of {invoice.currency}.")
    seller = (await find_terms(session)).seller
    if seller is None:
        raise NoSeller
    note = Invoice(
        id=new_id(),
        kind=DocumentKind.CREDIT_NOTE,
        number=await next_number(session, DocumentKind.CREDIT_NOTE, seller),
        corrects_id=invoice.id,
        begins=invoice.begins,
        ends=invoice.ends,
        currency=invoice.currency,
        net=amount,
        tax_label=invoice.tax_label,
        tax_percent=invoice.tax_percent,
        tax_note=invoice.tax_note,
        tax=tax,
        total=amount + tax,
        seller=seller.printed(),
        buyer=invoice.buyer,
        reason=reason,
        issued_at=now,
        due_at=None,
        made_by=made_by,
        status=InvoiceStatus.ISSUED,
        paid=0,
        credited=0,
    )
    session.add(note)
    await session.flush()
    session.add(_line(invoice, note))
    await credit_invoice(session, invoice, note, made_by=made_by)
    return note


def _line(invoice: Invoice, note: Invoice) -> InvoiceLine:
    return InvoiceLine(
        id=new_id(),
        invoice_id=note.id,
        position=1,
        resource_kind="invoice",
        resource_id=invoice.id,
        resource_name=invoice.number,
        item="credit",
        label=f"Credit for {invoice.number}",
        unit="",
        price=0,
        discount_percent=0,
        begins=invoice.begins,
        ends=invoice.ends,
        unit_microseconds=0,
        free_unit_microseconds=0,
        amount=note.net,
    )
