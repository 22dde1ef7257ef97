"""Who gets in: nobody without an operator's session, at no other host, from no other site, by no portal's cookie."""

import httpx
import pytest
from fastapi import APIRouter

from platforma.api.routes import UnguardedRouteError
from platforma.operator.application import create_operator_app
from platforma.operator.routes import OpenPlaneRoute, OperatorRoute
from platforma.settings import SettingsError
from platforma.verification.inventory import ApiOperation, list_operations
from tests.database.tenants import SignedIn
from tests.operator.conftest import NOWHERE, REASON, Plane, example_of


def _inventory() -> list[ApiOperation]:
    return list_operations(create_operator_app(NOWHERE).openapi())


GUARDED = [operation for operation in _inventory() if operation.permission is not None]
OPEN = [operation for operation in _inventory() if operation.permission is None]


def test_nothing_is_open_but_the_sign_in() -> None:
    assert sorted((operation.method, operation.path) for operation in OPEN) == [
        ("DELETE", "/api/v1/session"),
        ("POST", "/api/v1/session"),
    ]
    assert {operation.permission for operation in GUARDED} == {"operator"}
    assert len(GUARDED) > 20


def test_a_route_without_the_guard_does_not_exist() -> None:
    router = APIRouter(route_class=OperatorRoute)
    with pytest.raises(UnguardedRouteError, match="/tenants"):

        @router.get("/tenants")
        async def list_everything() -> None: ...

    @APIRouter(route_class=OpenPlaneRoute).get("/tenants")
    async def list_openly() -> None: ...


@pytest.mark.parametrize("operation", GUARDED, ids=lambda operation: operation.id)
async def test_nobody_and_members_are_turned_away(nobody: Plane, a: SignedIn, operation: ApiOperation) -> None:
    """Without a cookie, with a member's cookie, and with a member's token in the operator's cookie."""
    ids = {"tenant_id": str(a.tenant_id), "portal_id": str(a.portal_id), "member_id": str(a.member_id), "host": a.host}
    method, path, options = example_of(operation, ids)
    before = await nobody.digest()
    for cookie in (
        "",
        f"__Host-platforma={a.token}",
        f"__Host-platforma-operator={a.token}",
        "__Host-platforma-operator=" + "x" * 43,
    ):
        response = await nobody.send(method, path, headers={"cookie": cookie}, **options)
        assert response.status_code == 401, response.text
        assert "set-cookie" not in response.headers
    assert await nobody.digest() == before
    assert await nobody.portal_status(a) == 200


async def test_an_operator_is_nobody_at_a_portal(plane: Plane, a: SignedIn) -> None:
    for name in ("__Host-platforma", "__Host-platforma-operator"):
        headers = {"host": a.host, "cookie": f"{name}={plane.token}"}
        response = await plane.portal.get(f"http://{a.host}/api/v1/me", headers=headers)
        assert response.status_code == 401
    assert await plane.portal_status(a) == 200


async def test_at_other_hosts_there_is_nothing(plane: Plane, a: SignedIn) -> None:
    """An unknown host, a portal's and one that resembles the operator's are alike, whatever is asked for."""
    answers = []
    for host in (a.host, "unknown.localhost", "operator.localhost.evil.example", "xoperator.localhost", "127.0.0.1"):
        for path in ("/", "/sign-in", "/api/v1/me", "/api/v1/tenants", "/api/v1/openapi.json", "/static/x", "/no"):
            response = await plane.send("GET", path, host=host)
            headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
            answers.append((response.status_code, headers, response.content))
        assert (await plane.sign_in(host=host)).status_code == 404
    assert answers[0][0] == 404
    assert all(answer == answers[0] for answer in answers)
    await plane.call("GET", "/me", status=200)
    await plane.call("GET", "/me", status=200, host="OPERATOR.localhost:8443")


async def test_other_sites_change_and_read_nothing(plane: Plane, a: SignedIn) -> None:
    path = f"/tenants/{a.tenant_id}"
    for site in ("cross-site", "same-site"):
        headers = {"sec-fetch-site": site}
        await plane.call("POST", f"{path}/suspend", status=403, headers=headers, json={"reason": REASON})
        await plane.call("GET", f"{path}/members", status=403, headers=headers, params={"reason": REASON})
    assert await plane.audited(a.tenant_id, "member.list") == ([], [])
    await plane.call(
        "GET", f"{path}/members", status=200, headers={"sec-fetch-site": "same-origin"}, params={"reason": REASON}
    )
    assert await plane.portal_status(a) == 200


async def test_unknown_query_parameters_are_refused(plane: Plane) -> None:
    for path in ("/me", "/tenants", "/portals", "/operator-audit"):
        refused = await plane.call("GET", path, status=422, params={"tenant": "1"})
        assert refused["errors"][0]["where"] == "query.tenant"


def test_an_operator_host_is_needed() -> None:
    for host in ("", "a host", "operator.localhost:80"):
        with pytest.raises(SettingsError):
            create_operator_app(NOWHERE.model_copy(update={"operator_host": host}))


async def test_problems_are_problem_json(plane: Plane) -> None:
    response: httpx.Response = await plane.send("POST", "/api/v1/me")
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert response.headers["content-type"] == "application/problem+json"


async def test_at_another_host_a_browser_reads_a_page(nobody: Plane) -> None:
    page = await nobody.send("GET", "/", host="elsewhere.localhost", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    program = await nobody.send("GET", "/", host="elsewhere.localhost")
    assert program.headers["content-type"] == "application/problem+json"
    assert program.json()["title"] in page.text
