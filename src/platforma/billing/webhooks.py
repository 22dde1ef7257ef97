"""Webhooks of Stripe: signatures over the raw body, and what is taken from an event.

Nothing of an event is believed but that the object it names may have changed: a worker asks Stripe itself what became
of it. So events may come twice, late and in any order, and metadata means nothing.
Signatures: https://docs.stripe.com/webhooks#verify-manually
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, Request

from platforma.api.routes import OpenRoute, database_of
from platforma.billing.errors import NotFromStripe
from platforma.kit.clock import utc_now
from platforma.settings import Settings

logger = structlog.get_logger(__name__)

webhooks = APIRouter(prefix="/webhooks", tags=["Webhooks"], route_class=OpenRoute)

_LONGEST_HEADER = 4096


@dataclass(frozen=True)
class Event:
    """What is taken from an event."""

    id: str
    type: str
    object_id: str
    customer: str | None


@webhooks.post("/stripe", status_code=204)
async def receive_stripe_event(request: Request) -> None:
    """For Stripe alone. Refused unless it is signed with a secret of the endpoint, and was so a moment ago."""
    settings: Settings = request.app.state.settings
    payload = await request.body()
    secrets = [secret.get_secret_value() for secret in settings.stripe.webhook_secrets]
    header = request.headers.get("stripe-signature", "")
    tolerance = settings.stripe.webhook_tolerance_seconds
    if not is_signed(payload, header, secrets, now=utc_now().timestamp(), tolerance=tolerance):
        logger.warning("a webhook was not signed by Stripe", address=request.state.address)
        raise NotFromStripe
    event = read_event(payload)
    if event is None or event.customer is None:
        logger.info("a webhook is of no customer")
        return
    row = await database_of(request).call_gate(
        "receive_stripe_event",
        event=event.id,
        event_type=event.type,
        customer=event.customer,
        object=event.object_id,
    )
    if row is None or not row[0]:
        logger.info("a webhook is of nobody's customer", event_id=event.id)


def is_signed(payload: bytes, header: str, secrets: Sequence[str], *, now: float, tolerance: int) -> bool:
    """Say whether a body was signed with one of the secrets (`t=...,v1=...`), no longer ago than the tolerance.

    A signature of the future is refused as one of the past.
    """
    if len(header) > _LONGEST_HEADER:
        return False
    parts = [part.strip().partition("=") for part in header.split(",")]
    moments = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdigit() and len(moments[0]) < 16) or not given:
        return False
    is_known = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), f"{moments[0]}.".encode() + payload, hashlib.sha256).hexdigest()
        for signature in given:
            is_known |= hmac.compare_digest(expected.encode(), signature.encode())
    return is_known and abs(now - int(moments[0])) <= tolerance


def read_event(payload: bytes) -> Event | None:
    """Return what is of use in an event; None if it is none that we know."""
    try:
        document = json.loads(payload)
        found = document["data"]["object"]
        customer = found["id"] if found.get("object") == "customer" else found.get("customer")
        event = Event(document["id"], document["type"], found["id"], customer)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    texts = (event.id, event.type, event.object_id, event.customer or "x")
    if not all(isinstance(text, str) and text and "\x00" not in text for text in texts):
        return None
    return event
