"""Invoices made of usage. Each covers what has not been billed yet, up to a moment, within one calendar month (UTC).

Everything happens in one transaction that holds the tenant's account: lines, number, and how far usage is billed. So
no usage is billed twice, none is left out, and no number is missing, whatever dies when.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from platforma.billing.closing import is_gone
from platforma.billing.costs import currency_of, find_books, find_reductions
from platforma.billing.invoice_models import BillingAccount, DocumentKind, Invoice, InvoiceLine, InvoiceStatus
from platforma.billing.metering import Period, find_uses
from platforma.billing.rating import Line, month_of, rate, tax_of
from platforma.billing.terms import SellerView, Tax, Terms, find_buyer, find_terms, tax_for
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.ids import new_id

SETTLING = timedelta(minutes=15)
"""Longer than any transaction lasts: usage is billed when everything that was metered until then can be seen."""
NO_SELLER = "Your provider has not yet said who issues its invoices."
MADE_BY = "platforma"


@dataclass(frozen=True)
class Draft:
    """What an invoice will say. Negative if corrections have taken back more than was used: then a credit note."""

    period: Period
    currency: str
    lines: tuple[Line, ...]
    tax: Tax

    @property
    def net(self) -> int:
        """The sum of the lines."""
        return sum(line.amount for line in self.lines)

    @property
    def tax_amount(self) -> int:
        """The tax on the net sum, rounded once."""
        return tax_of(self.net, self.tax.percent, self.currency)

    @property
    def total(self) -> int:
        """Net and tax."""
        return self.net + self.tax_amount


async def get_account(session: TenantSession, *, for_update: bool = False) -> BillingAccount | None:
    """Return the account of the tenant; None for one that was made a moment ago."""
    statement = select(BillingAccount)
    account: BillingAccount | None = await session.scalar(statement.with_for_update() if for_update else statement)
    return account


async def issue_due_invoices(
    session: WriteSession, account: BillingAccount, *, now: datetime, settling: timedelta = SETTLING
) -> list[Invoice]:
    """Issue what is due: each month that is over, and what has come up since if somebody asked for it or the tenant is
    gone.

    The account is locked by the caller. Nothing is issued while the portal has no seller; then the account says so.
    """
    limit = (now - settling).replace(microsecond=0)
    is_requested = account.invoice_requested_at is not None or await is_gone(session)
    terms = await find_terms(session)
    issued: list[Invoice] = []
    while (period := next_period(account.billed_until, limit, is_requested=is_requested)) is not None:
        draft = await draft_invoice(session, period, terms)
        if draft is not None and terms.seller is None:
            account.trouble = NO_SELLER
            return issued
        if draft is not None and terms.seller is not None:
            issued.append(await write_invoice(session, draft, terms.seller, now=now))
        account.billed_until = period.ends
    account.trouble = None
    account.invoice_requested_at = None
    return issued


def next_period(billed_until: datetime, limit: datetime, *, is_requested: bool) -> Period | None:
    """Return what the next invoice covers: the rest of a month that is over, or what there is of this one."""
    month = month_of(billed_until)
    if month.ends <= limit:
        return Period(billed_until, month.ends)
    if is_requested and billed_until < limit:
        return Period(billed_until, limit)
    return None


async def draft_invoice(session: TenantSession, period: Period, terms: Terms) -> Draft | None:
    """Return what the invoice of a period says, or None if there is nothing to pay. Changes nothing."""
    month = month_of(period.begins)
    books, reductions = await find_books(session), await find_reductions(session, month)
    currency = currency_of(books, period.ends)
    if currency is None:
        return None
    rated = rate(await find_uses(session, Period(month.begins, period.ends)), books, reductions, period)
    if not any(line.amount for line in rated.lines):
        return None
    return Draft(period, currency, rated.lines, await _find_tax(session, terms, period.ends))


async def write_invoice(session: WriteSession, draft: Draft, seller: SellerView, *, now: datetime) -> Invoice:
    """Issue a draft: number it, and write it down with its lines. A negative one becomes a credit note."""
    is_owed = draft.total >= 0
    sign = 1 if is_owed else -1
    kind = DocumentKind.INVOICE if is_owed else DocumentKind.CREDIT_NOTE
    status = InvoiceStatus.OPEN if draft.total > 0 else InvoiceStatus.PAID if is_owed else InvoiceStatus.ISSUED
    invoice = Invoice(
        id=new_id(),
        kind=kind,
        number=await next_number(session, kind, seller),
        begins=draft.period.begins,
        ends=draft.period.ends,
        currency=draft.currency,
        net=sign * draft.net,
        tax_label=draft.tax.label,
        tax_percent=draft.tax.percent,
        tax_note=draft.tax.note,
        tax=sign * draft.tax_amount,
        total=sign * draft.total,
        seller=seller.printed(),
        buyer=await find_buyer(session),
        reason=None if is_owed else "Corrections of usage.",
        issued_at=now,
        due_at=now + timedelta(days=seller.payment_days) if is_owed else None,
        made_by=MADE_BY,
        status=status,
        paid=0,
        credited=0,
    )
    session.add(invoice)
    await session.flush()
    session.add_all(_line_rows(invoice, draft.lines, sign))
    await session.flush()
    return invoice


async def next_number(session: WriteSession, kind: DocumentKind, seller: SellerView) -> str:
    """Return the next number of the portal's documents of a kind: `AUR-000001`, `AUR-CN-000001`."""
    row = await session.call_gate("next_document_number", document=kind.value)
    assert row is not None  # noqa: S101 (every tenant has a portal)
    series = "" if kind is DocumentKind.INVOICE else "CN-"
    return f"{seller.prefix}-{series}{row[0]:06d}"


async def _find_tax(session: TenantSession, terms: Terms, moment: datetime) -> Tax:
    buyer = await find_buyer(session)
    return tax_for(
        terms.rates,
        seller_country=terms.seller.country if terms.seller else "",
        buyer_country=buyer["country"],
        has_vat_number=buyer["vat_number"] is not None,
        moment=moment,
    )


def _line_rows(invoice: Invoice, lines: Sequence[Line], sign: int) -> list[InvoiceLine]:
    def values(line: Line) -> dict[str, Any]:
        return {name: getattr(line, name) for name in Line.__dataclass_fields__ if name != "amount"}

    return [
        InvoiceLine(id=new_id(), invoice_id=invoice.id, position=position, amount=sign * line.amount, **values(line))
        for position, line in enumerate(lines, start=1)
    ]


def credit_of(invoice: Invoice, net: int | None, given: Sequence[Invoice]) -> tuple[int, int]:
    """Return net and tax of a credit note for an invoice; all that is left if `net` is None. Never more than is left.

    The last credit note gives back exactly the rest of the tax, so that full credit is the invoice to the last unit.
    """
    net_left = invoice.net - sum(note.net for note in given)
    tax_left = invoice.tax - sum(note.tax for note in given)
    if net is None or net == net_left:
        return net_left, tax_left
    return net, min(tax_left, tax_of(net, Decimal(invoice.tax_percent), invoice.currency))
