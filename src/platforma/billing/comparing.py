"""Once a day: Stripe's books of a tenant's customer beside ours. Differences are written down."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select

from platforma.billing.invoice_models import BillingAccount
from platforma.billing.ledger import add_event
from platforma.billing.payment_models import Payment, PaymentMethod, PaymentStatus, Refund
from platforma.clouds.stripe import CardMethod, PaymentIntent, ProviderRefund
from platforma.database.tenant_session import WriteSession

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Comparison:
    """What Stripe has of a customer."""

    payments: tuple[PaymentIntent, ...]
    refunds: tuple[ProviderRefund, ...]
    cards: tuple[CardMethod, ...]


async def compare(session: WriteSession, theirs: Comparison, *, now: datetime) -> list[str]:
    """Write down each difference, once, and return them; cards that are gone there go here too."""
    found = [*await _payments(session, theirs), *await _refunds(session, theirs)]
    for difference in found:
        logger.error("stripe differs", difference=difference)
        await add_event(session, f"differs:{difference}", "differs", difference=difference)
    kept = {card.id for card in theirs.cards}
    for method in await session.scalars(select(PaymentMethod).where(PaymentMethod.removed_at.is_(None))):
        if method.stripe_id not in kept:
            method.removed_at, method.is_default = now, False
    account = await session.scalar(select(BillingAccount))
    if account is not None:
        account.compared_at = now
    await session.flush()
    return found


async def _payments(session: WriteSession, theirs: Comparison) -> list[str]:
    rows = (await session.scalars(select(Payment).where(Payment.stripe_id.is_not(None)))).all()
    ours = {row.stripe_id: row for row in rows}
    found = []
    for intent in theirs.payments:
        row = ours.pop(intent.id, None)
        if row is None:
            if intent.status == "succeeded":
                found.append(f"{intent.id}: {intent.amount} {intent.currency} were paid, and are not here")
            continue
        has_succeeded = row.status == PaymentStatus.SUCCEEDED
        if (intent.status == "succeeded") != has_succeeded:
            row.looked_at = None
            if row.status in (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED):
                found.append(f"{intent.id}: it is {intent.status}, and {row.status} here")
        if has_succeeded and intent.amount != row.amount:
            found.append(f"{intent.id}: {intent.amount} were paid, and {row.amount} are here")
    gone = [row for row in ours.values() if row.status == PaymentStatus.SUCCEEDED]
    return found + [f"{row.stripe_id}: {row.amount} {row.currency} are here, and were never paid" for row in gone]


async def _refunds(session: WriteSession, theirs: Comparison) -> list[str]:
    rows = (await session.scalars(select(Refund).where(Refund.stripe_id.is_not(None)))).all()
    ours = {row.stripe_id: row for row in rows}
    found = []
    for refund in theirs.refunds:
        row = ours.pop(refund.id, None)
        if row is None and refund.status == "succeeded":
            found.append(f"{refund.id}: {refund.amount} were given back, and are not here")
        elif row is not None and row.amount != refund.amount:
            found.append(f"{refund.id}: {refund.amount} were given back, and {row.amount} are here")
    gone = [row for row in ours.values() if row.status == "succeeded"]
    return found + [f"{row.stripe_id}: {row.amount} are here, and were never given back" for row in gone]
