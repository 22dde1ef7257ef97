"""The tenant's audit log: what members do, who may read it, and that nobody fills it from outside."""

import csv
import io
from typing import Any

import psycopg
import pytest

from platforma.authentication.permissions import Role
from tests.authentication.conftest import Portal, token_of
from tests.isolation.world import PASSWORD, Tenancy

Rows = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def owner(a: Tenancy) -> str:
    """The e-mail of A's owner."""
    return f"owner@{a.canary}.example"


async def written(administrator: psycopg.AsyncConnection[Any], tenancy: Tenancy, *actions: str) -> Rows:
    """Return the lines of some actions, the oldest first, read past all walls."""
    query = "SELECT actor, action, details FROM audit_events WHERE tenant_id = %s AND action = ANY(%s) ORDER BY at, id"
    return await (await administrator.execute(query, (tenancy.tenant_id, list(actions)))).fetchall()


async def test_members_ways_in_and_out(
    portal: Portal, a: Tenancy, owner: str, administrator: psycopg.AsyncConnection[Any]
) -> None:
    token = token_of(await portal.sign_in(a))
    body = {"present_password": PASSWORD, "new_password": "another good long sentence"}
    changed = await portal.send("POST", "/api/v1/me/password", host=a.host, token=token, json=body)
    assert changed.status_code == 204
    await portal.send("DELETE", "/api/v1/session", host=a.host, token=token_of(changed))
    await portal.send("DELETE", "/api/v1/session", host=a.host, token=token_of(changed))
    ways = ("session.create", "password.change", "session.end")
    assert await written(administrator, a, *ways) == [
        (owner, "session.create", {"address": "192.0.2.7"}),
        (owner, "password.change", {}),
        (owner, "session.end", {}),
    ]
    assert len(await written(administrator, a, "invitation.accept")) == len(Role)


async def test_refused_sign_ins_are_one_line_that_counts(
    portal: Portal, a: Tenancy, b: Tenancy, owner: str, administrator: psycopg.AsyncConnection[Any]
) -> None:
    for _ in range(3):
        assert (await portal.sign_in(a, password="not the password")).status_code == 401
    assert await written(administrator, a, "session.refuse") == [
        (owner, "session.refuse", {"attempts": 3, "address": "192.0.2.7"})
    ]
    await administrator.execute(
        "UPDATE audit_events SET at = at - interval '61 minutes' WHERE tenant_id = %s", (a.tenant_id,)
    )
    await portal.sign_in(a, password="not the password")
    assert [row[2]["attempts"] for row in await written(administrator, a, "session.refuse")] == [3, 1]
    assert await written(administrator, b, "session.refuse") == []


async def test_strangers_leave_no_line(portal: Portal, a: Tenancy, administrator: psycopg.AsyncConnection[Any]) -> None:
    """An e-mail without an account, one of another portal, an unknown host, a sign-out of nobody: no row anywhere."""
    count = "SELECT count(*) FROM audit_events"
    before = await (await administrator.execute(count)).fetchone()
    for host, email in ((a.host, "nobody@example.org"), ("unknown.localhost", f"owner@{a.canary}.example")):
        body = {"email": email, "password": "not the password"}
        assert (await portal.send("POST", "/api/v1/session", host=host, json=body)).status_code == 401
    await portal.send("DELETE", "/api/v1/session", host=a.host, token="x" * 43)
    assert await (await administrator.execute(count)).fetchone() == before


async def test_filters_and_export(portal: Portal, a: Tenancy, owner: str) -> None:
    token = token_of(await portal.sign_in(a))
    sent = {"host": a.host, "token": token}
    made = await portal.send(
        "POST", "/api/v1/networks", **sent, json={"name": "=cmd()", "subnets": [{"cidr": "10.1.0.0/24"}]}
    )
    assert made.status_code == 202, made.text

    async def found(**filters: str) -> list[str]:
        response = await portal.send("GET", "/api/v1/audit-events", **sent, params=filters)
        assert response.status_code == 200, response.text
        return [item["action"] for item in response.json()["items"]]

    assert await found(action="network", actor=owner.upper()) == ["network.create"]
    assert await found(action="network.delete") == []
    assert "network.create" not in await found(until="2020-01-01")
    assert "network.create" in await found(since="2020-01-01", until="9999-12-31")
    assert await found(since="2999-01-01T00:00:00Z") == []
    export = await portal.send("GET", "/api/v1/audit-events.csv", **sent, params={"action": "network"})
    (row,) = csv.DictReader(io.StringIO(export.text))
    assert (row["actor"], row["action"], row["target"]) == (owner, "network.create", "'=cmd()")
    page = await portal.send("GET", "/audit", **sent, params={"action": "network", "since": "", "actor": ""})
    assert ("Create network" in page.text, "=cmd()" in page.text, "Signed in" in page.text) == (True, True, False)
    assert "/api/v1/audit-events.csv?action=network" in page.text


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER, Role.BILLING])
async def test_others_do_not_read_it(portal: Portal, a: Tenancy, role: Role) -> None:
    for path in ("/api/v1/audit-events", "/api/v1/audit-events.csv", "/audit"):
        response = await portal.send("GET", path, host=a.host, token=a.tokens[role])
        assert response.status_code == 403
