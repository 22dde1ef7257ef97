"""What members do about billing: say whom invoices are made out to, look at them, ask for one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from platforma.api.lists import Page, list_outputs
from platforma.authentication.principals import Principal
from platforma.billing.errors import AccountBeingMade
from platforma.billing.invoice_models import BillingAccount, BillingDetails, Invoice, InvoiceLine
from platforma.billing.invoicing import get_account
from platforma.billing.schemas import BillingDetailsIn, InvoiceOut, InvoiceQuery
from platforma.billing.terms import find_details
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.clock import utc_now
from platforma.kit.problems import NotFound
from platforma.tenants.models import AuditEvent

SORTABLE: dict[str, Any] = {"issued_at": Invoice.issued_at, "number": Invoice.number, "total": Invoice.total}


async def change_details(session: WriteSession, principal: Principal, wanted: BillingDetailsIn) -> BillingDetails:
    """Say whom invoices are made out to from now on."""
    details = await find_details(session)
    values = wanted.model_dump()
    if details is None:
        details = BillingDetails(**values)
        session.add(details)
    else:
        for name, value in values.items():
            setattr(details, name, value)
    session.add(AuditEvent(actor=principal.email, action="billing_details.change"))
    await session.flush()
    await session.refresh(details)
    return details


async def list_invoices(session: TenantSession, query: InvoiceQuery) -> Page[InvoiceOut]:
    """Return a page of the tenant's invoices and credit notes."""
    where: list[ColumnElement[bool]] = []
    if query.status is not None:
        where.append(Invoice.status == query.status)
    if query.kind is not None:
        where.append(Invoice.kind == query.kind)
    return await list_outputs(session, Invoice, InvoiceOut, query, sortable=SORTABLE, where=where)


async def get_invoice(session: TenantSession, invoice_id: UUID) -> Invoice:
    """Return a document of the tenant; raises NotFound."""
    invoice = await session.get(Invoice, invoice_id)
    if invoice is None:
        raise NotFound
    return invoice


async def list_lines(session: TenantSession, invoice_id: UUID) -> Sequence[InvoiceLine]:
    """Return the lines of a document in their order."""
    statement = select(InvoiceLine).where(InvoiceLine.invoice_id == invoice_id).order_by(InvoiceLine.position)
    return (await session.scalars(statement)).all()


async def find_corrected_number(session: TenantSession, invoice: Invoice) -> str | None:
    """Return the number of the invoice that a credit note is for."""
    if invoice.corrects_id is None:
        return None
    number: str | None = await session.scalar(select(Invoice.number).where(Invoice.id == invoice.corrects_id))
    return number


async def list_credit_notes(session: TenantSession, invoice_id: UUID) -> Sequence[Invoice]:
    """Return the credit notes for an invoice, the oldest first."""
    statement = select(Invoice).where(Invoice.corrects_id == invoice_id).order_by(Invoice.issued_at)
    return (await session.scalars(statement)).all()


async def request_invoice(session: WriteSession, principal: Principal) -> BillingAccount:
    """Have an invoice issued now for what has come up since the last one. Asking twice is asking once."""
    account = await get_account(session, for_update=True)
    if account is None:
        raise AccountBeingMade
    if account.invoice_requested_at is None:
        account.invoice_requested_at = utc_now()
        session.add(AuditEvent(actor=principal.email, action="invoice.request"))
    account.wake_at = func.now()
    await session.flush()
    await session.refresh(account)
    return account
