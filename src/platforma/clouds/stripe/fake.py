"""Stripe in memory: as the real one answers, with its test cards and idempotency keys, and faults on demand."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar
from uuid import UUID

from platforma.clouds.errors import CloudError, CloudNotFound, CloudRefused
from platforma.clouds.stripe.protocol import CardMethod, PaymentIntent, ProviderRefund, SetupIntent

T = TypeVar("T")

GOOD = "4242424242424242"
DECLINED = "4000000000000341"
NEEDS_MEMBER = "4000002500003155"


@dataclass
class FakeStripe:
    """State that tests may look at. `faults` are raised one after another, each before or after a call was done."""

    customers: dict[str, UUID] = field(default_factory=dict)
    setups: dict[str, SetupIntent] = field(default_factory=dict)
    methods: dict[str, CardMethod] = field(default_factory=dict)
    payments: dict[str, PaymentIntent] = field(default_factory=dict)
    refunds: dict[str, ProviderRefund] = field(default_factory=dict)
    faults: list[tuple[str, CloudError]] = field(default_factory=list)
    """`("before", error)`: nothing was done; `("after", error)`: it was done, and the answer lost."""
    cards: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)
        self._kept: dict[str, object] = {}
        self._lock = threading.Lock()

    def create_customer(self, tenant_id: UUID, key: str) -> str:
        """See PaymentProvider."""

        def make() -> str:
            made = self._new("cus")
            self.customers[made] = tenant_id
            return made

        return self._once("create_customer", key, make)

    def create_setup(self, customer_id: str, key: str) -> SetupIntent:
        """See PaymentProvider."""

        def make() -> SetupIntent:
            self._need(customer_id in self.customers)
            made = self._new("seti")
            self.setups[made] = SetupIntent(made, customer_id, "requires_payment_method", f"{made}_secret")
            return self.setups[made]

        return self._once("create_setup", key, make)

    def confirm_setup(self, setup_id: str, card: str = GOOD) -> None:
        """Do what the member's browser does with a card."""
        setup = self.setups[setup_id]
        made = self._new("pm")
        self.methods[made] = CardMethod(made, setup.customer_id, "visa", card[-4:], 12, 2034)
        self.cards[made] = card
        self.setups[setup_id] = replace(setup, status="succeeded", method_id=made)

    def get_setup(self, setup_id: str) -> SetupIntent:
        """See PaymentProvider."""
        return self._do("get_setup", lambda: self._found(self.setups, setup_id))

    def list_methods(self, customer_id: str) -> list[CardMethod]:
        """See PaymentProvider."""
        return self._do("list_methods", lambda: [m for m in self.methods.values() if m.customer_id == customer_id])

    def detach_method(self, customer_id: str, method_id: str) -> None:
        """See PaymentProvider."""

        def detach() -> None:
            method = self.methods.get(method_id)
            if method is not None and method.customer_id == customer_id:
                self.methods[method_id] = replace(method, customer_id=None)

        self._do("detach_method", detach)

    def charge(self, customer_id: str, method_id: str, *, amount: int, currency: str, key: str) -> PaymentIntent:
        """See PaymentProvider."""

        def make() -> PaymentIntent:
            method = self.methods.get(method_id)
            if method is None or method.customer_id != customer_id:
                raise CloudRefused("The payment method does not belong to the customer.")
            card = self.cards[method_id]
            made = self._new("pi")
            status = {DECLINED: "declined", NEEDS_MEMBER: "requires_action"}.get(card, "succeeded")
            failure = None if status == "succeeded" else "Your card was declined."
            secret = f"{made}_secret"
            intent = PaymentIntent(made, customer_id, status, amount, currency.upper(), secret, failure, key)
            kept = "requires_payment_method" if status == "declined" else status
            self.payments[made] = replace(intent, status=kept)
            return intent

        return self._once("charge", key, make)

    def authenticate(self, payment_id: str, *, is_confirmed: bool = True) -> None:
        """Do what the member does when the bank asks."""
        status = "succeeded" if is_confirmed else "requires_payment_method"
        self.payments[payment_id] = replace(self.payments[payment_id], status=status)

    def get_payment(self, payment_id: str) -> PaymentIntent:
        """See PaymentProvider."""
        return self._do("get_payment", lambda: self._found(self.payments, payment_id))

    def list_payments(self, customer_id: str) -> list[PaymentIntent]:
        """See PaymentProvider."""
        return self._do("list_payments", lambda: [p for p in self.payments.values() if p.customer_id == customer_id])

    def refund(self, payment_id: str, *, amount: int, key: str) -> ProviderRefund:
        """See PaymentProvider."""

        def make() -> ProviderRefund:
            payment = self._found(self.payments, payment_id)
            given = sum(refund.amount for refund in self.refunds.values() if refund.payment_id == payment_id)
            if payment.status != "succeeded" or given + amount > payment.amount:
                raise CloudRefused("The refund is greater than what is left of the charge.")
            made = self._new("re")
            self.refunds[made] = ProviderRefund(made, payment_id, amount, "succeeded", key)
            return self.refunds[made]

        return self._once("refund", key, make)

    def list_refunds(self, payment_id: str) -> list[ProviderRefund]:
        """See PaymentProvider."""
        return self._do("list_refunds", lambda: [r for r in self.refunds.values() if r.payment_id == payment_id])

    def _once(self, name: str, key: str, make: Callable[[], T]) -> T:
        def once() -> T:
            kept = self._kept.get(key)
            if kept is None:
                kept = self._kept[key] = make()
            return kept  # type: ignore[return-value]

        return self._do(name, once)

    def _do(self, name: str, act: Callable[[], T]) -> T:
        with self._lock:
            self.calls.append(name)
            when, fault = self.faults.pop(0) if self.faults else ("", None)
            if fault is not None and when == "before":
                raise fault
            result = act()
            if fault is not None:
                raise fault
            return result

    def _new(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06d}"

    def _found(self, rows: dict[str, T], id_: str) -> T:
        self._need(id_ in rows)
        return rows[id_]

    def _need(self, is_there: bool) -> None:
        if not is_there:
            raise CloudNotFound
