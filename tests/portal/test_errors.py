"""Errors on pages: they tell nothing of others, keep what was typed, and change nothing."""

import uuid

import httpx
import pytest
from sqlalchemy import func, select

from platforma.authentication.permissions import Role
from platforma.network.models import Network
from platforma.portal.models import Domain
from platforma.portal.models import Portal as PortalRow
from tests.portal.conftest import Portal, path_of, read

in_one_loop = pytest.mark.asyncio(loop_scope="session")


def steady(response: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Return an answer without what differs between any two."""
    headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
    return response.status_code, headers, response.content


@in_one_loop
async def test_one_page_for_foreign_unknown_and_malformed_ids(portal: Portal) -> None:
    """Another tenant's id, one that never existed and what is no id at all: the same bytes."""
    own, foreign = portal.furnished, portal.many
    for page in portal.guarded_pages():
        if not page.path_names:
            continue
        path = path_of(page, foreign)
        answers = [await portal.get(own, path)]
        unknown = page.path
        for name in page.path_names:
            unknown = unknown.replace(f"{{{name}}}", str(uuid.uuid4()))
        answers.append(await portal.get(own, unknown))
        answers.append(await portal.get(own, page.path.replace("{", "x").replace("}", "x")))
        answers.append(await portal.get(own, "/there/is/no/such/page"))
        assert answers[0].status_code == 404, page.path
        assert len({str(steady(answer)) for answer in answers}) == 1, page.path
        read(answers[0])


@in_one_loop
async def test_unknown_and_suspended_portals_are_alike(portal: Portal) -> None:
    """Every path at an unknown host and at a suspended portal is answered with one neutral page."""
    tenancy = await portal.renew()
    brand = portal.databases.operator
    async with brand.platform() as session:
        domain = await session.get_one(Domain, tenancy.host)
        row = await session.get_one(PortalRow, domain.portal_id)
        row.status = "suspended"
    answers = set()
    for operation in portal.operations():
        for host in (tenancy.host, "nobody-is-here.localhost"):
            path = operation.path
            for name in operation.path_names:
                path = path.replace(f"{{{name}}}", str(tenancy.ids.get(name, uuid.uuid4())))
            headers = {"host": host, "cookie": f"__Host-platforma={tenancy.tokens[Role.OWNER]}"}
            response = await portal.client.request(operation.method, f"http://{host}{path}", headers=headers)
            answers.add(str(steady(response)))
            assert response.status_code == 404
            assert "link" not in response.text
            assert "set-cookie" not in response.headers
    assert len(answers) == 1


@in_one_loop
async def test_a_refused_form_comes_back_as_it_was(portal: Portal) -> None:
    """Messages stand beside the fields, what was typed and ticked is kept, and nothing is made."""
    tenancy = portal.furnished
    fields = {"name": 'my "net"', "cidr": "10.0.0.1/24", "description": "a\nb", "router_id": "nonsense"}
    response = await portal.post(tenancy, "/networks", fields)
    assert response.status_code == 422
    document = read(response)
    assert document.h1 == ["New network"]
    assert "no network in CIDR notation" in document.text
    assert "Choose one of these." in document.text
    assert 'value="my &#34;net&#34;"' in response.text
    assert 'value="10.0.0.1/24"' in response.text
    assert "a\nb</textarea>" in response.text
    assert 'value="true" checked' not in response.text
    assert 'aria-invalid="true"' in response.text
    async with portal.databases.portal.read(tenancy.binding()) as session:
        assert await session.scalar(select(func.count()).where(Network.name.contains("my"))) == 0


@in_one_loop
async def test_a_conflict_comes_back_with_its_reason(portal: Portal) -> None:
    """What the state forbids is said on the form's own page, and the transaction is rolled back whole."""
    tenancy = portal.furnished
    fields = {"cidr": "10.0.0.0/25", "has_dhcp": "true"}
    response = await portal.post(tenancy, f"/networks/{tenancy.ids['network_id']}/subnets", fields)
    assert response.status_code == 409
    document = read(response)
    assert "Address ranges overlap" in document.text
    assert response.headers["hx-push-url"] == "false"


@in_one_loop
async def test_the_name_is_asked_before_a_server_goes(portal: Portal) -> None:
    tenancy = portal.furnished
    response = await portal.post(tenancy, f"/servers/{tenancy.ids['server_id']}/delete", {"name": "another"})
    assert response.status_code == 422
    assert "This is not the server's name." in read(response).text
    page = await portal.get(tenancy, f"/servers/{tenancy.ids['server_id']}")
    assert "Deleting" not in page.text


@in_one_loop
async def test_fields_that_no_form_has_are_refused(portal: Portal) -> None:
    """Also where there is no form at all."""
    tenancy = portal.furnished
    at = f"/servers/{tenancy.ids['server_id']}"
    for path, fields in ((f"{at}/stop", {"tenant_id": "x"}), (f"{at}/edit", {"name": "x", "status": "active"})):
        assert (await portal.post(tenancy, path, fields)).status_code == 422


@in_one_loop
async def test_the_api_speaks_for_itself(portal: Portal) -> None:
    """Unknown paths and methods below /api/ are problem documents, not pages."""
    for method, path, status in (
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/networks", 405),
        ("GET", "/api/", 404),
    ):
        response = await portal.client.request(
            method, f"http://{portal.furnished.host}{path}", headers={"host": portal.furnished.host}
        )
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
    wrong = await portal.client.request(
        "DELETE", f"http://{portal.furnished.host}/sign-in", headers={"host": portal.furnished.host}
    )
    assert wrong.status_code == 405
    assert wrong.headers["content-type"].startswith("text/html")


@in_one_loop
async def test_a_crash_tells_nothing(portal: Portal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not foreseen is a page in the brand, without a word of what it was."""

    async def fail(*arguments: object) -> None:
        raise RuntimeError("secret innards")

    monkeypatch.setattr("platforma.portal.dashboard.look_around", fail)
    response = await portal.get(portal.furnished, "/")
    assert response.status_code == 500
    assert "secret innards" not in response.text
    assert "Portal canary" in read(response).text


@in_one_loop
@pytest.mark.parametrize("fragment", [False, True])
async def test_a_portal_that_is_too_busy_says_when_to_come_back(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, fragment: bool
) -> None:
    engine = portal.pages.state.database.engine
    monkeypatch.setattr(engine.pool, "_timeout", 0.1)
    connections = [await engine.connect() for _ in range(engine.pool.size() + engine.pool._max_overflow)]
    try:
        headers = {"hx_request": "true"} if fragment else {}
        response = await portal.get(portal.furnished, "/networks", Role.OWNER, **headers)
    finally:
        for connection in connections:
            await connection.close()
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "Try again in a moment" in response.text
    assert ("<html" in response.text) is not fragment
    assert (await portal.get(portal.furnished, "/networks")).status_code == 200
