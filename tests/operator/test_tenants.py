"""Acts on tenants: each with a reason in two audit logs, each effective at the portal on the next request."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.database.tenants import PASSWORD, SignedIn, TwoTenants
from tests.operator.conftest import REASON, Plane

NOBODY = UUID("00000000-0000-4000-8000-000000000000")
"""The same in each process of the test run, as it is in the names of tests."""


async def test_a_tenant_is_onboarded(plane: Plane, a: SignedIn, new_name: Callable[[], str]) -> None:
    """What is made is a row and an operation of the platform's plane, which the provisioner finds in its queue."""
    name = new_name()
    body = {"portal_id": str(a.portal_id), "name": name, "quotas": {"servers": 3}, "reason": REASON}
    made = await plane.call("POST", "/tenants", status=202, json=body)
    assert (made["name"], made["status"], made["members"]) == (name, "onboarding", 0)
    assert (made["operation"]["action"], made["operation"]["status"]) == ("tenant.onboard", "queued")
    rows = await plane.rows("SELECT plane, requested_by FROM operations WHERE tenant_id = %s", made["id"])
    assert rows == [{"plane": "platform", "requested_by": f"operator {plane.email}"}]
    jobs = await plane.rows(
        "SELECT 1 FROM jobs.procrastinate_jobs WHERE args::text LIKE %s", f"%{rows and made['operation']['id']}%"
    )
    assert len(jobs) == 1
    quotas = await plane.call("GET", f"/tenants/{made['id']}/quotas", status=200, params={"reason": REASON})
    assert (quotas["quotas"]["servers"], quotas["quotas"]["volumes"]) == (3, 40)
    assert await plane.audited(made["id"], "tenant.create") == ([REASON], [REASON])
    again = await plane.call("POST", "/tenants", status=409, json=body)
    assert again["type"] == "urn:platforma:problem:name-taken"


async def test_an_onboarding_in_trouble_is_shown_and_tried_again(
    plane: Plane, a: SignedIn, new_name: Callable[[], str]
) -> None:
    made = await plane.call("POST", "/tenants", status=202, json={"portal_id": str(a.portal_id), "name": new_name()})
    path = f"/tenants/{made['id']}"
    await plane.call("POST", f"{path}/retry", status=409, json={"reason": REASON})
    error = '{"type": "urn:platforma:problem:cloud-error", "title": "The cloud is away", "detail": "It is."}'
    await plane.administrator.execute(
        b"UPDATE operations SET status = 'failed', progress = 40, step = 'Made the user', error = %s"
        b" WHERE tenant_id = %s",
        (error, made["id"]),
    )
    operation = (await plane.call("GET", path, status=200))["operation"]
    assert (operation["status"], operation["progress"], operation["step"]) == ("failed", 40, "Made the user")
    assert operation["error"]["title"] == "The cloud is away"
    retried = await plane.call("POST", f"{path}/retry", status=202, json={"reason": REASON})
    assert (retried["operation"]["status"], retried["operation"]["error"]) == ("queued", None)
    assert await plane.audited(made["id"], "tenant.retry") == ([REASON], [REASON])


async def test_suspension_works_on_the_next_request(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    assert await plane.portal_status(a) == 200
    suspended = await plane.call("POST", f"/tenants/{a.tenant_id}/suspend", status=200, json={"reason": REASON})
    assert suspended["status"] == "suspended"
    assert (await plane.portal_status(a), await plane.portal_status(b)) == (401, 200)
    assert await plane.audited(a.tenant_id, "tenant.suspend") == ([REASON], [REASON])
    again = await plane.call("POST", f"/tenants/{a.tenant_id}/suspend", status=409, json={"reason": REASON})
    assert again["type"] == "urn:platforma:problem:wrong-tenant-status"
    await plane.call("POST", f"/tenants/{a.tenant_id}/resume", status=200, json={"reason": REASON})
    assert await plane.audited(a.tenant_id, "tenant.resume") == ([REASON], [REASON])
    assert await plane.portal_status(a) == 401


async def test_offboarding_needs_the_very_name(plane: Plane, a: SignedIn) -> None:
    path = f"/tenants/{a.tenant_id}"
    name = (await plane.call("GET", path, status=200))["name"]
    for wrong in ("", name.lower(), name + " "):
        refused = await plane.call(
            "POST", f"{path}/offboard", status=409, json={"reason": REASON, "confirm_name": wrong}
        )
        assert refused["type"] == "urn:platforma:problem:name-not-confirmed"
    assert await plane.portal_status(a) == 200
    assert await plane.audited(a.tenant_id, "tenant.offboard") == ([], [])
    gone = await plane.call("POST", f"{path}/offboard", status=202, json={"reason": REASON, "confirm_name": name})
    assert (gone["status"], gone["members"], gone["operation"]["action"]) == ("offboarding", 0, "tenant.offboard")
    assert await plane.portal_status(a) == 401
    assert await plane.audited(a.tenant_id, "tenant.offboard") == ([REASON], [REASON])
    for act, body in (
        ("POST", {"email": "ada@x.example", "name": "Ada", "role": "owner", "reason": REASON}),
        ("PUT", {"quotas": {"servers": 1}, "reason": REASON}),
    ):
        await plane.call(act, f"{path}/{'members' if act == 'POST' else 'quotas'}", status=409, json=body)


async def test_members_are_read_with_a_reason(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    path = f"/tenants/{a.tenant_id}/members"
    for params in ({}, {"reason": "short"}, {"reason": " " * 20}, {"reason": "x" * 501}):
        await plane.call("GET", path, status=422, params=params)
    assert await plane.audited(a.tenant_id, "member.list") == ([], [])
    page = await plane.call("GET", path, status=200, params={"reason": REASON})
    assert [item["email"] for item in page["items"]] == [a.email]
    assert b.email not in str(page)
    assert await plane.audited(a.tenant_id, "member.list") == ([REASON], [REASON])


async def test_an_invited_member_signs_in(plane: Plane, a: SignedIn) -> None:
    """The link is at the portal's canonical host, whatever host the operator is at, and its token is stored nowhere."""
    body = {"email": f"Ada@{a.host}", "name": "Ada", "role": "admin", "reason": REASON}
    invited = await plane.call("POST", f"/tenants/{a.tenant_id}/members", status=201, json=body)
    base, _, token = invited["link"].rpartition("/")
    assert base == f"https://{a.host}:8443/invitation"
    for table in ("members", "audit_events", "operator_audit", "gate.invitations"):
        assert not await plane.rows(f"SELECT 1 FROM {table} t WHERE t::text LIKE %s", f"%{token}%")
    assert await plane.audited(a.tenant_id, "member.invite") == ([REASON], [REASON])
    headers = {"host": a.host}
    accepted = await plane.portal.post(
        f"http://{a.host}/api/v1/invitation/acceptance", headers=headers, json={"token": token, "password": PASSWORD}
    )
    assert accepted.status_code == 200, accepted.text
    signed_in = await plane.portal.post(
        f"http://{a.host}/api/v1/session", headers=headers, json={"email": body["email"], "password": PASSWORD}
    )
    assert (signed_in.status_code, signed_in.json()["role"]) == (201, "admin")


async def test_without_a_domain_nobody_is_invited(plane: Plane, a: SignedIn) -> None:
    await plane.administrator.execute(b"DELETE FROM domains WHERE portal_id = %s", (a.portal_id,))
    body = {"email": "ada@x.example", "name": "Ada", "role": "admin", "reason": REASON}
    refused = await plane.call("POST", f"/tenants/{a.tenant_id}/members", status=409, json=body)
    assert refused["type"] == "urn:platforma:problem:no-domain"
    assert len(await plane.rows("SELECT 1 FROM members WHERE tenant_id = %s", a.tenant_id)) == 1


async def test_a_member_is_suspended_and_resumed(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    path = f"/tenants/{a.tenant_id}/members/{a.member_id}"
    await plane.call("POST", f"{path}/suspend", status=204, json={"reason": REASON})
    assert (await plane.portal_status(a), await plane.portal_status(b)) == (401, 200)
    assert await plane.audited(a.tenant_id, "member.suspend") == ([REASON], [REASON])
    await plane.call("POST", f"{path}/resume", status=204, json={"reason": REASON})
    assert await plane.audited(a.tenant_id, "member.resume") == ([REASON], [REASON])
    rows = await plane.rows("SELECT status FROM members WHERE id = %s", a.member_id)
    assert rows == [{"status": "active"}]


async def test_a_member_is_looked_for_in_its_own_tenant(plane: Plane, two_tenants: TwoTenants) -> None:
    """The parent of A with the child of B: as unknown, and B's member is not touched."""
    a, b = two_tenants.a, two_tenants.b
    for member_id in (b.member_id, uuid4()):
        path = f"/tenants/{a.tenant_id}/members/{member_id}/suspend"
        refused = await plane.call("POST", path, status=404, json={"reason": REASON})
        assert refused["type"] == "urn:platforma:problem:unknown-member"
    assert await plane.portal_status(b) == 200


async def test_everybody_of_a_tenant_is_signed_out(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    ended = await plane.call("DELETE", f"/tenants/{a.tenant_id}/sessions", status=200, json={"reason": REASON})
    assert ended == {"revoked": 1}
    assert (await plane.portal_status(a), await plane.portal_status(b)) == (401, 200)
    assert await plane.audited(a.tenant_id, "session.revoke") == ([REASON], [REASON])


async def test_quotas_are_changed_here_and_in_the_cloud(plane: Plane, a: SignedIn) -> None:
    path = f"/tenants/{a.tenant_id}/quotas"
    changed = await plane.call("PUT", path, status=202, json={"quotas": {"servers": 7}, "reason": REASON})
    assert (changed["quotas"]["servers"], changed["quotas"]["volumes"]) == (7, 40)
    changed = await plane.call("PUT", path, status=202, json={"quotas": {"servers": 8}, "reason": REASON})
    assert changed["quotas"]["servers"] == 8
    operations = await plane.rows("SELECT action, plane FROM operations WHERE tenant_id = %s", a.tenant_id)
    assert operations == [{"action": "tenant.change", "plane": "platform"}]
    assert await plane.audited(a.tenant_id, "quota.change") == ([REASON] * 2, [REASON] * 2)
    read = await plane.call("GET", path, status=200, params={"reason": REASON})
    assert read == changed
    for quotas in ({"unicorns": 1}, {"servers": -1}, {"servers": "many"}, {"servers": 10**12}, None):
        await plane.call("PUT", path, status=422, json={"quotas": quotas, "reason": REASON})
    assert await plane.call("GET", path, status=200, params={"reason": REASON}) == changed


async def test_tenants_are_listed_by_portal_status_and_name(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    page = await plane.call("GET", "/tenants", status=200, params={"portal_id": str(a.portal_id)})
    assert [item["id"] for item in page["items"]] == [str(a.tenant_id)]
    name = page["items"][0]["name"]
    page = await plane.call("GET", "/tenants", status=200, params={"name": name.upper(), "status": "active"})
    assert [item["id"] for item in page["items"]] == [str(a.tenant_id)]
    page = await plane.call("GET", "/tenants", status=200, params={"name": name, "status": "suspended"})
    assert page["items"] == []
    first = await plane.call("GET", "/tenants", status=200, params={"limit": 1, "sort": "-created_at"})
    second = await plane.call(
        "GET", "/tenants", status=200, params={"limit": 1, "sort": "-created_at", "cursor": first["next"]}
    )
    assert {first["items"][0]["id"], second["items"][0]["id"]} == {str(a.tenant_id), str(b.tenant_id)}


ACTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "", {}),
    ("POST", "/suspend", {"json": {"reason": REASON}}),
    ("POST", "/resume", {"json": {"reason": REASON}}),
    ("POST", "/retry", {"json": {"reason": REASON}}),
    ("POST", "/offboard", {"json": {"reason": REASON, "confirm_name": "Acme"}}),
    ("GET", "/members", {"params": {"reason": REASON}}),
    ("POST", "/members", {"json": {"email": "a@b.example", "name": "A", "role": "owner", "reason": REASON}}),
    ("POST", f"/members/{NOBODY}/suspend", {"json": {"reason": REASON}}),
    ("POST", f"/members/{NOBODY}/resume", {"json": {"reason": REASON}}),
    ("DELETE", "/sessions", {"json": {"reason": REASON}}),
    ("GET", "/quotas", {"params": {"reason": REASON}}),
    ("PUT", "/quotas", {"json": {"quotas": {"servers": 1}, "reason": REASON}}),
]


@pytest.mark.parametrize(("method", "path", "body"), ACTS, ids=[f"{act[0]} {act[1]}"[:24] for act in ACTS])
async def test_unknown_tenants_are_unknown(plane: Plane, method: str, path: str, body: dict[str, Any]) -> None:
    unknown = uuid4()
    refused = await plane.call(method, f"/tenants/{unknown}{path}", status=404, **body)
    assert refused["type"] == "urn:platforma:problem:unknown-tenant"
    assert not await plane.rows("SELECT 1 FROM operator_audit WHERE tenant_id = %s", unknown)


@pytest.mark.parametrize(
    ("method", "path"), [(act[0], act[1]) for act in ACTS if "json" in act[2]], ids=lambda value: str(value)[:16]
)
async def test_every_act_needs_a_reason_and_takes_no_unknown_field(
    plane: Plane, a: SignedIn, method: str, path: str
) -> None:
    good = next(act[2]["json"] for act in ACTS if act[:2] == (method, path))
    for body in (
        {name: value for name, value in good.items() if name != "reason"},
        good | {"reason": "short"},
        good | {"reason": "a line\nand another"},
        good | {"tenant_id": str(uuid4())},
    ):
        response: httpx.Response = await plane.send(method, f"/api/v1/tenants/{a.tenant_id}{path}", json=body)
        assert response.status_code == 422, response.text
    assert await plane.portal_status(a) == 200
    assert not await plane.rows(
        "SELECT 1 FROM operator_audit WHERE tenant_id = %s AND actor = %s", a.tenant_id, plane.email
    )
