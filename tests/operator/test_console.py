"""The console: what its pages show, what its forms do, and who does not get in. No browser's JavaScript is needed."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from platforma.database.database import Database
from platforma.operator.application import create_operator_app
from platforma.storage.models import VolumeType
from platforma.verification.inventory import ApiOperation, list_operations
from tests.database.tenants import PASSWORD, SignedIn, TwoTenants
from tests.operator.conftest import HOST, NOWHERE, REASON, Plane, example_of, token_of

PAGES = list_operations(create_operator_app(NOWHERE).state.console.openapi())


async def page(plane: Plane, path: str, *, status: int = 200, **kwargs: Any) -> str:
    """Look at a page, which must be one that the content security policy lets look as it is meant to."""
    response = await plane.send("GET", path, **kwargs)
    assert response.status_code == status, response.text
    return checked(response)


async def submit(plane: Plane, path: str, form: dict[str, str], *, status: int = 303) -> httpx.Response:
    """Send a form as a browser does."""
    headers = {"origin": f"https://{HOST}", "sec-fetch-site": "same-origin"}
    response = await plane.send("POST", path, data=form, headers=headers)
    assert response.status_code == status, response.text
    return response


def checked(response: httpx.Response) -> str:
    """Return a page's HTML, which has nothing inline, and no script but the files of the portal."""
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    markup = " ".join(re.findall(r"<[^<>]*>", response.text))
    assert not re.search(r"<script(?! src=\"/static/[\w./-]+\" defer>)|<style|\sstyle=|\son[a-z]+=|javascript:", markup)
    return response.text


def test_nothing_is_open_but_the_sign_in() -> None:
    assert sorted((each.method, each.path) for each in PAGES if each.permission is None) == [
        ("GET", "/sign-in"),
        ("POST", "/sign-in"),
        ("POST", "/sign-out"),
    ]
    assert {each.permission for each in PAGES} == {None, "operator"}


@pytest.mark.parametrize("operation", [each for each in PAGES if each.permission], ids=lambda operation: operation.id)
async def test_nobody_and_members_are_sent_to_the_sign_in(nobody: Plane, a: SignedIn, operation: ApiOperation) -> None:
    ids = {"tenant_id": str(a.tenant_id), "portal_id": str(a.portal_id), "member_id": str(a.member_id), "host": a.host}
    method, path, options = example_of(operation, ids)
    if "json" in options:
        options["data"] = {name: str(value) for name, value in options.pop("json").items()}
    before = await nobody.digest()
    for cookie in ("", f"__Host-platforma={a.token}", f"__Host-platforma-operator={a.token}"):
        response = await nobody.send(method, path, headers={"cookie": cookie}, **options)
        assert response.status_code == 303, response.text
        wanted = f"?next={quote(path, safe='')}" if method == "GET" and path != "/" else ""
        assert response.headers["location"] in (f"/sign-in{wanted}", f"/sign-in?next={path}")
        assert "set-cookie" not in response.headers
    assert await nobody.digest() == before
    assert await nobody.portal_status(a) == 200


async def test_signing_in_and_out(nobody: Plane) -> None:
    assert 'name="password"' in await page(nobody, "/sign-in?next=/audit")
    wrong = await submit(nobody, "/sign-in", {"email": nobody.email, "password": "wrong"}, status=401)
    assert "E-mail or password is wrong" in checked(wrong)
    assert "set-cookie" not in wrong.headers
    for wanted, leads_to in (("/audit", "/audit"), ("//evil.example", "/"), ("https://evil.example", "/")):
        form = {"email": nobody.email, "password": PASSWORD, "next": wanted}
        signed_in = await submit(nobody, "/sign-in", form)
        assert signed_in.headers["location"] == leads_to
    nobody.token = token_of(signed_in)
    assert nobody.email in await page(nobody, "/")
    signed_out = await submit(nobody, "/sign-out", {})
    assert signed_out.headers["location"] == "/sign-in"
    assert (await nobody.send("GET", "/")).headers["location"] == "/sign-in"


async def test_the_overview_tells_what_is_in_trouble(plane: Plane, a: SignedIn, new_name: Callable[[], str]) -> None:
    name = new_name()
    made = await submit(plane, f"/portals/{a.portal_id}/tenants", {"name": f"<b>{name}", "reason": REASON})
    path = made.headers["location"]
    await plane.administrator.execute(
        b"UPDATE operations SET status = 'failed', progress = 40, error = %s WHERE tenant_id = %s",
        ('{"title": "The cloud <i>is away", "detail": "Look there."}', path.rpartition("/")[2]),
    )
    overview = await page(plane, "/")
    for html in (overview, await page(plane, path)):
        assert f"Onboarding of &lt;b&gt;{name}" in html
        assert "The cloud &lt;i&gt;is away" in html
    assert a.email not in overview
    filtered = await page(plane, f"/?name={name}&status=")
    assert filtered.count(f"&lt;b&gt;{name}</a></td>") == 1
    assert (await submit(plane, f"{path}/retry", {"reason": REASON})).headers["location"] == path
    assert "The cloud &lt;i&gt;is away" not in await page(plane, path)
    assert "0 % · Waiting for its turn" in await page(plane, path)


async def test_a_tenant_is_closed_until_a_reason_is_given(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    path = f"/tenants/{a.tenant_id}"
    assert a.email not in await page(plane, path)
    refused = checked(await submit(plane, f"{path}/open", {"reason": "short"}, status=422))
    assert 'id="look-reason-error"' in refused
    assert "Use at least 8 characters." in refused
    assert 'value="short"' in refused
    assert await plane.audited(a.tenant_id, "tenant.open") == ([], [])
    assert (await submit(plane, f"{path}/open", {"reason": REASON})).headers["location"] == path
    for _ in range(3):
        opened = await page(plane, path)
        assert (a.email in opened, b.email in opened, "MiB of memory" in opened) == (True, False, True)
    for action in ("tenant.open", "member.list", "quota.read"):
        assert await plane.audited(a.tenant_id, action) == ([REASON], [REASON])
    assert f'value="{REASON}"' in opened
    assert b.email not in await page(plane, f"/tenants/{b.tenant_id}"), "the reason is for one tenant"
    await submit(plane, f"{path}/members/{a.member_id}/suspend", {"reason": REASON})
    assert (await plane.portal_status(a), await plane.portal_status(b)) == (401, 200)
    await submit(plane, f"{path}/members/{a.member_id}/resume", {"reason": REASON})
    assert await plane.audited(a.tenant_id, "member.resume") == ([REASON], [REASON])
    plane.token = token_of(await plane.sign_in())
    assert a.email not in await page(plane, path), "a new sitting asks again"


async def test_looking_where_a_tenant_stands_leaves_no_line(plane: Plane, a: SignedIn) -> None:
    before = await plane.rows("SELECT count(*) FROM audit_events WHERE tenant_id = %s", a.tenant_id)
    for _ in range(2):
        await page(plane, f"/tenants/{a.tenant_id}")
        await page(plane, "/")
        await plane.call("GET", f"/tenants/{a.tenant_id}", status=200)
    assert await plane.rows("SELECT count(*) FROM audit_events WHERE tenant_id = %s", a.tenant_id) == before


async def test_quotas_are_changed_where_they_are_shown(plane: Plane, a: SignedIn) -> None:
    path = f"/tenants/{a.tenant_id}"
    await submit(plane, f"{path}/open", {"reason": REASON})
    refused = await submit(plane, f"{path}/quotas", {"servers": "many", "reason": REASON}, status=422)
    assert "Enter a whole number." in checked(refused)
    await submit(plane, f"{path}/quotas", {"servers": "7", "volume_gib": "5000", "reason": REASON})
    html = await page(plane, path)
    assert 'name="servers" type="number" value="7"' in html
    assert "Change of quotas" in html
    assert "GiB of volumes" in html
    assert await plane.audited(a.tenant_id, "quota.change") == ([REASON], [REASON])
    await submit(plane, f"{path}/quotas", {"servers": "7", "reason": REASON})
    assert len((await plane.audited(a.tenant_id, "quota.change"))[0]) == 1, "nothing was changed"


async def test_errors_stand_at_their_fields(plane: Plane, a: SignedIn, new_name: Callable[[], str]) -> None:
    """What was typed is there again, in the form, and no pattern is shown to anybody."""
    cases = {
        "/portals": ({"name": "Not So Short!", "title": "T", "host": "a.example"}, "Use lower-case letters"),
        f"/portals/{a.portal_id}/domains": ({"host": "https://x/"}, "Write a host name such as"),
        f"/tenants/{a.tenant_id}/invitations": (
            {"email": "nobody", "name": "N", "role": "viewer", "reason": REASON},
            "Enter an e-mail address",
        ),
        "/clusters": ({"name": "UPPER", "kubeconfig": "x"}, "Use lower-case letters"),
        "/sign-in": ({"email": "nobody", "password": "x"}, "Enter an e-mail address"),
    }
    for path, (form, words) in cases.items():
        html = checked(await submit(plane, path, form, status=422))
        assert words in html, path
        assert "pattern" not in html
        assert 'aria-invalid="true"' in html
        assert next(iter(form.values())) in html
    invite = checked(await submit(plane, f"/tenants/{a.tenant_id}/invitations", cases_form(a), status=422))
    assert '<option value="viewer" selected>' in invite
    assert '<option value="member" selected>' in await page(plane, f"/tenants/{a.tenant_id}")


def cases_form(a: SignedIn) -> dict[str, str]:
    """Return an invitation that lacks a reason."""
    return {"email": f"new@{a.host}", "name": "N", "role": "viewer", "reason": ""}


async def test_shutting_a_portal_is_asked_about(plane: Plane, a: SignedIn) -> None:
    path = f"/portals/{a.portal_id}"
    assert f'href="{path}/suspend" data-dialog' in await page(plane, path)
    question = await page(plane, f"{path}/suspend")
    assert "Everybody is shut out on the next request" in question
    assert f'action="{path}/suspend"' in question
    assert await plane.portal_status(a) == 200
    await page(plane, f"{path}/domains/nowhere.example/remove", status=404)
    assert f"Remove the domain {a.host}?" in await page(plane, f"{path}/domains/{a.host}/remove")


async def test_the_log_names_tenants(plane: Plane, a: SignedIn) -> None:
    name = (await plane.call("GET", f"/tenants/{a.tenant_id}", status=200))["name"]
    await submit(plane, f"/tenants/{a.tenant_id}/sign-out", {"reason": REASON})
    assert f'<a href="/tenants/{a.tenant_id}">{name}</a>' in await page(plane, f"/audit?tenant_id={a.tenant_id}")


async def test_an_invitation_is_shown_once(plane: Plane, a: SignedIn) -> None:
    form = {"email": f"ada@{a.host}", "name": "Ada", "role": "member", "reason": REASON}
    html = checked(await submit(plane, f"/tenants/{a.tenant_id}/invitations", form, status=200))
    link = re.search(rf"<code>https://{a.host}:8443(/invitation/[\w-]+)</code>", html)
    assert link is not None
    invitation = await plane.portal.get(f"http://{a.host}{link[1]}", headers={"host": a.host})
    assert (invitation.status_code, "Ada" in invitation.text) == (200, True)
    assert link[1] not in await page(plane, f"/tenants/{a.tenant_id}")


async def test_acts_on_a_tenant(plane: Plane, a: SignedIn) -> None:
    path = f"/tenants/{a.tenant_id}"
    await submit(plane, f"{path}/sign-out", {"reason": REASON})
    assert await plane.portal_status(a) == 401
    await submit(plane, f"{path}/suspend", {"reason": REASON})
    assert "Suspended" in await page(plane, path)
    again = await submit(plane, f"{path}/suspend", {"reason": REASON}, status=409)
    assert "The tenant is in no state for this" in checked(again)
    await submit(plane, f"{path}/resume", {"reason": REASON})
    name = (await plane.call("GET", path, status=200))["name"]
    await submit(plane, f"{path}/offboard", {"reason": REASON, "confirm_name": name[:-1]}, status=409)
    await submit(plane, f"{path}/offboard", {"reason": REASON}, status=409)
    assert "Offboarding" not in await page(plane, path)
    await submit(plane, f"{path}/offboard", {"reason": REASON, "confirm_name": name})
    assert "Offboarding" in await page(plane, path)
    log = await page(plane, f"/audit?tenant_id={a.tenant_id}")
    for action in ("session.revoke", "tenant.suspend", "tenant.resume", "tenant.offboard"):
        assert action in log
        assert await plane.audited(a.tenant_id, action) == ([REASON], [REASON])
    assert REASON in log


async def test_portals_and_domains(plane: Plane, new_name: Callable[[], str]) -> None:
    name = new_name()
    hosts = [f"{name}-{number}.localhost" for number in range(2)]
    made = await submit(plane, "/portals", {"name": name, "title": "Acme", "host": hosts[0]})
    path = made.headers["location"]
    await submit(plane, f"{path}/domains", {"host": hosts[1], "is_canonical": "true"})
    assert "leads to a portal already" in (await submit(plane, f"{path}/domains", {"host": hosts[1]}, status=409)).text
    html = await page(plane, path)
    assert f'{hosts[1]} <span class="tag">Canonical</span>' in html
    await submit(plane, f"{path}/domains/{hosts[1]}/remove", {}, status=409)
    await submit(plane, f"{path}/domains/{hosts[0]}/remove", {})
    assert hosts[0] not in await page(plane, path)
    unproven = f"cloud.{name}.example"
    await submit(plane, f"{path}/domains", {"host": unproven})
    html = await page(plane, path)
    assert (f"_platforma.{unproven}. IN TXT" in html, "Not proven yet" in html) == (True, True)
    overview = await page(plane, "/")
    assert ("Domains that wait for a record" in overview, unproven in overview) == (True, True)
    await submit(plane, f"{path}/domains/{unproven}/check", {})
    await submit(plane, f"{path}/domains/{unproven}/canonical", {}, status=409)
    await submit(plane, f"{path}/domains/{unproven}/remove", {})
    assert unproven not in await page(plane, path), "what was never proven is not held"
    await submit(plane, f"{path}/title", {"title": "Acme Cloud"})
    await submit(plane, f"{path}/suspend", {})
    assert "This portal is shut" in await page(plane, path)
    await submit(plane, f"{path}/resume", {})
    html = await page(plane, path)
    assert ("This portal is shut" in html, "Acme Cloud" in html) == (False, True)


async def test_what_is_not_there_and_what_no_form_has(plane: Plane, a: SignedIn) -> None:
    for path in (f"/tenants/{uuid4()}", f"/portals/{uuid4()}", "/tenants/x", "/nowhere"):
        await page(plane, path, status=404)
    await submit(plane, f"/tenants/{uuid4()}/suspend", {"reason": REASON}, status=404)
    await page(plane, "/?tenant=1", status=422)
    await submit(plane, f"/tenants/{a.tenant_id}/suspend", {"reason": REASON, "tenant_id": "1"}, status=422)
    await submit(plane, f"/portals/{a.portal_id}/suspend", {"status": "x"}, status=422)
    assert await plane.portal_status(a) == 200
    assert (await plane.send("GET", "/api/v1/nowhere")).headers["content-type"] == "application/problem+json"


async def test_another_site_sends_no_form(plane: Plane, a: SignedIn) -> None:
    path = f"/tenants/{a.tenant_id}/suspend"
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}):
        response = await plane.send("POST", path, data={"reason": REASON}, headers=headers)
        assert response.status_code == 403
    assert await plane.portal_status(a) == 200


async def test_the_stylesheet_is_there(nobody: Plane) -> None:
    sheets = re.findall(r'<link rel="stylesheet" href="([^"]+)"', await page(nobody, "/sign-in"))
    assert len(sheets) == 2
    for sheet in sheets:
        assert (await nobody.send("GET", sheet)).headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/", "/api/v1/portals"])
async def test_a_console_that_is_too_busy_says_when_to_come_back(plane: Plane, path: str) -> None:
    engine = plane.app.state.database.engine
    engine.pool._timeout = 0.1
    connections = [await engine.connect() for _ in range(engine.pool.size() + engine.pool._max_overflow)]
    try:
        response = await plane.send("GET", path)
    finally:
        for connection in connections:
            await connection.close()
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert "Try again in a moment" in response.text


async def test_volume_types_are_offered_and_withdrawn(plane: Plane, provisioner_database: Database) -> None:
    async with provisioner_database.platform() as session:
        session.add(kind := VolumeType(cloud_id=str(uuid4()), name=f"fast-{uuid4()}"))
    page = await plane.send("GET", "/volume-types")
    assert (page.status_code, kind.name in page.text) == (200, True)
    form = {"is_wanted": "true", "method": "zeroed_by_backend"}
    assert (await plane.send("POST", f"/volume-types/{kind.id}", data=form)).status_code == 303
    assert "Waiting for the canary" in (await plane.send("GET", "/volume-types")).text
    listed = (await plane.call("GET", "/volume-types", status=200))["items"]
    (found,) = [each for each in listed if each["name"] == kind.name]
    assert (found["method"], found["is_offered"], found["wanted_at"] is not None) == ("zeroed_by_backend", False, True)
    audit = (await plane.call("GET", "/operator-audit", status=200, params={"limit": 1}))["items"][0]
    assert (audit["action"], audit["details"]["volume_type"]) == ("volume_type.offer", kind.name)
    assert (await plane.send("POST", f"/volume-types/{kind.id}", data={"is_wanted": "false"})).status_code == 303
    assert "Not offered" in (await plane.send("GET", "/volume-types")).text
    await plane.call("PUT", f"/volume-types/{uuid4()}", status=404, json={"is_wanted": True})
    await plane.call("PUT", f"/volume-types/{kind.id}", status=422, json={"is_wanted": True, "method": "hope"})
