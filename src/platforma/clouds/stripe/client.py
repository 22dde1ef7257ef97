"""The real client. It never repeats a call by itself: whoever asks has keys that make it safe to ask again."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

import stripe

from platforma.clouds.errors import (
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudNotFound,
    CloudRefused,
    CloudThrottled,
    CloudUnavailable,
)
from platforma.clouds.stripe.protocol import (
    CardMethod,
    PaymentIntent,
    ProviderRefund,
    SetupIntent,
    StripeSettings,
)

T = TypeVar("T")

_SECRETS = re.compile(r"\b(?:sk|rk|pk|whsec|pi|seti)_[A-Za-z0-9_]{8,}")
_PAGE = 100
_KEY = "platforma_key"


class StripeProvider:
    """Stripe over its SDK. Safe to use from several threads."""

    def __init__(self, settings: StripeSettings) -> None:
        self._client = stripe.StripeClient(
            settings.secret_key,
            base_addresses={"api": settings.base_address},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=settings.timeout_seconds),
        )

    def create_customer(self, tenant_id: UUID, key: str) -> str:
        """See PaymentProvider."""
        made = _ask(
            lambda: self._client.v1.customers.create(
                {"metadata": {"tenant_id": str(tenant_id)}}, {"idempotency_key": key}
            )
        )
        return str(made["id"])

    def create_setup(self, customer_id: str, key: str) -> SetupIntent:
        """See PaymentProvider."""
        wanted: Any = {"customer": customer_id, "usage": "off_session", "payment_method_types": ["card"]}
        return _setup(_ask(lambda: self._client.v1.setup_intents.create(wanted, {"idempotency_key": key})))

    def get_setup(self, setup_id: str) -> SetupIntent:
        """See PaymentProvider."""
        return _setup(_ask(lambda: self._client.v1.setup_intents.retrieve(setup_id)))

    def list_methods(self, customer_id: str) -> list[CardMethod]:
        """See PaymentProvider."""
        wanted: Any = {"customer": customer_id, "type": "card", "limit": _PAGE}
        return [_method(row) for row in _ask(lambda: self._client.v1.payment_methods.list(wanted))["data"]]

    def detach_method(self, customer_id: str, method_id: str) -> None:
        """See PaymentProvider."""
        try:
            found = _ask(lambda: self._client.v1.payment_methods.retrieve(method_id))
        except CloudNotFound:
            return
        if found.get("customer") == customer_id:
            _ask(lambda: self._client.v1.payment_methods.detach(method_id))

    def charge(self, customer_id: str, method_id: str, *, amount: int, currency: str, key: str) -> PaymentIntent:
        """See PaymentProvider. A decline comes as an error that carries the payment (Stripe: `card_error`)."""
        wanted: Any = {
            "customer": customer_id,
            "payment_method": method_id,
            "amount": amount,
            "currency": currency.lower(),
            "off_session": True,
            "confirm": True,
            "payment_method_types": ["card"],
            "metadata": {_KEY: key},
        }
        try:
            return _payment(
                _ask(lambda: self._client.v1.payment_intents.create(wanted, {"idempotency_key": key}), declines=True)
            )
        except _Declined as declined:
            return declined.payment

    def get_payment(self, payment_id: str) -> PaymentIntent:
        """See PaymentProvider."""
        return _payment(_ask(lambda: self._client.v1.payment_intents.retrieve(payment_id)))

    def list_payments(self, customer_id: str) -> list[PaymentIntent]:
        """See PaymentProvider."""
        found: list[PaymentIntent] = []
        wanted: Any = {"customer": customer_id, "limit": _PAGE}
        while True:
            page = _ask(lambda: self._client.v1.payment_intents.list(dict(wanted)))  # type: ignore[arg-type]
            found += [_payment(row) for row in page["data"]]
            if not page.get("has_more") or not page["data"]:
                return found
            wanted["starting_after"] = page["data"][-1]["id"]

    def refund(self, payment_id: str, *, amount: int, key: str) -> ProviderRefund:
        """See PaymentProvider."""
        wanted: Any = {"payment_intent": payment_id, "amount": amount, "metadata": {_KEY: key}}
        return _refund(_ask(lambda: self._client.v1.refunds.create(wanted, {"idempotency_key": key})))

    def list_refunds(self, payment_id: str) -> list[ProviderRefund]:
        """See PaymentProvider."""
        wanted: Any = {"payment_intent": payment_id, "limit": _PAGE}
        return [_refund(row) for row in _ask(lambda: self._client.v1.refunds.list(wanted))["data"]]


class _Declined(Exception):
    def __init__(self, payment: PaymentIntent) -> None:
        super().__init__(payment.failure)
        self.payment = payment


def _ask(call: Callable[[], Any], *, declines: bool = False) -> dict[str, Any]:
    """Make a call, and translate what comes of it."""
    try:
        answer = call()
    except stripe.StripeError as error:
        if declines and isinstance(error, stripe.CardError):
            raise _Declined(_declined_payment(error)) from error
        raise _translate(error) from error
    try:
        result: dict[str, Any] = answer.to_dict()
    except AttributeError as error:
        raise CloudUnavailable from error
    return result


def _declined_payment(error: stripe.CardError) -> PaymentIntent:
    body = error.json_body if isinstance(error.json_body, Mapping) else {}
    details = body.get("error") or {}
    intent = details.get("payment_intent") or {}
    charge = details.get("charge")
    needs_member = details.get("code") == "authentication_required"
    return PaymentIntent(
        id=str(intent.get("id") or charge or ""),
        customer_id=intent.get("customer"),
        status="requires_action" if needs_member and intent.get("id") else "declined",
        amount=int(intent.get("amount") or 0),
        currency=str(intent.get("currency") or "").upper(),
        client_secret=intent.get("client_secret"),
        failure=_plain(error.user_message or "The card was declined."),
    )


def _translate(error: stripe.StripeError) -> CloudError:
    """Return the error in our words. 409 is another request with the same key that is still under way.

    An answer that makes no sense says nothing of what was done: that is as if none had come.
    """
    reason = _plain(error.user_message)
    status = error.http_status or 0
    if isinstance(error, stripe.RateLimitError) or status == 429:
        return CloudThrottled(reason, retry_after=_seconds(error.headers))
    if isinstance(error, stripe.APIConnectionError) or status >= 500 or status < 400:
        return CloudUnavailable(reason)
    if isinstance(error, stripe.AuthenticationError) or status == 401:
        return CloudCredentialInvalid()
    if status == 404 or error.code == "resource_missing":
        return CloudNotFound(reason)
    if status == 409:
        return CloudConflict(reason)
    return CloudRefused(reason)


def _seconds(headers: Mapping[str, str] | None) -> float | None:
    """Return how long to wait (Retry-After in seconds), if that is said."""
    said = next((value for name, value in (headers or {}).items() if name.lower() == "retry-after"), "")
    return float(said) if said.isascii() and said.isdigit() else None


def _plain(text: str | None) -> str | None:
    """Take keys and secrets out of what Stripe says."""
    return _SECRETS.sub("…", text)[:500] if text else None


def _setup(row: dict[str, Any]) -> SetupIntent:
    error = row.get("last_setup_error") or {}
    return SetupIntent(
        str(row["id"]),
        _id(row.get("customer")),
        str(row["status"]),
        row.get("client_secret"),
        _id(row.get("payment_method")),
        _plain(error.get("message")),
    )


def _payment(row: dict[str, Any]) -> PaymentIntent:
    error = row.get("last_payment_error") or {}
    return PaymentIntent(
        str(row["id"]),
        _id(row.get("customer")),
        str(row["status"]),
        int(row["amount"]),
        str(row["currency"]).upper(),
        row.get("client_secret"),
        _plain(error.get("message")),
        (row.get("metadata") or {}).get(_KEY),
    )


def _method(row: dict[str, Any]) -> CardMethod:
    card = row.get("card") or {}
    return CardMethod(
        str(row["id"]),
        _id(row.get("customer")),
        str(card.get("brand") or "card"),
        str(card.get("last4") or ""),
        int(card.get("exp_month") or 0),
        int(card.get("exp_year") or 0),
    )


def _refund(row: dict[str, Any]) -> ProviderRefund:
    key = (row.get("metadata") or {}).get(_KEY)
    return ProviderRefund(str(row["id"]), _id(row.get("payment_intent")), int(row["amount"]), str(row["status"]), key)


def _id(value: Any) -> str | None:
    """Return the id of what may have been expanded."""
    if isinstance(value, Mapping):
        return str(value["id"])
    return str(value) if value else None
