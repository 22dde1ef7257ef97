"""What members of two tenants do at two portals, and what a stolen cookie is worth."""

import pytest
from playwright.async_api import Browser

from tests.end_to_end.conftest import Product, open_portal

pytestmark = pytest.mark.xdist_group("product")


async def test_members_of_two_portals_make_a_network_a_server_and_a_volume(product: Product, browser: Browser) -> None:
    """The same names and addresses at both portals, and neither sees anything of the other."""
    signed_in = []
    for portal, name in ((0, "alpha"), (1, "omega")):
        owner = product.member(portal, "owner")
        pages = await open_portal(browser, owner)
        await pages.sign_in(owner.email, owner.password)
        await pages.create_network(f"{name}-network", "10.77.0.0/24")
        await pages.create_server(f"{name}-server", f"{name}-network")
        await pages.create_volume(f"{name}-volume", 1)
        await pages.attach_volume(f"{name}-volume", f"{name}-server")
        signed_in.append((pages, name))
    for (pages, own), (_, foreign) in zip(signed_in, reversed(signed_in), strict=True):
        for kind in ("Networks", "Servers", "Volumes"):
            listed = await pages.names(kind)
            assert f"{own}-{kind.lower().removesuffix('s')}" in listed
            assert not [item for item in listed if item.startswith(foreign)]
        await pages.sign_out()
        assert await pages.fetch("/api/v1/me") == 401
        assert pages.complaints == ["Failed to load resource: the server responded with a status of 401 (Unauthorized)"]


async def test_a_stolen_cookie_is_worthless_at_the_other_portal(product: Product, browser: Browser) -> None:
    """The same cookie in the same kind of browser: good at its own portal, nothing at the other."""
    a, b = product.member(0, "owner"), product.member(1, "owner")
    victim = await open_portal(browser, a)
    await victim.sign_in(a.email, a.password)
    token = await victim.token()

    elsewhere = await open_portal(browser, b)
    await elsewhere.plant(token, b.host)
    await elsewhere.page.goto("/servers")
    assert elsewhere.page.url.startswith(f"{b.url}/sign-in")
    assert await elsewhere.token() == token
    assert await elsewhere.fetch("/api/v1/me") == 401
    assert await elsewhere.fetch("/api/v1/servers") == 401

    at_home = await open_portal(browser, a)
    await at_home.plant(token, a.host)
    await at_home.page.goto("/servers")
    assert await at_home.fetch("/api/v1/me") == 200

    await victim.sign_out()
    assert await at_home.fetch("/api/v1/me") == 401


async def test_cookies_are_for_their_own_host_alone(product: Product, browser: Browser) -> None:
    """One browser signed in at one portal sends the other nothing, and pages cannot read the cookie."""
    a, b = product.member(0, "viewer"), product.member(1, "viewer")
    pages = await open_portal(browser, a)
    await pages.sign_in(a.email, a.password)
    (cookie,) = await pages.cookies()
    assert cookie["domain"] == a.host
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, True, "Lax", "/")
    assert await pages.page.evaluate("document.cookie") == ""
    await pages.page.goto(f"{b.url}/servers")
    assert pages.page.url.startswith(f"{b.url}/sign-in")


async def test_a_viewer_is_shown_no_way_to_change_anything(product: Product, browser: Browser) -> None:
    """The twin of the first test: another role, and neither button nor permission."""
    viewer = product.member(0, "viewer")
    pages = await open_portal(browser, viewer)
    await pages.sign_in(viewer.email, viewer.password)
    await pages.go("Servers")
    assert await pages.page.get_by_role("link", name="New server").count() == 0
    await pages.page.goto("/servers/new")
    assert "Create server" not in await pages.page.content()
