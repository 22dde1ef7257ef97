"""Budgets and their alerts; credit, and what operators see of revenue."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforma.authentication.permissions import Permission, Role, allows
from platforma.billing.turns import take_turn
from platforma.clouds.stripe.fake import DECLINED
from platforma.database.database import Database
from platforma.kit.clock import utc_now
from tests.billing.stage import Administrator, add_usage, make_account, open_billing, wake
from tests.billing.test_payments import Shop, database, shop
from tests.database.tenants import SignedIn, TwoTenants
from tests.operator.conftest import REASON, Plane

__all__ = ["database", "shop"]


async def ask(plane: Plane, who: SignedIn, method: str, path: str, **options: Any) -> httpx.Response:
    headers = {"host": who.host, "cookie": f"__Host-platforma={who.token}"}
    return await plane.portal.request(method, f"http://{who.host}{path}", headers=headers, **options)


async def test_a_budget_tells_once_a_month_when_a_share_is_reached(
    plane: Plane, worker_database: Database, administrator: Administrator, two_tenants: TwoTenants
) -> None:
    a, now = two_tenants.a, utc_now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if now - month < timedelta(hours=3):
        pytest.skip("the month has just begun")
    await open_billing(plane, administrator, a, month)
    await make_account(worker_database, administrator, a, month)
    await add_usage(administrator, a, now - timedelta(hours=1), now, quantity=900)  # 9.00 EUR
    for name, amount in (("near", 1000), ("over", 900), ("far", 5000)):
        made = await ask(plane, a, "POST", "/api/v1/billing/budgets", json={"name": name, "amount": amount})
        assert made.status_code == 201, made.text
    for _ in range(2):
        await wake(administrator, a)
        await take_turn(worker_database, clock=lambda: now)
    events = (await ask(plane, a, "GET", "/api/v1/billing/events")).json()["items"]
    told = sorted((event["details"]["name"], event["details"]["threshold"]) for event in events)
    assert told == [("near", 80), ("over", 80), ("over", 100)]
    page = await ask(plane, a, "GET", "/billing")
    assert page.status_code == 200
    assert "100 % of the budget over are used." in page.text
    assert "<rect" in page.text
    costs = (await ask(plane, a, "GET", "/api/v1/billing/costs")).json()
    assert sum(day["amount"] for day in costs["days"]) == costs["net"] == 900
    assert [cost["amount"] for cost in costs["resources"]] == [900]


async def test_budgets_are_the_tenants_own(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    body = {"name": "x", "amount": 1, "thresholds": [100, 50, 100]}
    made = (await ask(plane, a, "POST", "/api/v1/billing/budgets", json=body)).json()
    assert made["thresholds"] == [50, 100]
    assert (await ask(plane, a, "POST", "/api/v1/billing/budgets", json=body)).status_code == 409
    changes: list[dict[str, Any]] = [{"amount": 0}, {"thresholds": []}, {"amount": True}, {"tenant_id": "x"}]
    for change in changes:
        assert (await ask(plane, a, "POST", "/api/v1/billing/budgets", json={**body, **change})).status_code == 422
    assert (await ask(plane, b, "GET", "/api/v1/billing/budgets")).json()["items"] == []
    assert (await ask(plane, b, "DELETE", f"/api/v1/billing/budgets/{made['id']}")).status_code == 404
    assert (await ask(plane, a, "DELETE", f"/api/v1/billing/budgets/{made['id']}")).status_code == 204
    form = {"name": "by page", "amount": "12.50"}
    sent = await ask(plane, a, "POST", "/billing/budgets", data=form)
    assert sent.status_code == 303, sent.text
    (shown,) = (await ask(plane, a, "GET", "/api/v1/billing/budgets")).json()["items"]
    assert shown["amount"] == 1250


async def test_credit_pays_before_a_card_and_once(shop: Shop) -> None:
    path = f"/tenants/{shop.a.tenant_id}/credits"
    body = {"key": "goodwill", "amount": 1000, "currency": "EUR", "reason": REASON}
    for _ in range(2):
        await shop.plane.call("POST", path, status=201, json=body)
    await shop.plane.call("POST", path, status=409, json={**body, "amount": 1})
    await shop.plane.call("POST", path, status=201, json={**body, "key": "other", "currency": "USD"})
    await shop.work(turns=2)
    assert (await shop.invoice())["paid"] == 1000
    await shop.add_card()
    invoice = await shop.invoice()
    assert (invoice["status"], invoice["paid"], shop.charged()) == ("paid", 1190, 190)
    entries = (await shop.plane.call("GET", path, status=200, params={"reason": REASON}))["items"]
    assert sorted(entry["amount"] for entry in entries) == [-1000, 1000, 1000]
    nobody = "/tenants/00000000-0000-7000-8000-000000000000/credits"
    await shop.plane.call("POST", nobody, status=404, json=body)


async def test_revenue_is_of_the_portal_and_shows_no_card(shop: Shop) -> None:
    await shop.add_card(DECLINED)
    path = f"/portals/{shop.a.portal_id}/revenue"
    revenue = await shop.plane.call("GET", path, status=200)
    (month,) = revenue["months"]
    assert month == {
        "month": "2026-11",
        "currency": "EUR",
        "invoices": 1,
        "net": 1000,
        "tax": 190,
        "paid": 0,
        "owed": 1190,
    }
    (failure,) = revenue["failures"]
    assert (failure["tenant_id"], failure["amount"], failure["failure"]) == (
        str(shop.a.tenant_id),
        1190,
        "Your card was declined.",
    )
    (card,) = await shop.rows("payment_methods")
    (payment,) = await shop.rows("payments")
    text = str(revenue)
    for secret in (card["stripe_id"], card["last4"], payment["stripe_id"], payment["method_stripe_id"]):
        assert secret not in text
    other = await shop.plane.call("GET", f"/portals/{shop.b.portal_id}/revenue", status=200)
    assert other == {"months": [], "failures": []}
    await shop.plane.call("GET", "/portals/00000000-0000-7000-8000-000000000000/revenue", status=404)
    page = await shop.plane.send("GET", f"/portals/{shop.a.portal_id}/billing")
    assert page.status_code == 200
    assert "Your card was declined." in page.text


async def test_corrections_count_now_and_once_for_each_tenant(shop: Shop) -> None:
    """B03 too: the same key of another tenant counts, and says nothing of the first."""
    body: dict[str, Any] = {
        "key": "ticket-1",
        "resource_kind": "volumes",
        "resource_id": "01a20700-0000-7000-8000-000000000000",
        "resource_name": "data",
        "item": "volume",
        "unit_seconds": 3600 * 500,
        "reason": REASON,
    }
    for who in (shop.a, shop.b):
        path = f"/tenants/{who.tenant_id}/usage-corrections"
        first, second = [await shop.plane.call("POST", path, status=201, json=body) for _ in range(2)]
        assert first == second
        await shop.plane.call("POST", path, status=409, json={**body, "unit_seconds": 1})
        await shop.plane.call("POST", path, status=422, json={**body, "unit_seconds": 0})
        await shop.plane.call("POST", path, status=422, json={**body, "at": "2020-01-01T00:00:00Z"})
        assert len(await shop.rows("usage_corrections", who)) == 1
    before = await shop.invoice()
    shop.now = (utc_now().replace(day=1) + timedelta(days=32)).replace(day=2)
    await shop.work()
    invoices = [row for row in await shop.rows("invoices") if row["kind"] == "invoice"]
    assert [row for row in invoices if row["id"] == before["id"]] == [before]
    (later,) = [row for row in invoices if row["id"] != before["id"]]
    assert later["net"] == 500


def test_the_role_billing_sees_bills_and_nothing_else() -> None:
    """Beside its own session, and the name of the tenant that it is in."""
    allowed = {permission for permission in Permission if allows(Role.BILLING, permission)}
    assert allowed == {
        Permission.SESSION_OWN,
        Permission.TENANT_READ,
        Permission.BILLING_READ,
        Permission.BILLING_WRITE,
    }
