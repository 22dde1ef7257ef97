"""Prices as an operator sets them, and costs as a member sees them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import update

from platforma.authentication.principals import SessionBinding
from platforma.billing.costs import find_books
from platforma.database.database import Database
from platforma.storage.models import Volume
from tests.billing.test_metering import make_volume
from tests.database.tenants import SignedIn, TwoTenants
from tests.operator.conftest import Plane

Administrator = psycopg.AsyncConnection[Any]
BOOK: dict[str, Any] = {
    "currency": "EUR",
    "prices": [{"item": "volume", "label": "Volume, per GiB", "unit": "hour", "amount": "1.5", "free_units": "2"}],
}


async def ask(plane: Plane, who: SignedIn, path: str) -> httpx.Response:
    """Ask the API as a member."""
    headers = {"host": who.host, "cookie": f"__Host-platforma={who.token}"}
    return await plane.portal.get(f"http://{who.host}/api/v1/billing{path}", headers=headers)


async def backdate(administrator: Administrator, who: SignedIn, hours: int) -> None:
    """Let what a tenant uses have begun, and its prices be set, hours ago: later than the month's beginning."""
    await administrator.execute(
        "UPDATE usage_events SET at = at - make_interval(hours => %s) WHERE tenant_id = %s", (hours, who.tenant_id)
    )
    await administrator.execute(
        "UPDATE price_books SET effective_from = effective_from - make_interval(hours => %s) WHERE portal_id = %s",
        (hours + 1, who.portal_id),
    )


@pytest.fixture
def a(two_tenants: TwoTenants) -> SignedIn:
    return two_tenants.a


@pytest.fixture
def b(two_tenants: TwoTenants) -> SignedIn:
    return two_tenants.b


async def test_costs_are_usage_times_price(
    plane: Plane, portal_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    await plane.call("POST", f"/portals/{a.portal_id}/price-books", status=201, json=BOOK)
    volume_id = await make_volume(portal_database, SessionBinding(a.token, a.host), size=4)
    moment = datetime.now(UTC)
    hours = min(5, int((moment - moment.replace(day=1, hour=0, minute=0, second=0)) / timedelta(hours=1)))
    await backdate(administrator, a, hours)
    costs = (await ask(plane, a, "/costs")).json()
    (line,) = costs["lines"]
    assert (line["resource_id"], line["item"], costs["currency"]) == (str(volume_id), "volume", "EUR")
    units = Decimal(line["unit_hours"])
    assert 4 * hours <= units < 4 * hours + 1
    assert costs["net"] == line["amount"] == pytest.approx(float(max(Decimal(0), units - 2) * 150), abs=1)
    assert costs["forecast"] >= costs["net"]
    exported = await ask(plane, a, "/usage.csv")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    (row,) = csv.DictReader(io.StringIO(exported.text))
    assert (row["resource_name"], row["currency"]) == ("data", "EUR")
    assert int(row["amount"]) == pytest.approx(line["amount"], abs=1)


async def test_no_cell_is_a_formula(
    plane: Plane, portal_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    await plane.call("POST", f"/portals/{a.portal_id}/price-books", status=201, json=BOOK)
    binding = SessionBinding(a.token, a.host)
    volume_id = await make_volume(portal_database, binding)
    async with portal_database.write(binding) as session:
        values = {"name": "=HYPERLINK(1)", "observed_size_gib": 11}
        await session.execute(update(Volume).where(Volume.id == volume_id).values(values))
    rows = list(csv.DictReader(io.StringIO((await ask(plane, a, "/usage.csv")).text)))
    assert "'=HYPERLINK(1)" in {row["resource_name"] for row in rows}


async def test_without_prices_the_usage_is_there_and_costs_nothing(
    plane: Plane, portal_database: Database, a: SignedIn
) -> None:
    await make_volume(portal_database, SessionBinding(a.token, a.host))
    costs = (await ask(plane, a, "/costs")).json()
    assert (costs["net"], costs["currency"], costs["lines"], costs["unpriced"]) == (0, None, [], ["volume"])


async def test_a_tenant_sees_the_prices_of_its_own_portal(
    plane: Plane, portal_database: Database, a: SignedIn, b: SignedIn
) -> None:
    await plane.call("POST", f"/portals/{b.portal_id}/price-books", status=201, json=BOOK)
    assert (await ask(plane, a, "/prices")).json()["items"] == []
    (book,) = (await ask(plane, b, "/prices")).json()["items"]
    assert (book["currency"], book["prices"][0]["amount"]) == ("EUR", "1.50000000")
    async with portal_database.read(SessionBinding(a.token, a.host)) as session:
        assert await find_books(session) == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"effective_from": "2020-01-01T00:00:00Z"}, 422),
        ({"effective_from": "2030-01-01T00:00:00"}, 422),
        ({"currency": "euro"}, 422),
        ({"prices": []}, 422),
        ({"prices": [BOOK["prices"][0], BOOK["prices"][0]]}, 422),
        ({"prices": [{**BOOK["prices"][0], "amount": "-1"}]}, 422),
        ({"prices": [{**BOOK["prices"][0], "amount": "NaN"}]}, 422),
        ({"prices": [{**BOOK["prices"][0], "item": "volume; DROP"}]}, 422),
        ({"tenant_id": "x"}, 422),
        ({"currency": "USD"}, 409),
    ],
)
async def test_odd_prices_are_refused(plane: Plane, a: SignedIn, change: dict[str, Any], status: int) -> None:
    path = f"/portals/{a.portal_id}/price-books"
    await plane.call("POST", path, status=201, json=BOOK)
    before = await plane.call("GET", path, status=200)
    await plane.call("POST", path, status=status, json={**BOOK, **change})
    assert await plane.call("GET", path, status=200) == before


async def test_a_book_takes_its_turn_and_is_audited(plane: Plane, a: SignedIn) -> None:
    path = f"/portals/{a.portal_id}/price-books"
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    for body in (BOOK, {**BOOK, "effective_from": later}):
        await plane.call("POST", path, status=201, json=body)
    books = (await plane.call("GET", path, status=200))["items"]
    assert datetime.fromisoformat(books[0]["effective_from"]) == datetime.fromisoformat(later)
    refused = await plane.call("POST", path, status=409, json={**BOOK, "effective_from": later})
    assert refused["type"] == "urn:platforma:problem:price-book-exists"
    audit = (await plane.call("GET", "/operator-audit", status=200, params={"limit": 1}))["items"][0]
    assert (audit["action"], audit["details"]["currency"]) == ("prices.set", "EUR")
    await plane.call("GET", "/portals/00000000-0000-7000-8000-000000000000/price-books", status=404)


@pytest.mark.parametrize("month", ["2026-13", "26-01", "x", "2026-1"])
async def test_odd_months_are_refused(plane: Plane, a: SignedIn, month: str) -> None:
    assert (await ask(plane, a, f"/costs?month={month}")).status_code == 422
