"""Webhooks: verified over the raw body, once each, in any order; forged ones leave no trace but a line in the log."""

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from random import Random
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from pydantic import SecretStr
from stripe import Webhook

from platforma.app import create_app
from platforma.billing import webhooks
from platforma.billing.webhooks import is_signed, read_event
from platforma.clouds.stripe.fake import NEEDS_MEMBER
from platforma.database.database import Database
from platforma.settings import Settings
from tests.billing.stage import Administrator, wake
from tests.billing.test_payments import NOW, Shop, bind, database, shop
from tests.database.tenants import PEPPER

__all__ = ["database", "shop"]

SECRET, ROLLED = "whsec_now", "whsec_before"


def sign(payload: bytes, *, secret: str = SECRET, at: float | None = None) -> str:
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def event_of(customer: str | None, object_id: str, *, id_: str = "evt_1", type_: str = "payment_intent.x") -> bytes:
    found = {"id": object_id, "object": "payment_intent", "customer": customer, "metadata": {"tenant_id": "another's"}}
    return json.dumps({"id": id_, "type": type_, "data": {"object": found}}).encode()


@pytest.fixture
async def client(shop: Shop, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    secrets = [SecretStr(SECRET), SecretStr(ROLLED)]
    app = create_app(
        Settings(database=settings.database, pepper=SecretStr(PEPPER), stripe={"webhook_secrets": secrets})
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://any.localhost") as made:
        yield made
    await app.state.database.close()


async def deliver(client: httpx.AsyncClient, payload: bytes, header: str) -> int:
    headers = {"stripe-signature": header, "content-type": "application/json; charset=utf-8"}
    return (await client.post("/api/v1/webhooks/stripe", content=payload, headers=headers)).status_code


def test_signatures_are_what_the_sdk_takes() -> None:
    payload = event_of("cus", "pi")
    header = sign(payload)
    Webhook.construct_event(payload, header, SECRET)
    assert is_signed(payload, header, [SECRET], now=time.time(), tolerance=300)
    assert is_signed(payload, sign(payload, secret=ROLLED), [SECRET, ROLLED], now=time.time(), tolerance=300)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v1=00",
        "t=x,v1=00",
        "t=1,t=2,v1=00",
        "t=٣,v1=00",
        "t=" + "9" * 5000,
        "t=1,v0=00",
        "t=1,v1=é",
    ],
)
def test_odd_signatures_are_none(header: str) -> None:
    assert not is_signed(b"{}", header, [SECRET], now=1, tolerance=300)
    assert not is_signed(b"{}", header, [], now=1, tolerance=300)


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"1", b"{}", b'{"id":1,"type":"x","data":{"object":{"id":"x"}}}', b"\xff"]
)
def test_odd_events_are_none(payload: bytes) -> None:
    assert read_event(payload) is None


async def test_b02_what_is_forged_old_or_altered_is_refused(
    shop: Shop, client: httpx.AsyncClient, administrator: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B02: nothing is kept of it but a line in the log, and nobody is woken."""
    logger = Mock()
    monkeypatch.setattr(webhooks, "logger", logger)
    customer = next(iter(shop.stripe.customers))
    payload = event_of(customer, "pi_1")
    await administrator.execute("UPDATE billing_accounts SET wake_at = '2100-01-01'")
    good = sign(payload)
    for body, header in (
        (payload, ""),
        (payload, sign(payload, secret="whsec_guess")),
        (payload, sign(payload, at=time.time() - 301)),
        (payload, sign(payload, at=time.time() + 360)),
        (payload + b" ", good),
        (payload.replace(b"pi_1", b"pi_2"), good),
        (payload, good.replace("v1=", "v0=")),
    ):
        assert await deliver(client, body, header) == 400
    assert [call.args[0] for call in logger.warning.mock_calls] == ["a webhook was not signed by Stripe"] * 7
    assert await shop.rows("stripe_events") == []
    woken = await administrator.execute("SELECT count(*) FROM billing_accounts WHERE wake_at < '2100-01-01'")
    assert await woken.fetchone() == (0,)
    assert await deliver(client, payload, good) == 204
    assert [row["event_id"] for row in await shop.rows("stripe_events")] == ["evt_1"]


async def test_b02_metadata_means_nothing_and_nobodys_customer_is_nobodys(
    shop: Shop, client: httpx.AsyncClient, portal_database: Database
) -> None:
    """B02: the tenant is the customer's, whatever metadata says; an object of another tenant's is not looked at."""
    await shop.add_card(NEEDS_MEMBER)
    (payment,) = await shop.rows("payments")
    await bind(shop, portal_database, shop.b, "cus_b")
    for customer in ("cus_b", "cus_unknown", None):
        payload = event_of(customer, payment["stripe_id"], id_=f"evt_{customer}")
        assert await deliver(client, payload, sign(payload)) == 204
    assert await shop.rows("stripe_events") == []
    assert [row["object_id"] for row in await shop.rows("stripe_events", shop.b)] == [payment["stripe_id"]]
    shop.stripe.authenticate(payment["stripe_id"])
    await wake(shop.administrator, shop.b)
    await shop.work(turns=2)
    assert (await shop.invoice())["paid"] == 0
    assert [row["status"] for row in await shop.rows("stripe_events", shop.b)] == ["ignored"]


async def test_a_thousand_shuffled_doubled_late_and_forged_end_as_in_order(
    shop: Shop, client: httpx.AsyncClient
) -> None:
    """The end is what Stripe says at the end, whichever hints came when."""
    await shop.add_card(NEEDS_MEMBER)
    (payment,) = await shop.rows("payments")
    customer, random = next(iter(shop.stripe.customers)), Random(1)
    kinds = ("payment_intent.created", "payment_intent.requires_action", "payment_intent.succeeded", "charge.succeeded")
    deliveries: list[tuple[bytes, bool]] = []
    for number in range(400):
        payload = event_of(customer, payment["stripe_id"], id_=f"evt_{number}", type_=kinds[number % 4])
        deliveries += [(payload, True)] * random.choice([1, 2, 3])
        deliveries += [(payload.replace(b"evt_", b"evt_forged_"), False)] * random.choice([0, 1])
    deliveries = (deliveries * 2)[:1000]
    random.shuffle(deliveries)
    statuses: dict[bool, set[int]] = {True: set(), False: set()}
    for number, (payload, is_true) in enumerate(deliveries):
        if number == 500:
            shop.stripe.authenticate(payment["stripe_id"])
        if number % 250 == 100:
            shop.now = NOW + timedelta(minutes=number)
            await shop.work()
        late = time.time() - random.choice([0, 0, 60, 240])
        header = sign(payload, at=late) if is_true else sign(payload, secret="whsec_guess")
        statuses[is_true].add(await deliver(client, payload, header))
    assert statuses == {True: {204}, False: {400}}
    await shop.work(turns=2)
    events = await shop.rows("stripe_events")
    sent = {json.loads(payload)["id"] for payload, is_true in deliveries if is_true}
    assert {row["event_id"] for row in events} == sent
    assert len(events) == len(sent)
    assert {row["status"] for row in events} == {"applied"}
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["paid"], shop.charged()) == ("paid", 1190, 1190)
    found: list[dict[str, Any]] = await shop.rows("billing_events")
    assert [row["kind"] for row in found].count("payment_succeeded") == 1
