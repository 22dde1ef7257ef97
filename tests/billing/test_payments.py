"""Collecting: each invoice once, whatever Stripe or a worker does; and what follows when it is not paid."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy.exc import IntegrityError

from platforma.billing.collecting import KEY_LIVES
from platforma.billing.turns import NextTurn, Turn, bill, take_turn
from platforma.clouds.errors import CloudRefused, CloudThrottled, CloudUnavailable
from platforma.clouds.stripe import PaymentIntent
from platforma.clouds.stripe.fake import DECLINED, GOOD, NEEDS_MEMBER, FakeStripe
from platforma.database.database import Database
from platforma.database.gate_calls import OperationBinding
from platforma.kit.ids import new_id
from platforma.operations.models import Operation
from tests.billing.stage import Administrator, add_usage, make_account, month_before, open_billing, wake
from tests.database.server import TestDatabase
from tests.database.tenants import SignedIn, TwoTenants
from tests.operator.conftest import REASON, Plane

NOW = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
OCTOBER, _ = month_before(NOW)


class Shop:
    """Tenant A with an invoice of 11.90 EUR, a fake Stripe, a clock, and a worker that takes turns."""

    def __init__(self, plane: Plane, worker: Database, administrator: Administrator, a: SignedIn, b: SignedIn) -> None:
        self.plane, self.worker, self.administrator, self.a, self.b = plane, worker, administrator, a, b
        self.stripe = FakeStripe()
        self.now = NOW

    async def work(self, *, turns: int = 1) -> None:
        for _ in range(turns):
            await wake(self.administrator, self.a)
            await take_turn(self.worker, self.stripe, clock=lambda: self.now)

    async def ask(self, method: str, path: str, *, who: SignedIn | None = None, status: int) -> Any:
        who = who or self.a
        headers = {"host": who.host, "cookie": f"__Host-platforma={who.token}"}
        answer: httpx.Response = await self.plane.portal.request(
            method, f"http://{who.host}/api/v1{path}", headers=headers
        )
        assert answer.status_code == status, answer.text
        return answer.json()

    async def rows(self, table: str, who: SignedIn | None = None) -> list[dict[str, Any]]:
        cursor = self.administrator.cursor(row_factory=dict_row)
        query = f"SELECT * FROM {table} WHERE tenant_id = %s ORDER BY id".encode()
        return await (await cursor.execute(query, ((who or self.a).tenant_id,))).fetchall()

    async def invoice(self) -> dict[str, Any]:
        (found,) = [row for row in await self.rows("invoices") if row["kind"] == "invoice"]
        return found

    async def kinds(self) -> list[str]:
        return [row["kind"] for row in await self.rows("billing_events")]

    async def add_card(self, card: str = GOOD) -> None:
        """Add a card as a member does."""
        setup = await self.ask("POST", "/payment-methods", status=202)
        await self.work()
        (row,) = [row for row in await self.rows("payment_setups") if str(row["id"]) == setup["id"]]
        shown = await self.ask("GET", f"/payment-methods/setups/{setup['id']}", status=200)
        assert (shown["status"], shown["client_secret"]) == ("ready", row["client_secret"])
        self.stripe.confirm_setup(row["stripe_id"], card)
        await self.ask("POST", f"/payment-methods/setups/{setup['id']}/finish", status=202)
        await self.work()

    def charged(self) -> int:
        return sum(payment.amount for payment in self.stripe.payments.values() if payment.status == "succeeded")


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """Turns are taken at whatever account is due: each test has a database of its own."""
    return fresh_database


@pytest.fixture
async def shop(plane: Plane, worker_database: Database, administrator: Administrator, two_tenants: TwoTenants) -> Shop:
    a = two_tenants.a
    await open_billing(plane, administrator, a, OCTOBER)
    await make_account(worker_database, administrator, a, OCTOBER)
    await add_usage(administrator, a, OCTOBER, OCTOBER + timedelta(hours=100))
    made = Shop(plane, worker_database, administrator, a, two_tenants.b)
    await made.work()
    return made


async def test_the_customer_is_made_once_and_bound(shop: Shop) -> None:
    await shop.work(turns=2)
    assert list(shop.stripe.customers.values()) == [shop.a.tenant_id]


async def test_a_new_card_pays_what_is_open(shop: Shop) -> None:
    await shop.add_card()
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["paid"], invoice["total"], shop.charged()) == ("paid", 1190, 1190, 1190)
    (card,) = (await shop.ask("GET", "/payment-methods", status=200))["items"]
    assert (card["brand"], card["last4"], card["is_default"]) == ("visa", "4242", True)
    (payment,) = (await shop.ask("GET", f"/invoices/{invoice['id']}/payments", status=200))["items"]
    assert (payment["status"], payment["amount"]) == ("succeeded", 1190)
    await shop.ask("POST", f"/invoices/{invoice['id']}/payments", status=409)
    shop.now += timedelta(days=30)
    await shop.work(turns=3)
    assert shop.charged() == 1190


AFTERWARDS = 8
"""Turns that are still taken when all is paid: nothing must happen twice."""
FAULTS = [CloudUnavailable("500"), CloudThrottled("429"), CloudUnavailable("slow")]


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_fails_nothing_is_charged_twice_or_lost(shop: Shop, seed: int) -> None:
    """Stripe down, slow, 429 or 500, before it did what was asked or after; workers that die between any two calls."""
    random = Random(seed)
    setup = await shop.ask("POST", "/payment-methods", status=202)
    is_confirmed = False
    left = 60
    while left > 0:
        left -= 1
        if left > AFTERWARDS and (await shop.invoice())["status"] == "paid":
            left = AFTERWARDS
        if random.random() < 0.6:
            shop.stripe.faults.append((random.choice(["before", "after"]), random.choice(FAULTS)))
        if random.random() < 0.3:
            await wake(shop.administrator, shop.a)
            taken = NextTurn()
            async with shop.worker.write(taken):
                pass
            assert taken.lease is not None
            if random.random() < 0.5:
                await bill(shop.worker, Turn(taken.lease), now=shop.now)
            continue  # it died here
        await shop.work()
        (row,) = await shop.rows("payment_setups")
        if row["status"] == "ready" and not is_confirmed:
            shop.stripe.confirm_setup(row["stripe_id"])
            is_confirmed = True
            await shop.ask("POST", f"/payment-methods/setups/{setup['id']}/finish", status=202)
    shop.stripe.faults.clear()
    await shop.work(turns=3)
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["paid"], shop.charged()) == ("paid", 1190, 1190)
    assert len([payment for payment in shop.stripe.payments.values() if payment.status == "succeeded"]) == 1
    assert len(shop.stripe.customers) == 1


async def test_an_answer_that_was_lost_for_longer_than_keys_live_is_looked_for(shop: Shop) -> None:
    await shop.add_card(DECLINED)
    await shop.ask("POST", f"/invoices/{(await shop.invoice())['id']}/payments", status=202)
    for id_, card in list(shop.stripe.cards.items()):
        shop.stripe.cards[id_] = GOOD if card == DECLINED else card
    shop.stripe.faults = [("after", CloudUnavailable())]
    await shop.work()
    assert (await shop.invoice())["paid"] == 0
    shop.stripe._kept.clear()  # Stripe has forgotten the key
    await shop.administrator.execute("UPDATE payments SET updated_at = %s", (shop.now - KEY_LIVES * 2,))
    await shop.work()
    assert ((await shop.invoice())["paid"], shop.charged()) == (1190, 1190)


async def test_declined_cards_are_tried_again_some_times_and_members_hear_why(shop: Shop) -> None:
    await shop.add_card(DECLINED)
    tried = []
    for _ in range(12):
        shop.now += timedelta(days=1)
        await shop.work()
        tried.append(len(await shop.rows("payments")))
    assert tried[-1] == 4
    payment = (await shop.rows("payments"))[0]
    assert (payment["status"], payment["failure"]) == ("failed", "Your card was declined.")
    assert (await shop.kinds()).count("payment_failed") == 4
    assert shop.charged() == 0


@pytest.mark.parametrize("is_confirmed", [True, False])
async def test_a_payment_that_the_bank_asks_about_leads_the_member_through(shop: Shop, is_confirmed: bool) -> None:
    await shop.add_card(NEEDS_MEMBER)
    (payment,) = await shop.rows("payments")
    assert (payment["status"], payment["client_secret"] is not None) == ("requires_action", True)
    headers = {"host": shop.a.host, "cookie": f"__Host-platforma={shop.a.token}"}
    page = await shop.plane.portal.get(f"http://{shop.a.host}/payments/{payment['id']}", headers=headers)
    assert page.status_code == 200
    shop.stripe.authenticate(payment["stripe_id"], is_confirmed=is_confirmed)
    sent = await shop.plane.portal.post(f"http://{shop.a.host}/payments/{payment['id']}/finish", headers=headers)
    assert sent.status_code == 303
    await shop.work()
    (payment,) = await shop.rows("payments")
    expected = ("succeeded", 1190) if is_confirmed else ("failed", 0)
    assert (payment["status"], (await shop.invoice())["paid"], payment["client_secret"]) == (*expected, None)


async def test_a_removed_card_is_forgotten_and_never_charged(shop: Shop) -> None:
    await shop.add_card(DECLINED)
    (card,) = (await shop.ask("GET", "/payment-methods", status=200))["items"]
    await shop.ask("DELETE", f"/payment-methods/{card['id']}", status=202)
    shop.now += timedelta(days=4)
    await shop.work()
    assert (await shop.ask("GET", "/payment-methods", status=200))["items"] == []
    assert [method.customer_id for method in shop.stripe.methods.values()] == [None]
    assert len(await shop.rows("payments")) == 1
    await shop.ask("POST", f"/payment-methods/{card['id']}/default", status=404)


async def test_credit_notes_are_refunded_to_the_card_and_no_more_than_was_paid(shop: Shop) -> None:
    await shop.add_card()
    path = f"/tenants/{shop.a.tenant_id}/invoices/{(await shop.invoice())['id']}/credit-notes"
    note = await shop.plane.call("POST", path, status=201, json={"net": 100, "reason": REASON})
    shop.stripe.faults = [("after", CloudUnavailable())]
    await shop.work(turns=2)
    assert [refund.amount for refund in shop.stripe.refunds.values()] == [note["total"]] == [119]
    await shop.plane.call("POST", path, status=201, json={"reason": REASON})
    await shop.work()
    assert sum(refund.amount for refund in shop.stripe.refunds.values()) == 1190
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["paid"], invoice["credited"]) == ("credited", 0, 1190)
    assert {row["status"] for row in await shop.rows("refunds")} == {"succeeded"}


async def test_a_credit_note_before_payment_leaves_less_to_pay(shop: Shop) -> None:
    path = f"/tenants/{shop.a.tenant_id}/invoices/{(await shop.invoice())['id']}/credit-notes"
    await shop.plane.call("POST", path, status=201, json={"net": 100, "reason": REASON})
    await shop.add_card()
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["paid"], invoice["credited"], shop.charged()) == ("paid", 1071, 119, 1071)


async def test_dunning_reminds_holds_and_releases(shop: Shop) -> None:
    """Due after 14 days, reminded of after 1 and 7 more, held after 7 days of grace; paying releases at once."""
    invoice = await shop.invoice()
    seen: dict[int, list[str]] = {}
    for day in range(25):
        shop.now = NOW + timedelta(days=day, minutes=1)
        await shop.work(turns=2)
        seen[day] = [kind for kind in await shop.kinds() if kind != "differs"]
    assert seen[14] == []
    assert seen[15] == seen[20] == ["reminder"]
    assert sorted(seen[21]) == sorted(seen[24]) == ["reminder", "reminder", "suspended"]
    headers = {"host": shop.a.host, "cookie": f"__Host-platforma={shop.a.token}"}
    refused = await shop.plane.portal.post(f"http://{shop.a.host}/api/v1/networks", headers=headers, json={"name": "x"})
    assert (refused.status_code, refused.json()["type"]) == (402, "urn:platforma:problem:payment-overdue")
    for path in ("/networks", "/invoices", f"/invoices/{invoice['id']}"):
        await shop.ask("GET", path, status=200)
    await shop.ask("DELETE", f"/volumes/{new_id()}", status=404)  # past the hold: what costs can be deleted
    page = await shop.plane.portal.get(f"http://{shop.a.host}/volumes/{new_id()}/delete", headers=headers)
    assert page.status_code == 404
    await shop.add_card()
    assert (await shop.invoice())["status"] == "paid"
    assert (await shop.kinds()).count("reinstated") == 1
    accepted = await shop.plane.portal.post(
        f"http://{shop.a.host}/api/v1/networks", headers=headers, json={"name": "x"}
    )
    assert accepted.status_code == 202


async def test_of_a_tenant_that_is_gone_the_last_bill_is_collected_and_then_no_card_is_kept(shop: Shop) -> None:
    """An invoice of this very month before it is over; the customer and its binding stay for the books."""
    await shop.add_card()
    begun = await shop.ask("POST", "/payment-methods", status=202)
    (account,) = await shop.rows("billing_accounts")
    used_at = account["billed_until"]
    await add_usage(shop.administrator, shop.a, used_at, used_at + timedelta(minutes=10), quantity=60)
    await shop.administrator.execute("UPDATE tenants SET status = 'offboarded' WHERE id = %s", (shop.a.tenant_id,))
    shop.now = NOW + timedelta(minutes=5)
    await shop.work()  # what was used has not settled
    assert [row["removal_requested_at"] for row in await shop.rows("payment_methods")] == [None]
    shop.now = NOW + timedelta(hours=1)
    shop.stripe.faults = [("before", CloudUnavailable())] * 2
    await shop.work(turns=2)
    assert [method.customer_id is None for method in shop.stripe.methods.values()] == [False]
    await shop.work(turns=3)
    assert sorted((row["status"], row["total"]) for row in await shop.rows("invoices")) == [
        ("paid", 12),
        ("paid", 1190),
    ]
    assert shop.charged() == 1202
    assert [method.customer_id for method in shop.stripe.methods.values()] == [None]
    assert all(row["removed_at"] for row in await shop.rows("payment_methods"))
    (setup,) = [row for row in await shop.rows("payment_setups") if str(row["id"]) == begun["id"]]
    assert (setup["status"], setup["client_secret"]) == ("failed", None)
    assert list(shop.stripe.customers.values()) == [shop.a.tenant_id]
    bound = await shop.administrator.execute("SELECT tenant_id FROM gate.stripe_customers")
    assert await bound.fetchall() == [(shop.a.tenant_id,)]
    assert (await shop.kinds()).count("closed") == 1


async def test_a_card_is_kept_as_long_as_something_may_be_collected_from_it(shop: Shop) -> None:
    """A declined card of a tenant that is gone is tried as often as any, and then forgotten."""
    await shop.add_card(DECLINED)
    await shop.administrator.execute("UPDATE tenants SET status = 'offboarded' WHERE id = %s", (shop.a.tenant_id,))
    for days, is_kept in ((1, True), (4, True), (7, True), (11, False)):
        shop.now = NOW + timedelta(days=days)
        await shop.work(turns=2)
        kept = [row for row in await shop.rows("payment_methods") if row["removed_at"] is None]
        assert bool(kept) is is_kept, days
    assert len(await shop.rows("payments")) == 4
    assert (await shop.invoice())["status"] == "open"


async def test_the_nightly_comparison_finds_what_differs(shop: Shop) -> None:
    await shop.add_card()
    customer = next(iter(shop.stripe.customers))
    shop.stripe.payments["pi_x"] = PaymentIntent("pi_x", customer, "succeeded", 5, "EUR")
    (payment,) = await shop.rows("payments")
    own = shop.stripe.payments[payment["stripe_id"]]
    shop.stripe.payments[own.id] = replace(own, amount=1000)
    shop.now += timedelta(days=2)
    await shop.work(turns=2)
    found = [row["details"]["difference"] for row in await shop.rows("billing_events") if row["kind"] == "differs"]
    assert len(found) == 2
    assert any("pi_x: 5 EUR were paid, and are not here" in text for text in found)
    assert any("1000 were paid, and 1190 are here" in text for text in found)


async def test_stripe_refusing_is_an_answer(shop: Shop) -> None:
    setup = await shop.ask("POST", "/payment-methods", status=202)
    shop.stripe.faults = [("before", CloudRefused("No."))]
    await shop.work()
    shown = await shop.ask("GET", f"/payment-methods/setups/{setup['id']}", status=200)
    assert (shown["status"], "No." in shown["failure"]) == ("failed", True)


async def bind(shop: Shop, portal: Database, who: SignedIn, customer: str) -> None:
    """Bind a customer to a tenant, as a worker that carries out its operation could."""
    operation_id = new_id()
    async with portal.write(who.binding()) as session:
        session.add(
            Operation(
                id=operation_id,
                action="x.y",
                resource_kind="x",
                resource_id=new_id(),
                resource_name="x",
                requested_by="x",
            )
        )
    async with shop.worker.write(OperationBinding(operation_id)) as session:
        await session.call_gate("bind_customer", customer=customer)


async def test_b05_a_customer_is_bound_once_and_to_one_tenant(shop: Shop, portal_database: Database) -> None:
    """B05: another customer for A, or A's for B, is refused by constraint; the worker cannot touch the table itself."""
    own = next(iter(shop.stripe.customers))
    await bind(shop, portal_database, shop.a, own)
    with pytest.raises(IntegrityError):
        await bind(shop, portal_database, shop.a, "cus_other")
    with pytest.raises(IntegrityError):
        await bind(shop, portal_database, shop.b, own)
    found = await (
        await shop.administrator.execute("SELECT customer_id, tenant_id FROM gate.stripe_customers")
    ).fetchall()
    assert found == [(own, shop.a.tenant_id)]
    for role in ("platforma_portal", "platforma_worker", "platforma_provisioner", "platforma_operator"):
        may = await shop.administrator.execute(
            "SELECT has_table_privilege(%s, 'gate.stripe_customers', 'SELECT, INSERT, UPDATE, DELETE')", (role,)
        )
        assert await may.fetchone() == (False,)


async def test_b06_nobody_pays_or_uses_what_is_anothers(shop: Shop) -> None:
    """B06: B pays A's invoice, or uses, removes or looks at A's card and payment: all as if they never existed."""
    await shop.add_card(DECLINED)
    (card,) = await shop.rows("payment_methods")
    (setup,) = await shop.rows("payment_setups")
    invoice = await shop.invoice()
    before = {table: await shop.rows(table) for table in ("payments", "payment_methods", "payment_setups", "invoices")}
    attacks = [
        ("POST", "/invoices/{}/payments", invoice["id"]),
        ("GET", "/invoices/{}/payments", invoice["id"]),
        ("POST", "/payment-methods/{}/default", card["id"]),
        ("DELETE", "/payment-methods/{}", card["id"]),
        ("GET", "/payment-methods/setups/{}", setup["id"]),
        ("POST", "/payment-methods/setups/{}/finish", setup["id"]),
    ]
    for method, path, id_ in attacks:
        foreign = await shop.ask(method, path.format(id_), who=shop.b, status=404)
        assert foreign == await shop.ask(method, path.format(new_id()), who=shop.b, status=404)
    assert (await shop.ask("GET", "/payment-methods", who=shop.b, status=200))["items"] == []
    assert {table: await shop.rows(table) for table in before} == before


async def test_b03_the_same_event_and_credit_key_count_for_each_tenant(
    shop: Shop, portal_database: Database, administrator: Administrator
) -> None:
    """B03: an event's id that A has used says nothing to B: both count, once each."""
    own = next(iter(shop.stripe.customers))
    await bind(shop, portal_database, shop.b, "cus_b")
    for customer in (own, "cus_b", own, "cus_b"):
        row = await portal_database.call_gate(
            "receive_stripe_event", event="evt_1", event_type="x", customer=customer, object="x"
        )
        assert row is not None
        assert row[0]
    assert (len(await shop.rows("stripe_events")), len(await shop.rows("stripe_events", shop.b))) == (1, 1)


async def test_an_object_of_another_customer_is_rejected(shop: Shop) -> None:
    """What Stripe says of a payment that is not the tenant's customer's counts for nothing, whatever its metadata."""
    await shop.add_card(NEEDS_MEMBER)
    (payment,) = await shop.rows("payments")
    intent = shop.stripe.payments[payment["stripe_id"]]
    shop.stripe.payments[intent.id] = replace(intent, customer_id="cus_other", status="succeeded")
    await shop.ask("GET", "/invoices", status=200)
    shop.now += timedelta(hours=1)
    await shop.work()
    (payment,) = await shop.rows("payments")
    assert (payment["status"], (await shop.invoice())["paid"]) == ("failed", 0)
    assert "rejected" in await shop.kinds()


async def test_the_portal_can_write_no_more_than_the_wish(shop: Shop, portal_database: Database) -> None:
    """SQL as the portal's role: neither a payment that has succeeded, nor a changed one, nor an event."""
    invoice = await shop.invoice()
    statements = [
        "INSERT INTO payments (tenant_id, id, invoice_id, attempt, status, requested_by)"
        " VALUES (%s, gen_random_uuid(), %s, 9, 'succeeded', 'x')",
        "INSERT INTO payments (tenant_id, id, invoice_id, attempt, amount, requested_by)"
        " VALUES (%s, gen_random_uuid(), %s, 9, 1, 'x')",
        "UPDATE payments SET status = 'succeeded' WHERE tenant_id = %s AND invoice_id = %s",
        "UPDATE invoices SET paid = total, status = 'paid' WHERE tenant_id = %s AND id = %s",
        "INSERT INTO credit_entries (tenant_id, id, key, amount, currency, invoice_id, reason, made_by)"
        " VALUES (%s, gen_random_uuid(), 'x', 1, 'EUR', %s, 'x', 'x')",
    ]
    url = portal_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in statements:
            async with connection.transaction(force_rollback=True):
                await connection.execute("SELECT gate.open_session(%s, %s)", (shop.a.token, shop.a.host))
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(statement.encode(), (shop.a.tenant_id, UUID(str(invoice["id"]))))
    assert json.dumps((await shop.invoice())["paid"]) == "0"
