"""The whole way over HTTP: the real client, a local Stripe that keeps keys, and its own webhooks back to a portal."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe
from pydantic import SecretStr

from devcloud.stripe import LocalStripe
from platforma.app import create_app
from platforma.billing.turns import take_turn
from platforma.clouds.stripe import StripeSettings, open_stripe
from platforma.clouds.stripe.fake import GOOD, NEEDS_MEMBER
from platforma.settings import Settings
from tests.billing.stage import wake
from tests.billing.test_payments import Shop, database, shop
from tests.database.tenants import PEPPER
from tests.operator.conftest import REASON
from tests.serving import served

__all__ = ["database", "shop"]

SECRET = "whsec_of_the_tests"
_DEADLINE_SECONDS = 20.0


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStripe]:
    directory: Path = tmp_path_factory.mktemp("stripe")
    with LocalStripe(directory=directory) as running:
        yield running


class RealShop:
    """The shop with the real client instead of the fake."""

    def __init__(self, shop: Shop, local: LocalStripe) -> None:
        self.shop = shop
        self.provider = open_stripe(StripeSettings(local.base_address, "sk_test_12345"))
        self.client = stripe.StripeClient(
            "sk_test_12345", base_addresses={"api": local.base_address}, max_network_retries=0
        )

    async def work(self) -> None:
        await wake(self.shop.administrator, self.shop.a)
        await take_turn(self.shop.worker, self.provider, clock=lambda: self.shop.now)

    async def confirm(self, setup_id: str, number: str) -> None:
        """Do what the member's browser does."""
        card: Any = {"number": number, "exp_month": 12, "exp_year": 2034, "cvc": "123"}
        method = self.client.v1.payment_methods.create({"type": "card", "card": card})
        confirmed = self.client.v1.setup_intents.confirm(setup_id, {"payment_method": method.id})
        if confirmed.status == "requires_action":  # as localstripe's own script does when the bank has said yes
            self.client.v1.setup_intents.confirm(setup_id)

    async def add_card(self, number: str = GOOD) -> None:
        setup = await self.shop.ask("POST", "/payment-methods", status=202)
        await self.work()
        (row,) = [row for row in await self.shop.rows("payment_setups") if str(row["id"]) == setup["id"]]
        await self.confirm(row["stripe_id"], number)
        await self.shop.ask("POST", f"/payment-methods/setups/{setup['id']}/finish", status=202)
        await self.work()


@pytest.fixture
async def real(shop: Shop, local: LocalStripe) -> RealShop:
    await shop.administrator.execute("DELETE FROM gate.stripe_customers")  # that of the fake
    made = RealShop(shop, local)
    await made.work()
    return made


async def test_an_invoice_is_paid_compared_and_refunded(real: RealShop) -> None:
    await real.add_card()
    invoice = await real.shop.invoice()
    assert (invoice["status"], invoice["paid"]) == ("paid", 1190)
    path = f"/tenants/{real.shop.a.tenant_id}/invoices/{invoice['id']}/credit-notes"
    await real.shop.plane.call("POST", path, status=201, json={"net": 100, "reason": REASON})
    real.shop.now += timedelta(days=2)
    await real.work()
    (refund,) = await real.shop.rows("refunds")
    assert (refund["status"], refund["amount"]) == ("succeeded", 119)
    assert "differs" not in await real.shop.kinds()
    (account,) = await real.shop.rows("billing_accounts")
    assert (account["stripe_trouble"], account["compared_at"] is not None) == (None, True)
    (card,) = (await real.shop.ask("GET", "/payment-methods", status=200))["items"]
    await real.shop.ask("DELETE", f"/payment-methods/{card['id']}", status=202)
    await real.work()
    assert (await real.shop.ask("GET", "/payment-methods", status=200))["items"] == []


async def test_its_own_webhooks_are_taken_and_lead_to_what_became_of_a_payment(
    real: RealShop, local: LocalStripe, settings: Settings
) -> None:
    """The member confirms at the bank, and nobody tells us but Stripe."""
    app = create_app(
        Settings(database=settings.database, pepper=SecretStr(PEPPER), stripe={"webhook_secrets": [SecretStr(SECRET)]})
    )
    with served(app) as port:
        body = json.dumps({"url": f"http://127.0.0.1:{port}/api/v1/webhooks/stripe", "secret": SECRET}).encode()
        hook = urllib.request.Request(
            f"{local.base_address}/_config/webhooks/tests", body, {"content-type": "application/json"}
        )
        await asyncio.to_thread(urllib.request.urlopen, hook)
        await real.add_card(NEEDS_MEMBER)
        (payment,) = await real.shop.rows("payments")
        assert payment["status"] == "requires_action"
        await asyncio.to_thread(
            real.client.raw_request,
            "post",
            f"/v1/payment_intents/{payment['stripe_id']}/_authenticate",
            success="true",
            client_secret=payment["client_secret"],
        )
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not [row for row in await real.shop.rows("stripe_events") if row["type"] == "payment_intent.succeeded"]:
            assert time.monotonic() < deadline, await real.shop.rows("stripe_events")
            await asyncio.sleep(0.1)
    await real.work()
    assert ((await real.shop.invoice())["paid"], (await real.shop.rows("payments"))[0]["status"]) == (1190, "succeeded")
