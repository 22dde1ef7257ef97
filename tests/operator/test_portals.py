"""Portals and their domains."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.database.tenants import SignedIn, TwoTenants
from tests.operator.conftest import Plane


async def test_a_portal_is_made_at_its_host(plane: Plane, new_name: Callable[[], str]) -> None:
    name = new_name()
    host = f"{name}.localhost"
    made = await plane.call(
        "POST", "/portals", status=201, json={"name": name, "title": "Acme Cloud", "host": host.upper()}
    )
    assert await plane.call("GET", f"/portals/{made['id']}", status=200) == made
    domains = await plane.call("GET", f"/portals/{made['id']}/domains", status=200)
    assert [(item["host"], item["is_canonical"]) for item in domains["items"]] == [(host, True)]
    page = await plane.portal.get(f"http://{host}/sign-in", headers={"host": host})
    assert (page.status_code, "Acme Cloud" in page.text) == (200, True)
    listed = await plane.call("GET", "/portals", status=200, params={"name": name})
    assert listed["items"] == [made]
    audit = (await plane.call("GET", "/operator-audit", status=200, params={"limit": 1}))["items"][0]
    assert (audit["actor"], audit["action"], audit["details"]) == (
        plane.email,
        "portal.create",
        {"portal": name, "host": host},
    )


async def test_names_and_hosts_are_taken_once(plane: Plane, a: SignedIn, new_name: Callable[[], str]) -> None:
    name = new_name()
    before = await plane.rows("SELECT count(*) FROM portals")
    for body, problem in (
        ({"name": name, "title": "X", "host": a.host}, "host-taken"),
        ({"name": name, "title": "X", "host": a.host.upper()}, "host-taken"),
        ({"name": name, "title": "X", "host": "operator.localhost"}, "host-taken"),
    ):
        refused = await plane.call("POST", "/portals", status=409, json=body)
        assert refused["type"] == f"urn:platforma:problem:{problem}"
    assert await plane.rows("SELECT count(*) FROM portals") == before
    await plane.call("POST", "/portals", status=201, json={"name": name, "title": "X", "host": f"{name}.localhost"})
    refused = await plane.call(
        "POST", "/portals", status=409, json={"name": name, "title": "X", "host": f"{name}-2.localhost"}
    )
    assert refused["type"] == "urn:platforma:problem:name-taken"


@pytest.mark.parametrize(
    "host",
    ["", "a b", "cloud.example.org:80", "cloud.example.org.", "https://x.example", "x/y", "a_b.example", "*.x"],
)
async def test_hosts_are_names(plane: Plane, a: SignedIn, host: str) -> None:
    for path, body in (
        ("/portals", {"name": "x", "title": "X", "host": host}),
        (f"/portals/{a.portal_id}/domains", {"host": host}),
    ):
        refused = await plane.call("POST", path, status=422, json=body)
        assert refused["errors"][0]["where"] == "body.host"


async def test_a_suspended_portal_is_shut_on_the_next_request(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    path = f"/portals/{a.portal_id}"
    assert (await plane.call("PATCH", path, status=200, json={"status": "suspended"}))["status"] == "suspended"
    assert (await plane.portal_status(a), await plane.portal_status(b)) == (401, 200)
    await plane.call("PATCH", path, status=200, json={"status": "active", "title": "Anew"})
    assert await plane.portal_status(a) == 200
    assert (await plane.call("GET", path, status=200))["title"] == "Anew"
    refused: list[dict[str, Any]] = [{}, {"status": "gone"}, {"name": "other"}, {"brand": {}}, {"title": None}]
    for body in refused:
        await plane.call("PATCH", path, status=422, json=body)


async def test_domains_come_and_go(plane: Plane, two_tenants: TwoTenants, new_name: Callable[[], str]) -> None:
    a, b = two_tenants.a, two_tenants.b
    path = f"/portals/{a.portal_id}/domains"
    host = f"{new_name()}.localhost"
    for taken in (b.host, a.host, "operator.localhost"):
        refused = await plane.call("POST", path, status=409, json={"host": taken})
        assert refused["type"] == "urn:platforma:problem:host-taken"
    await plane.call("POST", path, status=201, json={"host": host, "is_canonical": True})
    domains = (await plane.call("GET", path, status=200))["items"]
    assert [(item["host"], item["is_canonical"]) for item in domains] == [(host, True), (a.host, False)]
    refused = await plane.call("DELETE", f"{path}/{host}", status=409)
    assert refused["type"] == "urn:platforma:problem:canonical-domain"
    assert await plane.portal_status(a) == 200
    await plane.call("DELETE", f"{path}/{a.host}", status=204)
    assert await plane.portal_status(a) == 401
    refused = await plane.call("DELETE", f"{path}/{b.host}", status=404)
    assert refused["type"] == "urn:platforma:problem:unknown-domain"
    assert await plane.portal_status(b) == 200


async def test_unknown_portals_are_unknown(plane: Plane, new_name: Callable[[], str]) -> None:
    path = f"/portals/{uuid4()}"
    host = f"{new_name()}.localhost"
    answers = [
        await plane.call("GET", path, status=404),
        await plane.call("PATCH", path, status=404, json={"title": "X"}),
        await plane.call("GET", f"{path}/domains", status=404),
        await plane.call("POST", f"{path}/domains", status=404, json={"host": host}),
        await plane.call("DELETE", f"{path}/domains/{host}", status=404),
        await plane.call("POST", "/tenants", status=404, json={"portal_id": str(uuid4()), "name": "X"}),
    ]
    assert {answer["type"] for answer in answers} == {"urn:platforma:problem:unknown-portal"}
