"""Invoices from usage to paper: issued once, numbered without gaps, never changed, seen by their tenant alone."""

import asyncio
import csv
import io
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from platforma.billing.documents import render_pdf
from platforma.billing.invoice_models import Invoice, InvoiceLine
from platforma.billing.invoicing import SETTLING
from platforma.billing.models import UsageCorrection
from platforma.billing.turns import NextTurn, Turn, bill, take_turn
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import OperatorBinding
from platforma.database.roles import DatabaseRole
from platforma.kit.clock import utc_now
from platforma.kit.ids import new_id
from tests.billing.stage import (
    SELLER,
    Administrator,
    add_usage,
    make_account,
    month_before,
    open_billing,
    wake,
)
from tests.database.server import TestDatabase
from tests.database.tenants import Secret, SignedIn, TwoTenants, make_signed_in
from tests.operator.conftest import REASON, Plane

NOW = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
OCTOBER, NOVEMBER = month_before(NOW)
DETAILS: dict[str, Any] = {
    "company": "Łąka GmbH",
    "line1": "Straße 1",
    "postal_code": "10115",
    "city": "Berlin",
    "country": "DE",
    "vat_number": "DE 136695976",
    "contacts": ["bills@example.org"],
}


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """Turns are taken at whatever account is due: each test has a database of its own."""
    return fresh_database


@pytest.fixture
def a(two_tenants: TwoTenants) -> SignedIn:
    return two_tenants.a


@pytest.fixture
def b(two_tenants: TwoTenants) -> SignedIn:
    return two_tenants.b


async def ask(plane: Plane, who: SignedIn, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    """Ask the API as a member."""
    headers = {"host": who.host, "cookie": f"__Host-platforma={who.token}"}
    return await plane.portal.request(method, f"http://{who.host}/api/v1{path}", headers=headers, **options)


async def work(worker: Database, now: datetime = NOW) -> None:
    """Take all the turns that are due."""
    while await take_turn(worker, clock=lambda: now):
        pass


async def rows_of(administrator: Administrator, who: SignedIn) -> list[tuple[Any, ...]]:
    found = await administrator.execute(
        "SELECT number, kind, begins, ends, net, tax, total, status FROM invoices WHERE tenant_id = %s ORDER BY number",
        (who.tenant_id,),
    )
    return await found.fetchall()


@pytest.fixture
async def billed(plane: Plane, worker_database: Database, administrator: Administrator, a: SignedIn) -> SignedIn:
    """A, which used 10 GiB for 100 hours of October and has been invoiced: 10.00 and 19 % tax."""
    await open_billing(plane, administrator, a, OCTOBER)
    await make_account(worker_database, administrator, a, OCTOBER)
    begins = OCTOBER + timedelta(days=3)
    await add_usage(administrator, a, begins, begins + timedelta(hours=100))
    await wake(administrator, a)
    await work(worker_database)
    return a


async def test_a_month_is_invoiced_once_when_it_has_settled(
    plane: Plane, worker_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    await open_billing(plane, administrator, a, OCTOBER)
    await make_account(worker_database, administrator, a, OCTOBER)
    await add_usage(administrator, a, NOVEMBER - timedelta(hours=10), None)
    await wake(administrator, a)
    await work(worker_database, NOVEMBER + timedelta(minutes=5))
    assert await rows_of(administrator, a) == []
    for _ in range(3):
        await wake(administrator, a)
        await work(worker_database)
    assert await rows_of(administrator, a) == [
        ("ACME-000001", "invoice", OCTOBER, NOVEMBER, 100, 19, 119, "open"),
    ]
    shown = (await ask(plane, a, "/invoices")).json()["items"]
    detail = (await ask(plane, a, f"/invoices/{shown[0]['id']}")).json()
    assert sum(line["amount"] for line in detail["lines"]) == detail["net"] == 100
    assert (detail["seller"]["company"], detail["buyer"]["country"]) == (SELLER["company"], None)
    assert datetime.fromisoformat(detail["due_at"]) == NOW + timedelta(days=14)


async def test_months_that_were_missed_are_made_up_for(
    plane: Plane, worker_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    begins = datetime(2026, 8, 30, tzinfo=UTC)
    await open_billing(plane, administrator, a, begins)
    await make_account(worker_database, administrator, a, begins.replace(day=1))
    await add_usage(administrator, a, begins, datetime(2026, 9, 2, tzinfo=UTC), quantity=1)
    await wake(administrator, a)
    await work(worker_database)
    rows = await rows_of(administrator, a)
    assert [(row[2].month, row[4]) for row in rows] == [(8, 48), (9, 24)]


async def test_one_is_issued_on_demand_and_the_rest_at_the_end(
    plane: Plane, portal_database: Database, worker_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    now = utc_now()
    if now - now.replace(day=1, hour=0, minute=0, second=0) < timedelta(hours=3):
        pytest.skip("the month has just begun")
    this = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await open_billing(plane, administrator, a, this)
    await make_account(worker_database, administrator, a, this)
    await add_usage(administrator, a, now - timedelta(hours=2), None, quantity=100)
    for _ in range(2):
        assert (await ask(plane, a, "/invoices", "POST")).status_code == 202
    await work(worker_database, now)
    (row,) = await rows_of(administrator, a)
    cut = (now - SETTLING).replace(microsecond=0)
    assert (row[2], row[3]) == (this, cut)
    assert row[4] == pytest.approx(100 * (cut - (now - timedelta(hours=2))) / timedelta(hours=1), abs=1)
    await ask(plane, a, "/invoices", "POST")
    await work(worker_database, now)
    assert len(await rows_of(administrator, a)) == 1
    later = (this + timedelta(days=32)).replace(day=2)
    await wake(administrator, a)
    await work(worker_database, later)
    rows = await rows_of(administrator, a)
    assert [(row[2], row[3]) for row in rows] == [(this, cut), (cut, later.replace(day=1))]


async def test_nothing_to_pay_makes_no_invoice_and_uses_no_number(
    plane: Plane, worker_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    await open_billing(plane, administrator, a, OCTOBER)
    await make_account(worker_database, administrator, a, OCTOBER)
    await wake(administrator, a)
    await work(worker_database)
    assert await rows_of(administrator, a) == []
    found = await administrator.execute(
        "SELECT billed_until FROM billing_accounts WHERE tenant_id = %s", (a.tenant_id,)
    )
    assert (await found.fetchone() or ()) == (NOVEMBER,)


async def test_without_a_seller_it_waits_and_says_so(
    plane: Plane, worker_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    await open_billing(plane, administrator, a, OCTOBER)
    await administrator.execute("DELETE FROM sellers WHERE portal_id = %s", (a.portal_id,))
    await make_account(worker_database, administrator, a, OCTOBER)
    await add_usage(administrator, a, OCTOBER, None)
    await wake(administrator, a)
    await work(worker_database)
    assert await rows_of(administrator, a) == []
    assert "who issues" in (await ask(plane, a, "/invoices", "POST")).json()["trouble"]
    await plane.call("PUT", f"/portals/{a.portal_id}/seller", status=200, json=SELLER)
    await wake(administrator, a)
    await work(worker_database)
    assert len(await rows_of(administrator, a)) == 2  # the month, and what was asked for since


async def test_more_taken_back_than_used_is_a_credit_note(
    plane: Plane, worker_database: Database, operator_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    await open_billing(plane, administrator, a, OCTOBER)
    await make_account(worker_database, administrator, a, OCTOBER)
    async with operator_database.write(OperatorBinding(a.tenant_id, "tests", "usage.correct", "a test")) as session:
        session.add(
            UsageCorrection(
                key="x",
                payload_hash=b"x",
                resource_kind="volumes",
                resource_id=new_id(),
                resource_name="data",
                item="volume",
                unit_seconds=-3600 * 200,
                at=OCTOBER,
                reason="wrong",
                made_by="tests",
            )
        )
    await wake(administrator, a)
    await work(worker_database)
    assert await rows_of(administrator, a) == [
        ("ACME-CN-000001", "credit_note", OCTOBER, NOVEMBER, 200, 38, 238, "issued")
    ]


async def test_numbers_have_no_gaps_under_concurrency(
    plane: Plane,
    worker_database: Database,
    operator_database: Database,
    portal_database: Database,
    administrator: Administrator,
    secret: Secret,
    a: SignedIn,
) -> None:
    """Eight tenants of one portal at once, and some transactions that fail after they had their number."""
    await open_billing(plane, administrator, a, OCTOBER)
    others = [await make_signed_in(operator_database, portal_database, secret, f"n{n}") for n in range(7)]
    for other in others:
        await administrator.execute("UPDATE tenants SET portal_id = %s WHERE id = %s", (a.portal_id, other.tenant_id))
    tenants = [a, *others]
    for tenant in tenants:
        await make_account(worker_database, administrator, tenant, OCTOBER)
        await add_usage(administrator, tenant, OCTOBER, OCTOBER + timedelta(hours=1))
    await wake(administrator, *tenants)

    async def fail_once() -> None:
        taken = NextTurn()
        async with worker_database.write(taken):
            pass
        assert taken.lease is not None
        with suppress(ZeroDivisionError):
            async with worker_database.write(Turn(taken.lease)) as session:
                await session.call_gate("next_document_number", document="invoice")
                raise ZeroDivisionError
        await bill(worker_database, Turn(taken.lease), now=NOW)

    await asyncio.gather(*(fail_once() if n % 2 else take_turn(worker_database, clock=lambda: NOW) for n in range(8)))
    await work(worker_database)
    found = await (await administrator.execute("SELECT number FROM invoices ORDER BY number")).fetchall()
    assert [number for (number,) in found] == [f"ACME-{n:06d}" for n in range(1, 9)]


async def test_a_turn_that_died_is_taken_again_and_the_dead_one_records_nothing(
    worker_database: Database, plane: Plane, administrator: Administrator, a: SignedIn
) -> None:
    await open_billing(plane, administrator, a, OCTOBER)
    await make_account(worker_database, administrator, a, OCTOBER)
    await add_usage(administrator, a, OCTOBER, OCTOBER + timedelta(hours=1))
    await wake(administrator, a)
    frozen = NextTurn()
    async with worker_database.write(frozen):
        pass
    assert not await take_turn(worker_database, clock=lambda: NOW)
    await wake(administrator, a)
    await work(worker_database)
    assert frozen.lease is not None
    with pytest.raises(NotBoundError):
        await bill(worker_database, Turn(frozen.lease), now=NOW)
    assert len(await rows_of(administrator, a)) == 1


@pytest.mark.parametrize("role", [DatabaseRole.PORTAL, DatabaseRole.WORKER, DatabaseRole.OPERATOR])
async def test_what_an_invoice_says_is_never_changed(
    billed: SignedIn, database: TestDatabase, operator_database: Database, portal_database: Database, role: DatabaseRole
) -> None:
    """No role may update or delete it: the columns of its standing are all that any may touch."""
    with psycopg.connect(database.administrator_url) as connection:
        for column in ("total", "net", "number", "buyer", "issued_at", "currency", "ends"):
            may = connection.execute(
                "SELECT has_column_privilege(%s, 'invoices', %s, 'UPDATE')", (role.value, column)
            ).fetchone()
            assert may == (False,), column
        for table in ("invoices", "invoice_lines"):
            may = connection.execute("SELECT has_table_privilege(%s, %s, 'DELETE')", (role.value, table)).fetchone()
            assert may == (False,)
    if role is DatabaseRole.OPERATOR:
        with pytest.raises(DBAPIError, match="permission denied"):
            async with operator_database.write(OperatorBinding(billed.tenant_id, "x", "x", "a test")) as session:
                await session.execute(update(Invoice).values(total=0, net=0, tax=0))
    if role is DatabaseRole.PORTAL:
        with pytest.raises(DBAPIError, match="permission denied"):
            async with portal_database.write(billed.binding()) as session:
                await session.execute(update(Invoice).values(status="paid"))


async def test_it_is_made_out_to_the_details_of_its_day(
    plane: Plane, worker_database: Database, administrator: Administrator, a: SignedIn
) -> None:
    changed = await ask(plane, a, "/billing/details", "PUT", json=DETAILS)
    assert (changed.status_code, changed.json()["vat_number"]) == (200, "DE136695976")
    await open_billing(plane, administrator, a, OCTOBER)
    await make_account(worker_database, administrator, a, OCTOBER)
    await add_usage(administrator, a, OCTOBER, OCTOBER + timedelta(hours=1))
    await wake(administrator, a)
    await work(worker_database)
    await ask(plane, a, "/billing/details", "PUT", json={**DETAILS, "company": "Another"})
    (shown,) = (await ask(plane, a, "/invoices")).json()["items"]
    detail = (await ask(plane, a, f"/invoices/{shown['id']}")).json()
    assert detail["buyer"]["company"] == DETAILS["company"]


@pytest.mark.parametrize(
    "change",
    [
        {"vat_number": "DE136695977"},
        {"vat_number": "FR40303265045"},
        {"country": "Germany"},
        {"contacts": ["nobody"]},
        {"company": ""},
        {"tenant_id": "x"},
    ],
)
async def test_odd_details_are_refused(plane: Plane, a: SignedIn, change: dict[str, Any]) -> None:
    answer = await ask(plane, a, "/billing/details", "PUT", json={**DETAILS, **change})
    assert answer.status_code == 422
    assert (await ask(plane, a, "/billing/details")).status_code == 404


async def test_credit_notes_take_back_at_most_the_invoice(plane: Plane, billed: SignedIn) -> None:
    (invoice,) = (await ask(plane, billed, "/invoices")).json()["items"]
    path = f"/tenants/{billed.tenant_id}/invoices/{invoice['id']}/credit-notes"
    assert (invoice["net"], invoice["tax"], invoice["total"]) == (1000, 190, 1190)
    part = await plane.call("POST", path, status=201, json={"net": 333, "reason": REASON})
    assert (part["number"], part["net"], part["tax"], part["total"]) == ("ACME-CN-000001", 333, 63, 396)
    await plane.call("POST", path, status=409, json={"net": 668, "reason": REASON})
    rest = await plane.call("POST", path, status=201, json={"reason": REASON})
    assert (rest["number"], rest["net"], rest["tax"]) == ("ACME-CN-000002", 667, 127)
    await plane.call("POST", path, status=409, json={"reason": REASON})
    note_path = path.replace(invoice["id"], part["id"])
    await plane.call("POST", note_path, status=409, json={"reason": REASON})
    after = (await ask(plane, billed, f"/invoices/{invoice['id']}")).json()
    assert (after["status"], after["credited"], after["total"]) == ("credited", 1190, 1190)
    ours, theirs = await plane.audited(billed.tenant_id, "invoice.credit")
    assert ours.count(REASON) == theirs.count(REASON) == 5 - 3


async def test_nobody_elses_invoice_is_there(plane: Plane, billed: SignedIn, b: SignedIn) -> None:
    """B01: list, detail, PDF and lines of another tenant's invoice are those of one that never existed."""
    (invoice,) = (await ask(plane, billed, "/invoices")).json()["items"]
    assert (await ask(plane, b, "/invoices")).json()["items"] == []
    for part in ("", "/pdf", "/lines.csv"):
        assert (await ask(plane, billed, f"/invoices/{invoice['id']}{part}")).status_code == 200
        foreign = await ask(plane, b, f"/invoices/{invoice['id']}{part}")
        unknown = await ask(plane, b, f"/invoices/00000000-0000-7000-8000-000000000000{part}")
        assert (
            (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content) == (404, foreign.content)
        )
    path = f"/tenants/{b.tenant_id}/invoices/{invoice['id']}/credit-notes"
    await plane.call("POST", path, status=404, json={"reason": REASON})


async def test_the_pdf_is_always_the_same_and_the_lines_are_a_table(
    plane: Plane, billed: SignedIn, portal_database: Database
) -> None:
    (shown,) = (await ask(plane, billed, "/invoices")).json()["items"]
    first = await ask(plane, billed, f"/invoices/{shown['id']}/pdf")
    assert first.headers["content-type"] == "application/pdf"
    assert first.headers["content-disposition"] == 'attachment; filename="ACME-000001.pdf"'
    assert first.content.startswith(b"%PDF-")
    assert first.content == (await ask(plane, billed, f"/invoices/{shown['id']}/pdf")).content
    table = await ask(plane, billed, f"/invoices/{shown['id']}/lines.csv")
    (row,) = csv.DictReader(io.StringIO(table.text))
    assert (row["amount"], row["currency"], row["unit_hours"]) == ("1000", "EUR", "1000.000000")
    async with portal_database.read(billed.binding()) as session:
        invoice = (await session.scalars(select(Invoice))).one()
        line = (await session.scalars(select(InvoiceLine))).one()
    for count in (1, 120, 3000):
        assert len(render_pdf(invoice, [line] * count)) > 3000


async def test_sellers_and_rates_are_set_and_audited(plane: Plane, a: SignedIn) -> None:
    portal = f"/portals/{a.portal_id}"
    await plane.call("GET", f"{portal}/seller", status=409)
    await plane.call("PUT", f"{portal}/seller", status=200, json=SELLER)
    await plane.call("PUT", f"{portal}/seller", status=422, json={**SELLER, "prefix": "a b"})
    await plane.call("PUT", f"{portal}/seller", status=422, json={**SELLER, "vat_number": "DE1"})
    assert (await plane.call("GET", f"{portal}/seller", status=200))["company"] == SELLER["company"]
    rate = {"country": "DE", "label": "USt", "percent": "19", "effective_from": "2030-01-01T00:00:00Z"}
    await plane.call("POST", f"{portal}/tax-rates", status=201, json=rate)
    await plane.call("POST", f"{portal}/tax-rates", status=409, json=rate)
    for change in ({"effective_from": "2020-01-01T00:00:00Z"}, {"percent": "101"}, {"country": "de"}):
        await plane.call("POST", f"{portal}/tax-rates", status=422, json={**rate, **change})
    assert len((await plane.call("GET", f"{portal}/tax-rates", status=200))["items"]) == 1
    nowhere = "/portals/00000000-0000-7000-8000-000000000000"
    for path in (f"{nowhere}/seller", f"{nowhere}/tax-rates"):
        await plane.call("GET", path, status=404)
    audit = (await plane.call("GET", "/operator-audit", status=200, params={"limit": 5}))["items"]
    assert {"seller.set", "tax_rate.set"} <= {entry["action"] for entry in audit}
