"""What follows when an invoice is not paid: reminders, then the tenant is held until it is. All is written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from platforma.billing.invoice_models import Invoice
from platforma.billing.ledger import add_event, list_open_invoices
from platforma.billing.terms import find_details, find_terms
from platforma.database.tenant_session import WriteSession

REMINDERS = (timedelta(days=1), timedelta(days=7))
"""After how long an overdue invoice is reminded of."""
DEFAULT_GRACE = timedelta(days=14)


@dataclass(frozen=True)
class Standing:
    """What is to be done about a tenant's open invoices at a moment."""

    reminders: tuple[tuple[Invoice, int], ...]
    is_held: bool


def standing_of(invoices: Sequence[Invoice], grace: timedelta, now: datetime) -> Standing:
    """Return which reminders are due, counted from 1, and whether the tenant is to be held."""
    overdue = [(invoice, invoice.due_at) for invoice in invoices if invoice.owed > 0 and invoice.due_at is not None]
    reminders = [
        (invoice, number)
        for invoice, due in overdue
        for number, after in enumerate(REMINDERS, start=1)
        if due + after <= now
    ]
    return Standing(tuple(reminders), any(due + grace <= now for _, due in overdue))


async def dun(session: WriteSession, *, now: datetime) -> None:
    """Remind, hold and release the tenant as its open invoices have it. Safe to repeat."""
    seller = (await find_terms(session)).seller
    grace = timedelta(days=seller.grace_days) if seller is not None else DEFAULT_GRACE
    standing = standing_of(await list_open_invoices(session), grace, now)
    details = await find_details(session)
    for invoice, number in standing.reminders:
        await add_event(
            session,
            f"reminder:{invoice.id}:{number}",
            "reminder",
            invoice_id=invoice.id,
            number=number,
            owed=invoice.owed,
            contacts=list(details.contacts) if details is not None else [],
        )
    changed = await session.call_gate("hold_tenant", hold=standing.is_held)
    if changed is not None and changed[0]:
        kind = "suspended" if standing.is_held else "reinstated"
        await add_event(session, f"{kind}:{now.isoformat()}", kind)
