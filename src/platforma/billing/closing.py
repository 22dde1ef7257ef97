"""The accounts of a tenant that has been offboarded: a last invoice, and then no card is kept.

The customer at Stripe stays, and so does its binding: payments, refunds and disputes name it, and the books are kept as
long as the law has it (docs/decisions/what-stripe-keeps-of-a-tenant-that-is-gone.md).
"""

from datetime import datetime

from sqlalchemy import func, select

from platforma.billing.invoice_models import BillingAccount
from platforma.billing.ledger import add_event, has_payment_in_flight, list_open_invoices
from platforma.billing.models import UsageCorrection, UsageEvent
from platforma.billing.payment_models import Payment, PaymentMethod, PaymentSetup, SetupStatus
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.tenants.models import Tenant, TenantStatus


async def is_gone(session: TenantSession) -> bool:
    """Say whether the tenant has been offboarded."""
    tenant = await session.get(Tenant, session.tenant_id)
    return tenant is not None and tenant.status == TenantStatus.OFFBOARDED


async def close_account(session: WriteSession, account: BillingAccount, *, now: datetime, attempts: int) -> bool:
    """Have Stripe forget the cards of a tenant that is gone, when all that it used is invoiced and nothing more will be
    collected: an invoice is tried `attempts` times. Say whether that is so.
    """
    for model in (UsageEvent, UsageCorrection):
        if await session.scalar(select(model.id).where(model.at >= account.billed_until).limit(1)) is not None:
            return False
    for invoice in await list_open_invoices(session):
        tried = await session.scalar(select(func.count()).where(Payment.invoice_id == invoice.id)) or 0
        if tried < attempts or await has_payment_in_flight(session, invoice.id):
            return False
    for setup in await session.scalars(
        select(PaymentSetup).where(PaymentSetup.status.in_((SetupStatus.WANTED, SetupStatus.READY)))
    ):
        setup.status, setup.client_secret = SetupStatus.FAILED, None
    for method in await session.scalars(select(PaymentMethod).where(PaymentMethod.removal_requested_at.is_(None))):
        method.removal_requested_at, method.is_default = now, False
    await add_event(session, "closed", "closed")
    await session.flush()
    return True
