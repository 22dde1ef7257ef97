"""The main job, end to end: two portals, two tenants, a real OpenStack, a real browser."""

import json
import re
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.end_to_end.conftest import Product

pytestmark = pytest.mark.xdist_group("end_to_end")

READY_MS = 120_000
ME = "fetch('/api/v1/me').then(answer => answer.status)"


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without any past; an error in its console or a refusal of its CSP fails the test."""
    context = browser.new_context()
    context.set_default_timeout(30_000)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield context
    context.close()
    assert [text for text in complaints if "404" not in text and "401" not in text] == []


def sign_in(page: Page, product: Product, portal: str, role: str = "owner") -> None:
    member = product.member(portal, role)
    page.goto(product.portal(portal)["url"])
    page.get_by_label("E-mail").fill(member["email"])
    page.get_by_label("Password").fill(member["password"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).not_to_have_url(re.compile("sign-in"))


def sign_out(page: Page) -> None:
    page.locator(".account-menu > summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile("sign-in"))


def plant(context: BrowserContext, host: str, token: str) -> None:
    """Give a browser a session's cookie, as a portal at that host would have set it."""
    context.add_cookies(
        [
            {
                "name": "__Host-platforma",
                "value": token,
                "domain": host,
                "path": "/",
                "secure": True,
                "httpOnly": True,
                "sameSite": "Lax",
            }
        ]
    )


def fact(page: Page, term: str) -> Locator:
    """The badge of a fact. Not just the first badge of the page: an operation has one too, and may say the same."""
    return page.locator(f"dt:text-is('{term}') + dd .badge")


@pytest.mark.parametrize("portal", ["aurora", "borealis"])
def test_a_member_makes_and_attaches_what_a_server_needs(
    product: Product, context: BrowserContext, portal: str
) -> None:
    """Sign in, create network, server and volume, attach it, watch it become active, sign out."""
    page = context.new_page()
    url = product.portal(portal)["url"]
    sign_in(page, product, portal)

    page.goto(f"{url}/networks/new")
    page.get_by_label("Name").fill("backend")
    page.get_by_label("Address range").fill("10.77.0.0/24")
    page.get_by_role("button", name="Create network").click()
    expect(fact(page, "Status")).to_have_text("Active", timeout=READY_MS)

    page.goto(f"{url}/servers/new")
    page.get_by_label("Name").fill("app-1")
    page.get_by_role("checkbox", name="backend").check()
    page.get_by_role("button", name="Create server").click()
    card = page.locator(".card-head", has=page.get_by_role("heading", name="Server", exact=True))
    expect(card.locator(".badge")).to_have_text("Running", timeout=READY_MS)

    page.goto(f"{url}/volumes/new")
    page.get_by_label("Name").fill("data-2")
    page.get_by_label("Size").fill("1")
    page.get_by_role("button", name="Create volume").click()
    expect(fact(page, "Status")).to_have_text("Active", timeout=READY_MS)
    page.get_by_label("Server", exact=True).select_option(label="app-1")
    page.get_by_role("button", name="Attach").click()
    expect(fact(page, "Attached to")).to_have_text("Attached", timeout=READY_MS)
    expect(page.get_by_role("link", name="app-1")).to_be_visible()

    page.goto(f"{url}/servers")
    expect(page.get_by_role("link", name="app-1")).to_be_visible()
    sign_out(page)
    page.goto(f"{url}/servers")
    expect(page).to_have_url(re.compile("sign-in"))


def test_a_stolen_cookie_is_worthless_at_the_other_portal(product: Product, browser: Browser) -> None:
    """P01, with the cookie planted by hand in a real browser."""
    thief, victim = browser.new_context(), browser.new_context()
    try:
        page = victim.new_page()
        sign_in(page, product, "aurora")
        cookie = next(cookie for cookie in victim.cookies() if cookie["name"] == "__Host-platforma")
        assert cookie["httpOnly"]
        assert cookie["secure"]
        assert cookie["sameSite"] == "Lax"
        other = product.portal("borealis")["url"]
        for portal in ("aurora", "borealis"):
            host = product.portal(portal)["url"].removeprefix("http://").partition(":")[0]
            plant(thief, host, cookie["value"])
        page = thief.new_page()
        page.goto(f"{other}/servers")
        expect(page).to_have_url(re.compile("sign-in"))
        assert page.evaluate(ME) == 401
        assert {item["value"] for item in thief.cookies(other)} == {cookie["value"]}
        page.goto(product.portal("aurora")["url"])
        assert page.evaluate(ME) == 200  # it was the portal, not the cookie
        sign_out(victim.pages[0])
        assert page.evaluate(ME) == 401
    finally:
        thief.close()
        victim.close()


def test_the_answer_to_the_others_server_is_that_there_is_none(product: Product, browser: Browser) -> None:
    """A01, on the page: another tenant's server and one that never existed look alike."""
    a, b = browser.new_context(), browser.new_context()
    try:
        page = b.new_page()
        sign_in(page, product, "borealis")
        servers = page.evaluate("fetch('/api/v1/servers').then(answer => answer.json())")
        foreign = servers["items"][0]["id"]
        page = a.new_page()
        sign_in(page, product, "aurora")
        url = product.portal("aurora")["url"]
        texts = []
        for server_id in (foreign, "00000000-0000-4000-8000-000000000000"):
            answer = page.goto(f"{url}/servers/{server_id}")
            assert answer
            assert answer.status == 404
            texts.append(page.content().replace(server_id, "ID"))
        assert texts[0] == texts[1]
    finally:
        a.close()
        b.close()


def test_what_was_written_for_programs_is_true(product: Product) -> None:
    """`demo.json` has the agreed form, and its sign-ins work over the API."""
    demo = json.loads(product.stack.demo.read_text())
    assert set(demo) == {"portals", "operator"}
    assert set(demo["operator"]) == {"url", "email", "password"}
    for portal in demo["portals"]:
        assert set(portal) == {"name", "url", "tenants"}
        for tenant in portal["tenants"]:
            for member in tenant["members"]:
                host = portal["url"].removeprefix("http://")
                request = urllib.request.Request(
                    f"http://127.0.0.1:{product.stack.port}/api/v1/session",
                    json.dumps({"email": member["email"], "password": member["password"]}).encode(),
                    {"Host": host, "Content-Type": "application/json"},
                )
                with urllib.request.urlopen(request, timeout=30) as answer:
                    assert answer.status == 201
                    assert json.load(answer)["role"] == member["role"]


def test_a_member_leaves_a_card_at_the_local_stripe(product: Product, context: BrowserContext) -> None:
    """The number goes from the browser to Stripe; the portal learns the brand and the last four digits."""
    page = context.new_page()
    posted: list[str] = []
    context.on("request", lambda request: posted.append(f"{request.url} {request.post_data}"))
    sign_in(page, product, "aurora")
    url = product.portal("aurora")["url"]
    page.goto(f"{url}/payment-methods")
    page.get_by_role("button", name="Add a card").click()
    page.get_by_placeholder("number").fill("4000056655665556", timeout=READY_MS)
    for field, text in {"exp_month": "12", "exp_year": "34", "cvc": "123", "postal_code": "10115"}.items():
        page.get_by_placeholder(field).fill(text)
    page.get_by_role("button", name="Save the card").click()
    expect(page).to_have_url(f"{url}/payment-methods")
    row = page.get_by_role("row", name="5556")
    for _ in range(20):
        if row.count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(row).to_contain_text("Default")
    assert any("4000056655665556" in line for line in posted)
    assert not any("4000056655665556" in line for line in posted if line.startswith(url))
