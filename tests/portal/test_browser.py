"""The portal in a browser: the policy holds, the keyboard suffices, live parts live, and nothing needs scripts."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from platforma.authentication.permissions import Role
from platforma.compute.models import Server
from platforma.database.roles import DatabaseRole
from platforma.kit.ids import new_id
from platforma.operations.models import Operation
from tests.database.server import TestDatabase
from tests.isolation.conftest import make_application
from tests.isolation.world import PASSWORD, Tenancy
from tests.portal.conftest import Portal, path_of
from tests.serving import served

expect.set_options(timeout=20_000)  # a busy machine takes its time

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
RULES: dict[str, Any] = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
CONTRAST: dict[str, Any] = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
"""The rules of axe-core that another scheme may break: https://dequeuniversity.com/rules/axe/"""
in_one_loop = pytest.mark.asyncio(loop_scope="session")

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Desk:
    """A browser before the served portal."""

    browser: Browser
    portal: Portal
    port: int
    complaints: list[str] = field(default_factory=list)
    """What the browser had to complain of: refused by the policy, thrown by a script, failed to load."""

    @asynccontextmanager
    async def sit_down(
        self, tenancy: Tenancy, role: Role | None = Role.OWNER, **options: Any
    ) -> AsyncIterator[tuple[BrowserContext, Page]]:
        """Open a page at a tenant's portal, signed in as a member of a role or as nobody."""
        context = await self.browser.new_context(base_url=f"http://{tenancy.host}:{self.port}", **options)
        if role is not None:
            cookie = {"name": "__Host-platforma", "value": tenancy.tokens[role], "domain": tenancy.host, "path": "/"}
            await context.add_cookies([{**cookie, "secure": True, "httpOnly": True}])  # type: ignore[typeddict-item]
        page = await context.new_page()
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))
        try:
            yield context, page
        finally:
            await context.close()

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(_ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(browser: Browser, portal: Portal, process_database: TestDatabase) -> AsyncIterator[Desk]:
    """The portal on a real server, and a browser that may not complain."""
    app = make_application(process_database.url(DatabaseRole.PORTAL))
    with served(app) as port:
        desk = Desk(browser, portal, port)
        yield desk
    assert desk.complaints == []


@in_one_loop
@pytest.mark.long
async def test_the_browser_has_nothing_to_complain_of(desk: Desk) -> None:
    """No page breaks the policy, throws, is wider than a phone or breaks a rule of WCAG that axe-core knows, in light
    and in dark."""
    tenancy = desk.portal.furnished
    for width, scheme, rules in ((1280, "light", CONTRAST), (390, "dark", RULES)):
        options: dict[str, Any] = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
        seen: set[str] = set()
        async with desk.sit_down(tenancy, **options) as (_context, page):
            for operation in desk.portal.guarded_pages():
                await page.goto(path_of(operation, tenancy))
                excess = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                assert excess <= 0, f"{operation.path} is {excess} pixels too wide for {width}"
                assert desk.complaints == [], operation.path
                if (kind := operation.path.rpartition("/")[2]) in seen:
                    continue
                seen |= {kind} & {"edit", "delete"}  # of all resources they are one page
                await page.evaluate(AXE)
                found = await page.evaluate("rules => axe.run({ runOnly: rules, resultTypes: ['violations'] })", rules)
                faults = [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]]
                assert faults == [], f"{operation.path}, {scheme}"


@in_one_loop
async def test_signing_in_with_the_keyboard(desk: Desk) -> None:
    """E-mail, Tab, password, Enter; then the skip link is the first stop. The cookie is out of scripts' reach."""
    tenancy = desk.portal.furnished
    async with desk.sit_down(tenancy, None) as (context, page):
        await page.goto("/servers")
        assert "/sign-in?next=" in page.url
        await expect(page.get_by_label("E-mail")).to_be_focused()
        await page.keyboard.type(f"owner@{tenancy.canary}.example")
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Servers", level=1)).to_be_visible()
        cookies = {cookie["name"]: cookie for cookie in await context.cookies()}
        assert cookies["__Host-platforma"]["httpOnly"]
        assert cookies["__Host-platforma"]["secure"]
        assert await page.evaluate("document.cookie") == ""
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"


@in_one_loop
async def test_pages_change_in_place_and_keep_the_focus(desk: Desk) -> None:
    """A link of the navigation does not load the document anew; its heading has the focus; "back" works."""
    async with desk.sit_down(desk.portal.furnished) as (_context, page):
        await page.goto("/")
        await page.evaluate("window.isTheSameDocument = true")
        await page.get_by_role("navigation").get_by_role("link", name="Volumes").click()
        await expect(page.get_by_role("heading", name="Volumes", level=1)).to_be_focused()
        assert page.url.endswith("/volumes")
        assert await page.evaluate("window.isTheSameDocument")
        kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
        assert "<" not in kept, "no page stays in the browser when its member has left"
        await page.go_back()
        await expect(page.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()


@in_one_loop
async def test_a_refused_form_gets_the_focus(desk: Desk) -> None:
    """The message is focused, the field is described by its error, what was typed is there; mended, it is sent."""
    tenancy = await desk.portal.renew()
    async with desk.sit_down(tenancy) as (_context, page):
        await page.goto("/networks/new")
        await page.get_by_label("Name").fill("edge net")
        await page.get_by_label("Address range").fill("10.77.0.1/24")
        await page.get_by_role("button", name="Create network").click()
        await expect(page.get_by_role("alert")).to_be_focused()
        await expect(page.get_by_label("Name")).to_have_value("edge net")
        await expect(page.get_by_label("Address range")).to_have_attribute("aria-invalid", "true")
        assert page.url.endswith("/networks/new")
        desk.complaints = [text for text in desk.complaints if "422" not in text]
        await page.get_by_label("Address range").fill("10.77.0.0/24")
        await page.get_by_role("button", name="Create network").click()
        await expect(page.get_by_role("heading", name="edge net", level=1)).to_be_visible()
        await expect(page.get_by_text("Waiting for its turn")).to_be_visible()


@in_one_loop
async def test_a_live_part_lives(desk: Desk) -> None:
    """Progress shows without a reload, an open menu stays open meanwhile, and asking ends when all is done."""
    tenancy = await desk.portal.renew()
    server_id, operation_id = tenancy.ids["server_id"], new_id()
    async with desk.portal.databases.portal.write(tenancy.binding()) as session:
        session.add(
            Operation(
                id=operation_id,
                action="server.reboot",
                resource_kind="server",
                resource_id=server_id,
                resource_name="server",
                requested_by="somebody",
                status="running",
                progress=10,
                step="Asking it to",
            )
        )
    async with desk.sit_down(tenancy) as (_context, page):
        asked: list[str] = []
        await page.clock.install()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"/servers/{server_id}")
        await expect(page.get_by_text("Asking it to")).to_be_visible()
        await page.locator("#server-menu summary").click()
        async with desk.portal.databases.portal.write(tenancy.binding()) as session:
            operation: Any = await session.get(Operation, operation_id)
            operation.progress, operation.step = 60, "Waiting for it to come back"
        await expect(page.get_by_text("Waiting for it to come back")).to_be_visible()
        await expect(page.get_by_role("progressbar")).to_have_attribute("value", "60")
        await expect(page.get_by_role("link", name="Delete")).to_be_visible()
        async with desk.portal.databases.portal.write(tenancy.binding()) as session:
            operation = await session.get(Operation, operation_id)
            operation.status, operation.progress = "succeeded", 100
            server: Any = await session.get(Server, server_id)
            server.power_state = "stopped"
        await expect(page.get_by_text("Stopped")).to_be_visible()
        asked.clear()
        await page.clock.run_for(10_000)
        assert asked == []


@in_one_loop
async def test_everything_works_without_scripts(desk: Desk) -> None:
    """Sign-in, a network and its deletion, with scripts turned off."""
    tenancy = await desk.portal.renew()
    async with desk.sit_down(tenancy, None, java_script_enabled=False) as (_context, page):
        await page.goto("/networks")
        await page.get_by_label("E-mail").fill(f"owner@{tenancy.canary}.example")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("link", name="New network").click()
        await page.get_by_label("Name").fill("plain")
        await page.get_by_role("button", name="Create network").click()
        await expect(page.get_by_role("heading", name="plain", level=1)).to_be_visible()
        await page.get_by_role("link", name="Delete", exact=True).click()
        await page.get_by_role("button", name="Delete network").click()
        await expect(page.get_by_text("It is being deleted.")).to_be_visible()
        await expect(page.get_by_role("row", name="plain").get_by_text("Deleting")).to_be_visible()


@in_one_loop
async def test_the_private_key_can_be_saved(desk: Desk) -> None:
    """The download is the key itself; nothing is fetched for it."""
    tenancy = await desk.portal.renew()
    async with desk.sit_down(tenancy) as (_context, page):
        await page.goto("/key-pairs/new")
        await page.locator("#generate-name").fill("my laptop")
        await page.get_by_role("button", name="Make a key pair").click()
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="Download").click()
        download = await downloading.value
        assert download.suggested_filename == "my-laptop.pem"
        assert (await download.path()).read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")


@in_one_loop
async def test_the_form_for_a_rule_warns(desk: Desk) -> None:
    """Choosing "anywhere" says what that means, and hides what is not asked for then."""
    tenancy = desk.portal.furnished
    async with desk.sit_down(tenancy) as (_context, page):
        await page.goto(f"/security-groups/{tenancy.ids['security_group_id']}")
        warning = page.get_by_text("This opens the servers to the whole internet.")
        await expect(warning).to_be_hidden()
        await page.get_by_label("From or to").select_option("anywhere")
        await expect(warning).to_be_visible()
        await expect(page.get_by_label("Address range")).to_be_hidden()
        await page.get_by_label("Traffic").select_option("custom")
        await expect(page.get_by_label("First port")).to_be_visible()


@in_one_loop
async def test_a_loss_is_asked_about(desk: Desk) -> None:
    """Stop, reboot and the deletion of a rule ask in a dialog that the keyboard answers; cancelled, nothing happens."""
    tenancy = await desk.portal.renew()
    async with desk.sit_down(tenancy) as (_context, page):
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        await page.goto(f"/servers/{tenancy.ids['server_id']}")
        stop = page.get_by_role("link", name="Stop", exact=True)
        await stop.focus()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Stop server")
        await expect(dialog).to_contain_text("Whatever runs on it ends")
        await expect(dialog.get_by_role("link", name="Leave it running")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await expect(stop).to_be_focused()
        await page.get_by_role("link", name="Reboot", exact=True).click()
        await page.get_by_role("dialog").get_by_role("link", name="Leave it running").click()
        await expect(page.get_by_role("dialog")).to_be_hidden()
        assert sent == []
        await page.goto(f"/security-groups/{tenancy.ids['security_group_id']}")
        await page.get_by_role("link", name=re.compile("Delete the rule In: TCP from anywhere")).click()
        await expect(page.get_by_role("dialog")).to_contain_text(f"In: TCP from anywhere (IPv4), “{tenancy.canary}”")
        await page.get_by_role("button", name="Delete rule").click()
        await expect(page.get_by_text("No rules", exact=True)).to_be_visible()
        await page.goto(f"/servers/{tenancy.ids['server_id']}")
        await stop.click()
        await page.get_by_role("dialog").get_by_role("button", name="Stop").click()
        await expect(page.get_by_text("Waiting for its turn")).to_be_visible()
        assert [url.rpartition("/")[2] for url in sent] == ["delete", "stop"]


@in_one_loop
async def test_a_loss_is_asked_about_without_scripts(desk: Desk) -> None:
    tenancy = await desk.portal.renew()
    async with desk.sit_down(tenancy, java_script_enabled=False) as (_context, page):
        await page.goto(f"/servers/{tenancy.ids['server_id']}")
        await page.get_by_role("link", name="Reboot", exact=True).click()
        await expect(page.get_by_role("heading", name="Reboot server")).to_be_visible()
        await page.get_by_role("button", name="Reboot").click()
        await expect(page.get_by_text("Waiting for its turn")).to_be_visible()


@in_one_loop
async def test_tables_are_cards_on_a_phone(desk: Desk) -> None:
    """No list has to be pushed sideways, and each cell says of which column it is."""
    tenancy = desk.portal.furnished
    async with desk.sit_down(tenancy, viewport={"width": 390, "height": 844}) as (_context, page):
        for path in ("/servers", "/volumes", "/networks", "/security-groups", "/operations", "/members", "/audit"):
            await page.goto(path)
            hidden = "frame => frame.scrollWidth - frame.clientWidth"
            assert await page.locator(".table-frame").first.evaluate(hidden) <= 0, path
            assert await page.locator("tbody tr").first.locator("td[data-label]").count() > 2, path


@in_one_loop
async def test_a_volume_is_attached_from_the_servers_page(desk: Desk) -> None:
    tenancy = await desk.portal.renew()
    async with desk.sit_down(tenancy) as (_context, page):
        await page.goto(f"/servers/{tenancy.ids['server_id']}")
        await page.get_by_role("link", name="Attach a volume").click()
        await expect(page.get_by_label("Volume")).not_to_contain_text("busy volume")
        await page.get_by_label("Volume").select_option(label=f"volume {tenancy.canary} (1 GiB)")
        await page.get_by_role("button", name="Attach").click()
        await expect(page.get_by_role("link", name=f"volume {tenancy.canary}", exact=True)).to_be_visible()
