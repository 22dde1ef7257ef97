"""The console's forms of billing, and what new prices would have made of last month."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from platforma.billing.metering import Period
from platforma.billing.rating import Book, ItemPrice, month_of
from platforma.operator.price_preview import TenantUse, compare
from tests.billing.stage import Administrator, add_usage, month_before
from tests.database.tenants import SignedIn, TwoTenants
from tests.operator.conftest import REASON, Plane
from tests.operator.test_console import page, submit

SELLER = {
    "company": "Zebra & Co",
    "line1": "Hauptstraße 1",
    "line2": "",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
    "vat_number": "",
    "email": "billing@example.org",
    "prefix": "ZEB",
    "payment_days": "10",
    "grace_days": "5",
    "footer": "",
}
NOVEMBER = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
A, B = UUID(int=1), UUID(int=2)
HOUR = 3600 * 10**6


def table(*rows: tuple[str, str, str, str, str], currency: str = "EUR") -> dict[str, Any]:
    columns = zip(*rows, strict=True)
    names = ("item", "label", "unit", "amount", "free_units")
    return {"currency": currency, **{name: list(column) for name, column in zip(names, columns, strict=True)}}


async def test_seller_and_tax_are_set_by_page(plane: Plane, a: SignedIn) -> None:
    billing = f"/portals/{a.portal_id}/billing"
    assert "It has none yet" in await page(plane, billing)
    await submit(plane, f"{billing}/seller", SELLER)
    shown = await page(plane, billing)
    assert "Zebra &amp; Co, Berlin, DE" in shown
    assert "10 days, with 5 days of grace" in shown
    again = await submit(plane, f"{billing}/seller", SELLER | {"vat_number": "DE1"}, status=422)
    assert "This is no VAT number of DE." in again.text
    assert 'value="Zebra &amp; Co"' in again.text
    rate = {"country": "*", "label": "VAT", "percent": "19.5", "business_percent": "0", "business_note": "Reverse"}
    await submit(plane, f"{billing}/tax-rates", rate)
    shown = await page(plane, billing)
    assert "Any other" in shown
    assert "19.5" in shown
    assert "0 (Reverse)" in shown
    await submit(plane, f"{billing}/tax-rates", rate | {"percent": "101"}, status=422)


async def test_prices_are_tried_on_last_month_and_set_by_page(
    plane: Plane, administrator: Administrator, two_tenants: TwoTenants
) -> None:
    """100 hours of 10 GiB, half of them last month, and a correction; at 0.01, and at 0.02 with 100 GiB hours free."""
    a = two_tenants.a
    last, this = month_before(datetime.now(UTC))
    prices = f"/portals/{a.portal_id}/prices"
    old = table(("volume", "Volume", "hour", "0.01", "0"), ("", "", "hour", "", ""))
    await submit(plane, prices, old)
    await add_usage(administrator, a, this - timedelta(hours=50), this + timedelta(hours=50))
    await administrator.execute(
        "INSERT INTO usage_corrections (tenant_id, id, key, payload_hash, resource_kind, resource_id, resource_name,"
        " item, unit_seconds, at, reason, made_by)"
        " VALUES (%s, gen_random_uuid(), 'k', '', 'volumes', gen_random_uuid(), 'data', 'volume', -360000, %s,"
        " 'r', 'm')",
        (a.tenant_id, last),
    )
    await add_usage(administrator, two_tenants.b, last, this)
    new = table(("volume", "Volume", "hour", "0.02", "100"), ("floating_ip", "Address", "month", "3", ""))
    shown = (await submit(plane, f"{prices}/preview", new, status=200)).text
    assert "4.00 EUR" in shown  # 500 GiB hours less 100
    assert "6.00 EUR" in shown  # 300 of them at twice the price
    assert f"{last:%B %Y}" in shown
    assert 'value="floating_ip"' in shown
    book = {"currency": "EUR", "prices": [{"item": "server", "label": "Server", "unit": "hour", "amount": "1"}]}
    asked = await plane.call("POST", f"/portals/{a.portal_id}/price-books/preview", status=200, json=book)
    assert (asked["before"], asked["after"], asked["unpriced"]) == (400, 0, ["volume"])
    assert [each["tenant_id"] for each in asked["tenants"]] == [str(a.tenant_id)]
    books = (await plane.call("GET", f"/portals/{a.portal_id}/price-books", status=200))["items"]
    assert len(books) == 1
    await submit(plane, prices, new)
    shown = await page(plane, prices)
    assert "0.02 EUR per hour" in shown
    assert "0.01 EUR per hour" in shown


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (table(("volume", "Volume", "hour", "x", "0")), "volume, amount:"),
        (table(("volume", "Volume", "year", "1", "0")), "volume, unit:"),
        (
            table(("volume", "V", "hour", "1", "0"), ("volume", "V", "hour", "2", "0")),
            "two prices of volume.",
        ),
        (table(("", "", "hour", "", "")), "There has to be a price."),
        (table(("volume", "Volume", "hour", "1", "0")) | {"label": ["a", "b"]}, "Each row has a value in each column."),
    ],
)
async def test_odd_prices_are_shown_again(plane: Plane, a: SignedIn, form: dict[str, Any], words: str) -> None:
    for path in ("", "/preview"):
        again = await submit(plane, f"/portals/{a.portal_id}/prices{path}", form, status=422)
        assert words in again.text
        assert f'value="{form["item"][0]}"' in again.text


def test_a_comparison_is_by_tenant_and_by_item() -> None:
    """What is free is free for each tenant; nothing without a price costs anything."""
    old = Book(NOVEMBER.begins, "EUR", (ItemPrice("volume", "V", "hour", Decimal(1), Decimal(1)),))
    new = Book(
        NOVEMBER.begins,
        "EUR",
        (ItemPrice("volume", "V", "hour", Decimal(2)), ItemPrice("volume:ssd", "S", "hour", Decimal(3))),
    )
    uses = [
        TenantUse(A, "a", "volume", 2 * HOUR),
        TenantUse(A, "a", "volume:ssd", HOUR),
        TenantUse(B, "b", "volume", HOUR),
        TenantUse(B, "b", "snapshot", HOUR),
    ]
    found = compare(uses, old, new, NOVEMBER)
    assert (found.before, found.after, found.unpriced) == (200, 900, ("snapshot",))
    assert [(each.name, each.before, each.after) for each in found.items] == [
        ("snapshot", 0, 0),
        ("volume", 100, 600),
        ("volume:ssd", 100, 300),
    ]
    assert [(each.name, each.before, each.after) for each in found.tenants] == [("a", 200, 700), ("b", 0, 200)]
    assert compare(uses, None, new, month_of(NOVEMBER.begins)).before == 0


async def test_credit_and_discounts_are_given_by_page(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    here = f"/tenants/{a.tenant_id}"
    credit = {"key": "one", "amount": "12.50", "currency": "EUR", "reason": REASON}
    for _ in range(2):
        await submit(plane, f"{here}/credits", credit)
    await submit(plane, f"{here}/credits", credit | {"amount": "0"}, status=422)
    await submit(plane, f"{here}/discounts", {"percent": "7.5", "reason": REASON})
    await submit(plane, f"{here}/discounts", {"percent": "101", "reason": REASON}, status=422)
    assert "7.5 % off" not in await page(plane, here), "what is inside is shown once a reason was given"
    await submit(plane, f"{here}/open", {"reason": REASON})
    shown = await page(plane, here)
    assert "12.50 EUR" in shown
    assert "7.5 % off" in shown
    (discount,) = (await plane.call("GET", f"{here}/discounts?reason={REASON}", status=200))["items"]
    assert (discount["percent"], discount["ends"]) == ("7.50", None)
    await submit(plane, f"/tenants/{b.tenant_id}/discounts/{discount['id']}/end", {"reason": REASON}, status=404)
    await submit(plane, f"{here}/discounts/{discount['id']}/end", {"reason": REASON})
    assert "7.5 % off" not in await page(plane, here)
    again = await submit(plane, f"{here}/discounts/{discount['id']}/end", {"reason": REASON}, status=422)
    assert "ends now or later" in again.text


async def test_a_discount_counts_from_when_it_begins_until_it_ends(plane: Plane, a: SignedIn) -> None:
    here = f"/tenants/{a.tenant_id}/discounts"
    now = datetime.now(UTC)
    past, soon, later = ((now + timedelta(hours=hours)).isoformat() for hours in (-1, 1, 2))
    for odd in ({"begins": past}, {"begins": later, "ends": soon}, {"ends": past}, {"percent": "0"}):
        await plane.call("POST", here, status=422, json={"percent": "10", "reason": REASON} | odd)
    wanted = {"percent": "10", "begins": soon, "ends": later, "reason": REASON}
    made = await plane.call("POST", here, status=201, json=wanted)
    ended = await plane.call("POST", f"{here}/{made['id']}/end", status=200, json={"reason": REASON})
    assert ended["ends"] == ended["begins"], "one that has not begun never counts"
