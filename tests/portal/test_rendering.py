"""What pages are made of: escaping, fragments, brands, static files."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforma.authentication.permissions import Role
from platforma.compute.models import KeyPair, Server
from platforma.kit.ids import new_id
from platforma.network.models import Network, Router, SecurityGroup, SecurityGroupRule, Subnet
from platforma.operations.models import Operation
from platforma.portal.branding import Brand
from platforma.portal.colours import READABLE, Colour, contrast
from platforma.portal.models import Domain
from platforma.portal.models import Portal as PortalRow
from platforma.portal.static_files import DIRECTORY, static_url
from platforma.storage.models import Volume
from platforma.tenants.models import Member
from tests.portal.conftest import Portal, path_of, read

in_one_loop = pytest.mark.asyncio(loop_scope="session")

_MODELS = {
    Network: "network_id",
    Subnet: "subnet_id",
    Router: "router_id",
    SecurityGroup: "security_group_id",
    SecurityGroupRule: "rule_id",
    Server: "server_id",
    KeyPair: "key_pair_id",
    Volume: "volume_id",
    Member: "member_id",
}

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}"


@in_one_loop
async def test_names_are_text(portal: Portal) -> None:
    """Markup in names, descriptions, titles and messages is shown as it was typed, and is not markup."""
    tenancy = await portal.renew()
    binding = tenancy.binding()
    async with portal.databases.portal.write(binding) as session:
        for model, key in _MODELS.items():
            row: Any = await session.get(model, tenancy.ids[key])
            for field in ("name", "description", "status_reason"):
                if hasattr(row, field):
                    setattr(row, field, MARKUP)
            if isinstance(row, Server):
                row.console_output = MARKUP
        operation = Operation(
            id=new_id(),
            action="server.create",
            resource_kind="server",
            resource_id=tenancy.ids["server_id"],
            resource_name=MARKUP,
            requested_by=MARKUP,
            status="failed",
            step=MARKUP,
            error={"type": "x", "title": MARKUP, "detail": MARKUP},
        )
        session.add(operation)
    tenancy.ids["operation_id"] = operation.id
    async with portal.databases.operator.platform() as session:
        domain = await session.get_one(Domain, tenancy.host)
        portal_row = await session.get_one(PortalRow, domain.portal_id)
        portal_row.title = MARKUP
        portal_row.brand = {"accent": "red;} body{display:none", "support_email": "<b>@x.example"}
    seen = 0
    for page in portal.operations():
        if page.method == "GET" and page.path != "/invitation/{token}":
            response = await portal.get(tenancy, path_of(page, tenancy))
            if response.headers.get("content-type", "").startswith("text/html") and response.status_code == 200:
                document = read(response)
                assert "<img src=x" not in response.text, page.path
                assert response.text.count("<script") == 3, page.path
                assert "{{7*7}}" in document.text
                seen += 1
    assert seen > 30
    css = await portal.get(tenancy, "/brand.css", None)
    assert "display" not in css.text


@in_one_loop
async def test_fragments_are_parts_of_their_page(portal: Portal) -> None:
    """htmx gets the live block it asks for by name, and nothing around it; any other name gets the page."""
    tenancy = portal.many
    page = await portal.get(tenancy, "/servers")
    assert 'hx-get="/servers"' in page.text
    assert 'hx-trigger="every 2s"' in page.text
    fragment = await portal.get(tenancy, "/servers", hx_request="true", hx_target="live_rows")
    assert fragment.text.strip().startswith('<section class="table-card" id="live_rows"')
    assert "<nav" not in fragment.text
    assert fragment.text.strip() in page.text
    for target in ("content", "title", "live_other", "main"):
        other = await portal.get(tenancy, "/servers", hx_request="true", hx_target=target)
        assert other.text.startswith("<!DOCTYPE html>")
    boosted = await portal.get(tenancy, "/servers", hx_request="true", hx_target="live_rows", hx_boosted="true")
    assert boosted.text.startswith("<!DOCTYPE html>")


@in_one_loop
async def test_pages_look_again_only_while_something_moves(portal: Portal) -> None:
    """A page on which nothing will change by itself asks for nothing."""
    tenancy = portal.furnished
    for page in portal.guarded_pages():
        response = await portal.get(tenancy, path_of(page, tenancy))
        assert "hx-trigger" not in response.text, page.path
    assert "hx-trigger" in (await portal.get(portal.many, "/")).text


@in_one_loop
async def test_a_fragment_of_what_is_gone_says_so(portal: Portal) -> None:
    tenancy = portal.furnished
    gone = path_of(next(page for page in portal.operations() if page.path == "/servers/{server_id}"), portal.many)
    response = await portal.get(tenancy, gone, hx_request="true", hx_target="live_server")
    assert response.status_code == 404
    assert response.headers["hx-retarget"] == "#notices"
    assert "<html" not in response.text


@in_one_loop
async def test_a_rule_open_to_all_is_marked(portal: Portal) -> None:
    tenancy = await portal.renew()
    path = f"/security-groups/{tenancy.ids['security_group_id']}"
    before = (await portal.get(tenancy, path)).text.count("The whole internet")
    closed = {"service": "ssh", "source": "range", "remote_ip_prefix": "203.0.113.0/24"}
    assert (await portal.post(tenancy, f"{path}/rules", closed)).status_code == 303
    assert (await portal.get(tenancy, path)).text.count("The whole internet") == before
    assert (await portal.post(tenancy, f"{path}/rules", {"service": "https", "source": "anywhere"})).status_code == 303
    assert (await portal.get(tenancy, path)).text.count("The whole internet") == before + 1
    again = await portal.post(tenancy, f"{path}/rules", {"service": "https", "source": "anywhere"})
    assert again.status_code == 409
    assert "admits this already" in read(again).text


@in_one_loop
async def test_a_private_key_is_shown_once(portal: Portal) -> None:
    tenancy = await portal.renew()
    made = await portal.post(tenancy, "/key-pairs/generate", {"name": "laptop"})
    assert made.status_code == 303
    cookie, _, flags = made.headers["set-cookie"].partition("; ")
    assert flags == "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=120"
    shown = made.headers["location"]
    response = await portal.get(tenancy, shown, cookie=cookie)
    assert "BEGIN OPENSSH PRIVATE KEY" in read(response).text
    assert response.headers["cache-control"] == "no-store"
    assert "Max-Age=0" in response.headers["set-cookie"]
    reloaded = await portal.get(tenancy, shown)
    assert "It was shown once" in read(reloaded).text
    another = f"/key-pairs/{tenancy.ids['key_pair_id']}/private-key"
    for page in ("/key-pairs", "/operations", another):
        assert "PRIVATE KEY" not in (await portal.get(tenancy, page, cookie=cookie)).text
    assert (await portal.get(tenancy, "/key-pairs?name=laptop")).text.count(">laptop</a>") == 1


@in_one_loop
async def test_brands_are_kept_apart(portal: Portal) -> None:
    """Each host has its own stylesheet, and caches are told that they differ by host."""
    tenancy = await portal.renew()
    async with portal.databases.operator.platform() as session:
        domain = await session.get_one(Domain, tenancy.host)
        (await session.get_one(PortalRow, domain.portal_id)).brand = {"accent": "#c2410c"}
    own = await portal.get(tenancy, "/brand.css", None)
    other = await portal.get(portal.furnished, "/brand.css", None)
    assert own.headers["content-type"] == "text/css; charset=utf-8"
    assert own.headers["vary"] == "Host"
    assert "#c2410c" in own.text
    assert own.text != other.text
    page = await portal.get(tenancy, "/", Role.OWNER)
    assert page.headers["cache-control"] == "no-store"


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
def test_every_brand_is_readable(red: int, green: int, blue: int) -> None:
    """Whatever the brand's colour: text in it and text on it have the contrast that WCAG asks for, light and dark."""
    css = Brand(Colour(red, green, blue)).stylesheet()
    grounds = (("#ffffff", "#f5f6f8"), ("#171b22", "#0f1217"))
    for block, surfaces in zip(re.findall(r":root\{([^}]*)\}", css), grounds, strict=True):
        colours = {name: Colour.parse(value) for name, value in re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", block)}
        assert contrast(colours["brand"], colours["on-brand"]) >= READABLE
        assert contrast(colours["brand-hover"], colours["on-brand-hover"]) >= READABLE
        for ground in (*map(Colour.parse, surfaces), colours["brand-soft"]):
            assert contrast(colours["brand-text"], ground) >= READABLE


@in_one_loop
async def test_static_files_may_be_kept_for_good(portal: Portal) -> None:
    """Under the present address they are kept for good; what is not there is a plain 404, and nothing is reached
    outside."""
    kinds = {"portal.css": "text/css", "portal.js": "text/javascript", "favicon.svg": "image/svg+xml"}
    kinds["vendor/inter/inter-latin-wght-normal.woff2"] = "font/woff2"
    for name, kind in kinds.items():
        response = await portal.get(portal.furnished, static_url(name), None)
        assert response.status_code == 200
        assert response.headers.get("content-type", "").startswith(kind)
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        old = await portal.get(portal.furnished, f"/static/0123456789abcdef/{name}", None)
        assert old.headers["cache-control"] == "public, max-age=60"
    for path in ("/static/x/nothing.css", "/static/x/../models.py", "/static/x/%2e%2e/models.py", "/static/x"):
        assert (await portal.get(portal.furnished, path, None)).status_code == 404


def test_vendored_files_keep_their_licences() -> None:
    for folder in (path for path in (DIRECTORY / "vendor").iterdir() if path.is_dir()):
        assert (folder / "LICENSE").is_file(), folder.name


@in_one_loop
async def test_a_new_server_asks_for_its_network(portal: Portal) -> None:
    """Where there are several, none is chosen beforehand; without one the form comes back, and says so."""
    tenancy = await portal.renew()
    page = await portal.get(tenancy, "/servers/new")
    boxes = re.findall(r'<input type="checkbox" name="network_ids"[^>]*>', page.text)
    assert len(boxes) == 2
    assert not any("checked" in box for box in boxes)
    form = {"name": "web-1", "flavor_id": tenancy.ids["flavor_id"], "image_id": tenancy.ids["image_id"]}
    refused = await portal.post(tenancy, "/servers", form)
    assert refused.status_code == 422
    assert "Fill this in." in refused.text or "Choose at least one." in refused.text


@in_one_loop
async def test_what_is_wrong_is_said_in_words(portal: Portal) -> None:
    tenancy = portal.furnished
    refused = await portal.post(tenancy, "/volumes", {"name": "x" * 300, "size_gib": "0"})
    assert refused.status_code == 422
    assert "Use at most 255 characters." in refused.text
    assert "Enter 1 or more." in refused.text
    for word in ("String should", "Input should", "pattern"):
        assert word not in refused.text
