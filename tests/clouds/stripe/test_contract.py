"""One contract for the fake, for localstripe behind our proxy, and for Stripe's own test mode if a key is given.

`STRIPE_TEST_KEY=sk_test_... pytest tests/clouds/stripe` tries the last.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import stripe

from devcloud.stripe import LocalStripe
from platforma.clouds.errors import CloudCredentialInvalid, CloudError, CloudNotFound, CloudRefused, CloudUnavailable
from platforma.clouds.stripe import PaymentProvider, StripeSettings, open_stripe
from platforma.clouds.stripe.fake import DECLINED, GOOD, NEEDS_MEMBER, FakeStripe
from platforma.kit.ids import new_id

TEST_KEY = os.environ.get("STRIPE_TEST_KEY")
_TOKENS = {GOOD: "pm_card_visa", DECLINED: "pm_card_chargeCustomerFail", NEEDS_MEMBER: "pm_card_threeDSecure2Required"}


@dataclass
class Subject:
    """A provider, and what a member's browser does with a card."""

    provider: PaymentProvider
    confirm: Callable[[str, str], None]

    def customer(self) -> str:
        tenant_id = new_id()
        return self.provider.create_customer(tenant_id, f"customer-{tenant_id}")

    def card(self, customer: str, number: str = GOOD) -> str:
        setup = self.provider.create_setup(customer, f"setup-{new_id()}")
        self.confirm(setup.id, number)
        method = self.provider.get_setup(setup.id).method_id
        assert method is not None
        return method

    def charge(self, customer: str, method: str, amount: int = 500, key: str | None = None) -> Any:
        return self.provider.charge(customer, method, amount=amount, currency="EUR", key=key or f"payment-{new_id()}")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    with LocalStripe(directory=tmp_path_factory.mktemp("stripe")) as running:
        yield running


SUBJECTS = ["fake", "localstripe", *(["stripe"] if TEST_KEY else [])]
beyond_localstripe = pytest.mark.parametrize(
    "subject", [name for name in SUBJECTS if name != "localstripe"], indirect=True
)


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "fake":
        fake = FakeStripe()
        return Subject(fake, fake.confirm_setup)
    is_real = request.param == "stripe"
    base = "https://api.stripe.com" if is_real else request.getfixturevalue("local").base_address
    key = TEST_KEY if is_real and TEST_KEY else "sk_test_12345"
    client = stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=0)

    def confirm(setup_id: str, number: str) -> None:
        method = _TOKENS[number]
        if not is_real:
            card: Any = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}
            method = client.v1.payment_methods.create({"type": "card", "card": card}).id
        client.v1.setup_intents.confirm(setup_id, {"payment_method": method})

    return Subject(open_stripe(StripeSettings(base, key)), confirm)


def test_a_key_makes_one_customer(subject: Subject) -> None:
    tenant_id = new_id()
    first, second = (subject.provider.create_customer(tenant_id, f"customer-{tenant_id}") for _ in range(2))
    assert first == second != subject.customer()


def test_a_card_is_added_shown_and_removed(subject: Subject) -> None:
    customer = subject.customer()
    setup = subject.provider.create_setup(customer, f"setup-{new_id()}")
    assert (setup.customer_id, setup.client_secret is not None) == (customer, True)
    method = subject.card(customer)
    (card,) = [card for card in subject.provider.list_methods(customer) if card.id == method]
    assert (card.customer_id, card.brand, card.last4) == (customer, "visa", "4242")
    subject.provider.detach_method(subject.customer(), method)
    assert [card.id for card in subject.provider.list_methods(customer)] == [method]
    subject.provider.detach_method(customer, method)
    subject.provider.detach_method(customer, method)
    assert subject.provider.list_methods(customer) == []


def test_asked_twice_with_one_key_it_is_charged_once(subject: Subject) -> None:
    customer = subject.customer()
    method, key = subject.card(customer), f"payment-{new_id()}"
    first, second = (subject.charge(customer, method, 1190, key) for _ in range(2))
    assert (first.id, first.status, first.amount, first.currency) == (second.id, "succeeded", 1190, "EUR")
    (found,) = subject.provider.list_payments(customer)
    assert (found.id, found.customer_id, found.key) == (first.id, customer, key)
    assert subject.provider.get_payment(first.id).status == "succeeded"
    other = subject.charge(customer, method)
    assert other.id != first.id


def test_a_decline_is_an_answer(subject: Subject) -> None:
    customer = subject.customer()
    declined = subject.charge(customer, subject.card(customer, DECLINED))
    assert (declined.status, bool(declined.failure)) == ("declined", True)


def test_a_bank_that_asks_is_an_answer(subject: Subject) -> None:
    customer = subject.customer()
    asked = subject.charge(customer, subject.card(customer, NEEDS_MEMBER))
    assert (asked.status, asked.client_secret is not None, asked.customer_id) == ("requires_action", True, customer)


@beyond_localstripe
def test_a_card_of_another_customer_is_refused(subject: Subject) -> None:
    """B06: not even Stripe charges it. localstripe does."""
    a, b = subject.customer(), subject.customer()
    method = subject.card(b)
    with pytest.raises(CloudError) as refused:
        subject.charge(a, method)
    assert not refused.value.is_transient
    assert subject.provider.list_payments(b) == []


@beyond_localstripe
def test_refunds_are_not_more_than_was_paid(subject: Subject) -> None:
    """localstripe gives back more."""
    customer = subject.customer()
    payment = subject.charge(customer, subject.card(customer), 1000)
    subject.provider.refund(payment.id, amount=400, key=f"refund-{new_id()}")
    with pytest.raises(CloudRefused):
        subject.provider.refund(payment.id, amount=601, key=f"refund-{new_id()}")


def test_refunds_are_made_once(subject: Subject) -> None:
    customer = subject.customer()
    payment = subject.charge(customer, subject.card(customer), 1000)
    key = f"refund-{new_id()}"
    first, second = (subject.provider.refund(payment.id, amount=400, key=key) for _ in range(2))
    assert (first.id, first.amount, first.payment_id) == (second.id, 400, payment.id)
    (found,) = subject.provider.list_refunds(payment.id)
    assert (found.id, found.key) == (first.id, key)


def test_what_is_not_there_is_not_found(subject: Subject) -> None:
    with pytest.raises(CloudNotFound):
        subject.provider.get_payment("pi_never_existed")
    with pytest.raises(CloudNotFound):
        subject.provider.get_setup("seti_never_existed")


def test_a_stripe_that_is_away_is_unavailable() -> None:
    provider = open_stripe(StripeSettings("http://127.0.0.1:9", "sk_test_12345", timeout_seconds=1))
    with pytest.raises(CloudUnavailable):
        provider.get_payment("pi_1")


def test_a_wrong_key_is_said_without_the_key(local: LocalStripe) -> None:
    provider = open_stripe(StripeSettings(local.base_address, "wrong_key_of_ours"))
    with pytest.raises(CloudCredentialInvalid) as refused:
        provider.get_payment("pi_1")
    assert "wrong_key" not in str(refused.value)
    assert "wrong_key" not in repr(StripeSettings("x", "wrong_key"))


def test_the_proxy_refuses_another_request_under_a_key(local: LocalStripe) -> None:
    client = stripe.StripeClient("sk_test_12345", base_addresses={"api": local.base_address}, max_network_retries=0)
    client.v1.customers.create({"name": "a"}, {"idempotency_key": "k"})
    with pytest.raises(stripe._error.IdempotencyError):
        client.v1.customers.create({"name": "b"}, {"idempotency_key": "k"})
