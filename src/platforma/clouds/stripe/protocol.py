"""What billing asks of Stripe, and what it gets to know. Errors are those of every cloud."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True)
class StripeSettings:
    """Where Stripe is, and who asks."""

    base_address: str
    secret_key: str = field(repr=False)
    timeout_seconds: float = 20.0


@dataclass(frozen=True)
class CardMethod:
    """A card as it may be shown."""

    id: str
    customer_id: str | None
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True)
class SetupIntent:
    """A payment method that is being added; `status` in Stripe's words."""

    id: str
    customer_id: str | None
    status: str
    client_secret: str | None = field(repr=False)
    method_id: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class PaymentIntent:
    """A payment; `status` in Stripe's words, amounts in the currency's smallest unit."""

    id: str
    customer_id: str | None
    status: str
    amount: int
    currency: str
    client_secret: str | None = field(repr=False, default=None)
    failure: str | None = None
    key: str | None = None
    """The idempotency key that it was asked for with, from its metadata."""


@dataclass(frozen=True)
class ProviderRefund:
    """What was given back of a payment; `status` in Stripe's words."""

    id: str
    payment_id: str | None
    amount: int
    status: str
    key: str | None = None


class PaymentProvider(Protocol):
    """Stripe, for one installation. `key` is an idempotency key: asked twice with one key, it is done once."""

    def create_customer(self, tenant_id: UUID, key: str) -> str:
        """Make a customer that names the tenant in its metadata, which nothing relies on; return its id."""
        ...

    def create_setup(self, customer_id: str, key: str) -> SetupIntent:
        """Begin to add a card for payments without the member."""
        ...

    def get_setup(self, setup_id: str) -> SetupIntent:
        """Return a setup; raises CloudNotFound."""
        ...

    def list_methods(self, customer_id: str) -> list[CardMethod]:
        """Return the cards of a customer."""
        ...

    def detach_method(self, customer_id: str, method_id: str) -> None:
        """Forget a card of a customer. One that is gone, or another's, is left alone."""
        ...

    def charge(self, customer_id: str, method_id: str, *, amount: int, currency: str, key: str) -> PaymentIntent:
        """Charge a card without the member. What the bank declines or wants the member for is an answer, no error."""
        ...

    def get_payment(self, payment_id: str) -> PaymentIntent:
        """Return a payment; raises CloudNotFound."""
        ...

    def list_payments(self, customer_id: str) -> list[PaymentIntent]:
        """Return all payments of a customer."""
        ...

    def refund(self, payment_id: str, *, amount: int, key: str) -> ProviderRefund:
        """Give back a part of a payment, or all of it."""
        ...

    def list_refunds(self, payment_id: str) -> list[ProviderRefund]:
        """Return what was given back of a payment."""
        ...
