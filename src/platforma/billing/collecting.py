"""What a worker asks of Stripe for a tenant, one call after another: each is committed to before, and recorded after.

Whatever is lost between the two, a worker or an answer, is asked again with the same idempotency key. What Stripe says
is believed only of objects of the tenant's own customer.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, or_, select

from platforma.billing.comparing import Comparison, compare
from platforma.billing.invoice_models import BillingAccount, Invoice
from platforma.billing.ledger import add_event, has_payment_in_flight, list_open_invoices, settle_payment
from platforma.billing.payment_models import (
    Payment,
    PaymentMethod,
    PaymentSetup,
    PaymentStatus,
    Refund,
    SetupStatus,
    StripeEvent,
)
from platforma.clouds.errors import CloudError
from platforma.clouds.stripe import CardMethod, PaymentIntent, PaymentProvider, ProviderRefund, SetupIntent
from platforma.database.tenant_session import WriteSession
from platforma.kit.ids import new_id
from platforma.tenants.models import Tenant, TenantStatus

logger = structlog.get_logger(__name__)

LOOK_AGAIN = timedelta(minutes=15)
COMPARE_EVERY = timedelta(days=1)
ATTEMPTS = (timedelta(), timedelta(days=3), timedelta(days=6), timedelta(days=10))
"""When after its issue an invoice is tried to be collected by itself."""
KEY_LIVES = timedelta(hours=20)
"""For a little less than Stripe keeps idempotency keys; after that a payment is looked for instead of asked again."""
_FAILED = ("declined", "requires_payment_method", "canceled")


class Task(ABC):
    """One call of Stripe, decided in one transaction and recorded in another."""

    @abstractmethod
    def run(self, stripe: PaymentProvider) -> Any:
        """Make the call, in a thread and outside any transaction."""

    @abstractmethod
    async def record(self, session: WriteSession, result: Any, now: datetime) -> None:
        """Write down what came of it. Safe to do twice."""

    async def refuse(self, session: WriteSession, error: CloudError, now: datetime) -> None:
        """Write down that Stripe will never do it."""
        logger.error("stripe refuses", task=type(self).__name__, reason=error.reason)


async def find_task(session: WriteSession, *, now: datetime) -> Task | None:
    """Return what is next to be asked of Stripe for the tenant, or None if there is nothing."""
    customer = await own_customer(session)
    if customer is None:
        tenant = await session.get(Tenant, session.tenant_id)
        return MakeCustomer(tenant.id) if tenant and tenant.status != TenantStatus.OFFBOARDED else None
    await take_hints(session)
    for find in (_next_setup, _next_removal, _next_payment, _next_refund, _next_comparison):
        task = await find(session, customer, now)
        if task is not None:
            return task
    return None


async def own_customer(session: WriteSession) -> str | None:
    """Return the customer of Stripe that the tenant is, if it is one yet."""
    row = await session.call_gate("own_customer")
    return row[0] if row is not None else None


async def take_hints(session: WriteSession) -> None:
    """Have Stripe asked about what webhooks have named. That is all that they are believed."""
    events = await session.scalars(select(StripeEvent).where(StripeEvent.status == "received"))
    for event in events.all():
        event.status = "applied"
        for model in (PaymentSetup, Payment, Refund):
            found: Any = await session.scalar(select(model).where(model.stripe_id == event.object_id))
            if found is not None:
                found.looked_at = None
                break
        else:
            event.status = "ignored"
            if event.type.startswith(("payment_method.", "customer.", "charge.")):
                event.status = "applied"
                account = await session.scalar(select(BillingAccount))
                if account is not None:
                    account.compared_at = None
    await session.flush()


async def want_payment(session: WriteSession, invoice_id: UUID, *, requested_by: str) -> Payment | None:
    """Wish for an invoice to be collected now; None if a payment is under way."""
    if await has_payment_in_flight(session, invoice_id):
        return None
    last = await session.scalar(select(func.max(Payment.attempt)).where(Payment.invoice_id == invoice_id))
    payment = Payment(
        id=new_id(),
        invoice_id=invoice_id,
        attempt=(last or 0) + 1,
        status=PaymentStatus.WANTED,
        requested_by=requested_by,
    )
    session.add(payment)
    await session.flush()
    return payment


async def schedule_payments(session: WriteSession, *, now: datetime) -> bool:
    """Wish for open invoices to be collected, a few times each, if there is a card; say whether there is one."""
    if await _default_method(session) is None:
        return False
    for invoice in await list_open_invoices(session):
        tried = await session.scalar(select(func.count()).where(Payment.invoice_id == invoice.id)) or 0
        if tried < len(ATTEMPTS) and invoice.issued_at + ATTEMPTS[tried] <= now:
            await want_payment(session, invoice.id, requested_by="platforma")
    return True


async def has_unfinished(session: WriteSession) -> bool:
    """Say whether something at Stripe will change by itself."""
    moving = (PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION)
    if await session.scalar(select(Payment.id).where(Payment.status.in_(moving)).limit(1)) is not None:
        return True
    return await session.scalar(select(Refund.id).where(Refund.status == "pending").limit(1)) is not None


@dataclass(frozen=True)
class MakeCustomer(Task):
    """The tenant's own customer, bound for good."""

    tenant_id: UUID

    def run(self, stripe: PaymentProvider) -> str:
        """See Task."""
        return stripe.create_customer(self.tenant_id, f"customer-{self.tenant_id}")

    async def record(self, session: WriteSession, result: str, now: datetime) -> None:
        """See Task. The database refuses a customer that is another tenant's."""
        await session.call_gate("bind_customer", customer=result)


@dataclass(frozen=True)
class MakeSetup(Task):
    """A SetupIntent for a card that is to be added."""

    setup_id: UUID
    customer: str

    def run(self, stripe: PaymentProvider) -> SetupIntent:
        """See Task."""
        return stripe.create_setup(self.customer, f"setup-{self.setup_id}")

    async def record(self, session: WriteSession, result: SetupIntent, now: datetime) -> None:
        """See Task."""
        setup = await session.get(PaymentSetup, self.setup_id)
        if setup is not None and setup.status == SetupStatus.WANTED:
            setup.status, setup.looked_at = SetupStatus.READY, now
            setup.stripe_id, setup.client_secret = result.id, result.client_secret

    async def refuse(self, session: WriteSession, error: CloudError, now: datetime) -> None:
        """See Task."""
        setup = await session.get(PaymentSetup, self.setup_id)
        if setup is not None:
            setup.status, setup.failure = SetupStatus.FAILED, str(error)


@dataclass(frozen=True)
class LookAtSetup(Task):
    """What became of a SetupIntent; with the cards that the customer has."""

    setup_id: UUID
    stripe_id: str
    customer: str

    def run(self, stripe: PaymentProvider) -> tuple[SetupIntent, list[CardMethod]]:
        """See Task."""
        return stripe.get_setup(self.stripe_id), stripe.list_methods(self.customer)

    async def record(self, session: WriteSession, result: tuple[SetupIntent, list[CardMethod]], now: datetime) -> None:
        """See Task."""
        intent, cards = result
        setup = await session.get(PaymentSetup, self.setup_id)
        if setup is None or setup.status != SetupStatus.READY:
            return
        setup.looked_at = now
        if intent.customer_id != self.customer:
            setup.status, setup.client_secret = SetupStatus.FAILED, None
            await _reject(session, self.stripe_id)
            return
        setup.failure = intent.failure
        card = next((card for card in cards if card.id == intent.method_id), None)
        if intent.status == "succeeded" and card is not None:
            setup.status, setup.client_secret = SetupStatus.SUCCEEDED, None
            await _add_card(session, card)
            for invoice in await list_open_invoices(session):
                await want_payment(session, invoice.id, requested_by=setup.requested_by)
        elif intent.status == "canceled":
            setup.status, setup.client_secret = SetupStatus.FAILED, None


@dataclass(frozen=True)
class RemoveCard(Task):
    """A card that the tenant does not want to be kept any more."""

    method_id: UUID
    stripe_id: str
    customer: str

    def run(self, stripe: PaymentProvider) -> None:
        """See Task."""
        stripe.detach_method(self.customer, self.stripe_id)

    async def record(self, session: WriteSession, result: None, now: datetime) -> None:
        """See Task."""
        method = await session.get(PaymentMethod, self.method_id)
        if method is not None:
            method.removed_at, method.is_default = now, False


@dataclass(frozen=True)
class Charge(Task):
    """A payment: its amount and card are written down before this is asked, and never change after."""

    payment_id: UUID
    customer: str
    method: str
    amount: int
    currency: str
    is_old: bool

    def run(self, stripe: PaymentProvider) -> PaymentIntent | None:
        """See Task."""
        key = f"payment-{self.payment_id}"
        if self.is_old:
            return next((found for found in stripe.list_payments(self.customer) if found.key == key), None)
        return stripe.charge(self.customer, self.method, amount=self.amount, currency=self.currency, key=key)

    async def record(self, session: WriteSession, result: PaymentIntent | None, now: datetime) -> None:
        """See Task."""
        await record_payment(session, self.payment_id, self.customer, result, now=now)

    async def refuse(self, session: WriteSession, error: CloudError, now: datetime) -> None:
        """See Task."""
        payment = await session.get(Payment, self.payment_id)
        if payment is not None and payment.status == PaymentStatus.CHARGING:
            await _fail_payment(session, payment, str(error), now)


@dataclass(frozen=True)
class LookAtPayment(Task):
    """What became of a payment."""

    payment_id: UUID
    stripe_id: str
    customer: str

    def run(self, stripe: PaymentProvider) -> PaymentIntent:
        """See Task."""
        return stripe.get_payment(self.stripe_id)

    async def record(self, session: WriteSession, result: PaymentIntent, now: datetime) -> None:
        """See Task."""
        await record_payment(session, self.payment_id, self.customer, result, now=now)


@dataclass(frozen=True)
class GiveBack(Task):
    """A refund."""

    refund_id: UUID
    payment_stripe_id: str
    amount: int
    is_old: bool

    def run(self, stripe: PaymentProvider) -> ProviderRefund:
        """See Task. What was asked long ago is looked for first."""
        key = f"refund-{self.refund_id}"
        made = stripe.list_refunds(self.payment_stripe_id) if self.is_old else []
        found = next((refund for refund in made if refund.key == key), None)
        return found or stripe.refund(self.payment_stripe_id, amount=self.amount, key=key)

    async def record(self, session: WriteSession, result: ProviderRefund, now: datetime) -> None:
        """See Task."""
        await record_refund(session, self.refund_id, result, now=now)

    async def refuse(self, session: WriteSession, error: CloudError, now: datetime) -> None:
        """See Task."""
        refund = await session.get(Refund, self.refund_id)
        if refund is not None:
            refund.status, refund.failure, refund.looked_at = "failed", str(error), now
            await add_event(session, f"refund_failed:{refund.id}", "refund_failed", amount=refund.amount)


@dataclass(frozen=True)
class LookAtRefund(Task):
    """What became of a refund."""

    refund_id: UUID
    payment_stripe_id: str
    stripe_id: str

    def run(self, stripe: PaymentProvider) -> ProviderRefund | None:
        """See Task."""
        found = stripe.list_refunds(self.payment_stripe_id)
        return next((refund for refund in found if refund.id == self.stripe_id), None)

    async def record(self, session: WriteSession, result: ProviderRefund | None, now: datetime) -> None:
        """See Task."""
        await record_refund(session, self.refund_id, result, now=now)


@dataclass(frozen=True)
class Compare(Task):
    """Once a day: what Stripe has of the customer, beside what is here."""

    customer: str

    def run(self, stripe: PaymentProvider) -> Comparison:
        """See Task."""
        payments = stripe.list_payments(self.customer)
        succeeded = [payment.id for payment in payments if payment.status == "succeeded"]
        refunds = [refund for id_ in succeeded for refund in stripe.list_refunds(id_)]
        return Comparison(tuple(payments), tuple(refunds), tuple(stripe.list_methods(self.customer)))

    async def record(self, session: WriteSession, result: Comparison, now: datetime) -> None:
        """See Task."""
        await compare(session, result, now=now)


async def record_payment(
    session: WriteSession, payment_id: UUID, customer: str, intent: PaymentIntent | None, *, now: datetime
) -> None:
    """Write down what Stripe says of a payment; only what is said of the tenant's own customer counts."""
    payment = await session.get(Payment, payment_id, with_for_update=True)
    if payment is None or payment.status in (PaymentStatus.SUCCEEDED, PaymentStatus.FAILED):
        return
    payment.looked_at = now
    if intent is None:
        await _fail_payment(session, payment, "It never reached Stripe.", now)
        return
    if intent.status != "declined" and (
        intent.customer_id != customer or intent.amount != payment.amount or intent.currency != payment.currency
    ):
        await _reject(session, intent.id)
        await _fail_payment(session, payment, "Stripe answered with another payment.", now)
        return
    payment.stripe_id = intent.id or payment.stripe_id
    if intent.status == "succeeded":
        await settle_payment(session, payment, now=now)
    elif intent.status in _FAILED:
        await _fail_payment(session, payment, intent.failure or "The card was declined.", now)
    elif intent.status == "requires_action":
        payment.status = PaymentStatus.REQUIRES_ACTION
        payment.client_secret = intent.client_secret
        await add_event(session, f"action:{payment.id}", "payment_requires_action", invoice_id=payment.invoice_id)
    else:
        payment.status = PaymentStatus.PROCESSING


async def record_refund(session: WriteSession, refund_id: UUID, found: ProviderRefund | None, *, now: datetime) -> None:
    """Write down what Stripe says of a refund."""
    refund = await session.get(Refund, refund_id, with_for_update=True)
    if refund is None:
        return
    refund.looked_at = now
    if found is None:
        return
    refund.stripe_id = found.id
    refund.status = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}.get(found.status, "pending")
    if refund.status == "failed":
        await add_event(session, f"refund_failed:{refund.id}", "refund_failed", amount=refund.amount)


async def _fail_payment(session: WriteSession, payment: Payment, why: str, now: datetime) -> None:
    payment.status, payment.failure, payment.client_secret, payment.looked_at = PaymentStatus.FAILED, why, None, now
    await add_event(session, f"failed:{payment.id}", "payment_failed", invoice_id=payment.invoice_id, reason=why)


async def _reject(session: WriteSession, stripe_id: str) -> None:
    logger.error("stripe answered with an object that is not the tenant's", object=stripe_id)
    await add_event(session, f"rejected:{stripe_id}", "rejected", object=stripe_id)


async def _default_method(session: WriteSession) -> PaymentMethod | None:
    usable = select(PaymentMethod).where(
        PaymentMethod.removed_at.is_(None), PaymentMethod.removal_requested_at.is_(None)
    )
    ordered = usable.order_by(PaymentMethod.is_default.desc(), PaymentMethod.created_at.desc())
    method: PaymentMethod | None = await session.scalar(ordered.limit(1))
    return method


async def _add_card(session: WriteSession, card: CardMethod) -> None:
    """Keep what may be shown of a card; the newest is the default."""
    for other in await session.scalars(select(PaymentMethod)):
        other.is_default = False
    found = await session.scalar(select(PaymentMethod).where(PaymentMethod.stripe_id == card.id))
    if found is None:
        found = PaymentMethod(id=new_id(), stripe_id=card.id)
        session.add(found)
    found.brand, found.last4 = card.brand, card.last4
    found.exp_month, found.exp_year, found.is_default = card.exp_month, card.exp_year, True
    await session.flush()


async def _next_setup(session: WriteSession, customer: str, now: datetime) -> Task | None:
    setup = await session.scalar(
        select(PaymentSetup)
        .where(
            or_(
                PaymentSetup.status == SetupStatus.WANTED,
                (PaymentSetup.status == SetupStatus.READY) & PaymentSetup.looked_at.is_(None),
            )
        )
        .order_by(PaymentSetup.id)
        .limit(1)
    )
    if setup is None:
        return None
    if setup.status == SetupStatus.WANTED or setup.stripe_id is None:
        return MakeSetup(setup.id, customer)
    return LookAtSetup(setup.id, setup.stripe_id, customer)


async def _next_removal(session: WriteSession, customer: str, now: datetime) -> Task | None:
    wanted = select(PaymentMethod).where(
        PaymentMethod.removal_requested_at.is_not(None), PaymentMethod.removed_at.is_(None)
    )
    method = await session.scalar(wanted.order_by(PaymentMethod.id).limit(1))
    return RemoveCard(method.id, method.stripe_id, customer) if method is not None else None


async def _next_payment(session: WriteSession, customer: str, now: datetime) -> Task | None:
    seen = or_(Payment.looked_at.is_(None), Payment.looked_at < now - LOOK_AGAIN)
    moving = Payment.status.in_((PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION)) & seen
    asked = Payment.status.in_((PaymentStatus.WANTED, PaymentStatus.CHARGING))
    statement = select(Payment).where(or_(asked, moving)).order_by(Payment.id).limit(1).with_for_update()
    payment = await session.scalar(statement)
    if payment is None:
        return None
    if payment.status in (PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_ACTION):
        return LookAtPayment(payment.id, payment.stripe_id or "", customer)
    if payment.status == PaymentStatus.WANTED and not await _prepare(session, payment, now):
        return await _next_payment(session, customer, now)
    assert payment.amount is not None  # noqa: S101 (set by _prepare)
    method, currency = payment.method_stripe_id or "", payment.currency or ""
    is_old = payment.updated_at < now - KEY_LIVES
    return Charge(payment.id, customer, method, payment.amount, currency, is_old)


async def _prepare(session: WriteSession, payment: Payment, now: datetime) -> bool:
    """Fix amount and card of a payment; False if there is nothing to pay, or nothing to pay with."""
    invoice = await session.get(Invoice, payment.invoice_id, with_for_update=True)
    method = await _default_method(session)
    if invoice is None or invoice.owed <= 0 or method is None:
        why = "There is no card." if method is None else "Nothing is owed any more."
        await _fail_payment(session, payment, why, now)
        await session.flush()
        return False
    payment.amount, payment.currency = invoice.owed, invoice.currency
    payment.method_stripe_id, payment.status = method.stripe_id, PaymentStatus.CHARGING
    payment.updated_at = now
    await session.flush()
    await session.refresh(payment)
    return True


async def _next_refund(session: WriteSession, customer: str, now: datetime) -> Task | None:
    seen = or_(Refund.looked_at.is_(None), Refund.looked_at < now - LOOK_AGAIN)
    wanted = or_(Refund.status == "wanted", (Refund.status == "pending") & seen)
    refund = await session.scalar(select(Refund).where(wanted).order_by(Refund.id).limit(1))
    if refund is None:
        return None
    stripe_id = await session.scalar(select(Payment.stripe_id).where(Payment.id == refund.payment_id))
    if refund.status == "pending":
        return LookAtRefund(refund.id, stripe_id or "", refund.stripe_id or "")
    return GiveBack(refund.id, stripe_id or "", refund.amount, refund.created_at < now - KEY_LIVES)


async def _next_comparison(session: WriteSession, customer: str, now: datetime) -> Task | None:
    account = await session.scalar(select(BillingAccount))
    if account is None or (account.compared_at is not None and account.compared_at > now - COMPARE_EVERY):
        return None
    return Compare(customer)
