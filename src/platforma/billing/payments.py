"""What members do about paying: add and remove cards, pay an invoice, see what became of it.

Everything here is a wish that a worker carries out at Stripe: no portal process has a key to it.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select, update

from platforma.authentication.principals import Principal
from platforma.billing.errors import BeingPaid, NothingOwed
from platforma.billing.invoice_models import BillingAccount
from platforma.billing.ledger import has_payment_in_flight
from platforma.billing.payment_models import Payment, PaymentMethod, PaymentSetup, PaymentStatus, SetupStatus
from platforma.billing.service import get_invoice
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.ids import new_id
from platforma.kit.problems import Conflict, NotFound
from platforma.tenants.models import AuditEvent

MOST_SETUPS = 10


async def list_methods(session: TenantSession) -> Sequence[PaymentMethod]:
    """Return the tenant's cards, the default one first."""
    kept = select(PaymentMethod).where(PaymentMethod.removed_at.is_(None))
    return (await session.scalars(kept.order_by(PaymentMethod.is_default.desc(), PaymentMethod.created_at))).all()


async def request_setup(session: WriteSession, principal: Principal) -> PaymentSetup:
    """Begin to add a card. Raises Conflict when too many have been begun and not finished."""
    unfinished = select(func.count()).where(PaymentSetup.status.in_((SetupStatus.WANTED, SetupStatus.READY)))
    begun = await session.scalar(
        unfinished.where(PaymentSetup.created_at > func.now() - func.make_interval(0, 0, 0, 1))
    )
    if (begun or 0) >= MOST_SETUPS:
        raise Conflict(f"{MOST_SETUPS} cards have been begun to be added today. Finish one of these.")
    setup = PaymentSetup(id=new_id(), status=SetupStatus.WANTED, requested_by=principal.email)
    session.add(setup)
    session.add(AuditEvent(actor=principal.email, action="payment_method.add"))
    await wake_account(session)
    await session.refresh(setup)
    return setup


async def get_setup(session: TenantSession, setup_id: UUID) -> PaymentSetup:
    """Return the adding of a card; raises NotFound."""
    setup = await session.get(PaymentSetup, setup_id)
    if setup is None:
        raise NotFound
    return setup


async def finish_setup(session: WriteSession, principal: Principal, setup_id: UUID) -> PaymentSetup:
    """Have a worker see what became of the adding of a card; raises NotFound."""
    setup = await get_setup(session, setup_id)
    setup.looked_at = None
    session.add(AuditEvent(actor=principal.email, action="payment_method.confirm", target=str(setup_id)))
    await wake_account(session)
    await session.refresh(setup)
    return setup


async def get_method(session: TenantSession, method_id: UUID) -> PaymentMethod:
    """Return a card of the tenant that is kept; raises NotFound."""
    method = await session.get(PaymentMethod, method_id)
    if method is None or method.removed_at is not None:
        raise NotFound
    return method


async def make_default(session: WriteSession, principal: Principal, method_id: UUID) -> PaymentMethod:
    """Have invoices collected from this card from now on; raises NotFound."""
    method = await get_method(session, method_id)
    await session.execute(update(PaymentMethod).values(is_default=PaymentMethod.id == method_id))
    session.add(AuditEvent(actor=principal.email, action="payment_method.default", target=str(method_id)))
    await session.flush()
    await session.refresh(method)
    return method


async def remove_method(session: WriteSession, principal: Principal, method_id: UUID) -> PaymentMethod:
    """Have Stripe forget a card; raises NotFound. Nothing is collected from it from now on."""
    method = await get_method(session, method_id)
    if method.removal_requested_at is None:
        method.removal_requested_at = func.now()
        method.is_default = False
        session.add(AuditEvent(actor=principal.email, action="payment_method.remove", target=str(method_id)))
    await wake_account(session)
    await session.refresh(method)
    return method


async def list_payments(session: TenantSession, invoice_id: UUID) -> Sequence[Payment]:
    """Return the attempts to collect an invoice, the newest first; raises NotFound."""
    await get_invoice(session, invoice_id)
    statement = select(Payment).where(Payment.invoice_id == invoice_id)
    return (await session.scalars(statement.order_by(Payment.attempt.desc()))).all()


async def request_payment(session: WriteSession, principal: Principal, invoice_id: UUID) -> Payment:
    """Have an invoice collected now. Raises NotFound, NothingOwed, or BeingPaid if a payment is under way."""
    invoice = await get_invoice(session, invoice_id)
    if invoice.owed <= 0:
        raise NothingOwed
    if await has_payment_in_flight(session, invoice_id):
        raise BeingPaid
    last = await session.scalar(select(func.max(Payment.attempt)).where(Payment.invoice_id == invoice_id))
    payment = Payment(
        id=new_id(),
        invoice_id=invoice_id,
        attempt=(last or 0) + 1,
        status=PaymentStatus.WANTED,
        requested_by=principal.email,
    )
    session.add(payment)
    session.add(AuditEvent(actor=principal.email, action="invoice.pay", target=invoice.number))
    await wake_account(session)
    await session.refresh(payment)
    return payment


async def finish_payment(session: WriteSession, principal: Principal, payment_id: UUID) -> Payment:
    """Have a worker see what became of a payment that the bank asked the member about; raises NotFound."""
    payment = await get_payment(session, payment_id)
    payment.looked_at = None
    session.add(AuditEvent(actor=principal.email, action="payment.confirm", target=str(payment_id)))
    await wake_account(session)
    await session.refresh(payment)
    return payment


async def get_payment(session: TenantSession, payment_id: UUID) -> Payment:
    """Return an attempt to collect an invoice; raises NotFound."""
    payment = await session.get(Payment, payment_id)
    if payment is None:
        raise NotFound
    return payment


async def wake_account(session: WriteSession) -> None:
    """Let a worker look at the tenant's account now."""
    await session.flush()
    await session.execute(
        update(BillingAccount).values(wake_at=func.now()).execution_options(synchronize_session=False)
    )
