"""The portal's pages as a person uses them: by what is written on them."""

import re
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import ConsoleMessage, Locator, Page, expect

READY_MILLISECONDS = 120_000
"""A server on a busy machine takes its time."""


@dataclass
class PortalPages:
    """One person at one portal."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    """What the browser wrote to its console as an error: a refused script, a crash, a missing file."""

    def __post_init__(self) -> None:
        self.page.set_default_timeout(30_000)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in, as somebody who comes to the portal's address."""
        await self.page.goto("/")
        await self.page.get_by_label("E-mail").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("navigation", name="Main").first).to_be_visible()

    async def sign_out(self) -> None:
        """Sign out by the account's menu."""
        await self.page.locator(".account-menu summary").click()
        await self.page.get_by_role("button", name="Sign out").click()
        await expect(self.page.get_by_role("button", name="Sign in")).to_be_visible()

    async def go(self, name: str) -> None:
        """Follow an entry of the navigation."""
        await self.page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True).first.click()
        await expect(self._title(name)).to_be_visible()

    async def create_network(self, name: str, cidr: str) -> None:
        """Make a network with a subnet, and watch it become active."""
        await self.go("Networks")
        await self.page.get_by_role("link", name="New network").click()
        await self.page.get_by_label("Name", exact=True).fill(name)
        await self.page.get_by_label("Address range").fill(cidr)
        await self.page.get_by_role("button", name="Create network").click()
        await expect(self._title(name)).to_be_visible()
        await self._see("Status", "Active")
        await expect(self.page.get_by_role("cell", name=cidr)).to_be_visible()

    async def create_server(self, name: str, network: str) -> None:
        """Make a server of the smallest size on one network, and watch it run."""
        await self.go("Servers")
        await self.page.get_by_role("link", name="New server").click()
        await self.page.get_by_label("Name", exact=True).fill(name)
        networks = self.page.get_by_role("group", name="Networks")
        for choice in await networks.get_by_role("checkbox").all():
            await choice.set_checked(False, force=True)
        await networks.get_by_role("checkbox", name=re.compile(f"^{re.escape(network)}")).set_checked(True, force=True)
        await self.page.get_by_role("button", name="Create server").click()
        await expect(self._title(name)).to_be_visible()
        await expect(self._badge("Running")).to_be_visible(timeout=READY_MILLISECONDS)

    async def create_volume(self, name: str, size_gib: int) -> None:
        """Make a volume, and watch it become active."""
        await self.go("Volumes")
        await self.page.get_by_role("link", name="New volume").click()
        await self.page.get_by_label("Name", exact=True).fill(name)
        await self.page.get_by_label("Size").fill(str(size_gib))
        await self.page.get_by_role("button", name="Create volume").click()
        await expect(self._title(name)).to_be_visible()
        await self._see("Status", "Active")

    async def attach_volume(self, volume: str, server: str) -> None:
        """Attach a volume to a server, and watch it become attached."""
        await self.go("Volumes")
        await self.page.get_by_role("link", name=volume, exact=True).click()
        await self.page.get_by_label("Server", exact=True).select_option(label=server)
        await self.page.get_by_role("button", name="Attach", exact=True).click()
        await self._see("Attached to", "Attached")

    async def names(self, kind: str) -> list[str]:
        """Return the names in a list of the navigation."""
        await self.go(kind)
        return [text.strip() for text in await self.page.locator("td.name > a").all_inner_texts()]

    async def fetch(self, path: str) -> int:
        """Ask the portal's API from its own page; return the status."""
        status: int = await self.page.evaluate("path => fetch(path).then(answer => answer.status)", path)
        return status

    async def cookies(self) -> list[dict[str, Any]]:
        """Return the cookies of this browser profile."""
        return [dict(cookie) for cookie in await self.page.context.cookies()]

    async def token(self) -> str:
        """Return the session's token, as somebody has it who steals the browser's cookies."""
        (found,) = [cookie for cookie in await self.cookies() if cookie["name"] == "__Host-platforma"]
        return str(found["value"])

    async def plant(self, token: str, host: str) -> None:
        """Give this browser profile a session cookie for a host."""
        cookie: Any = {
            "name": "__Host-platforma",
            "value": token,
            "domain": host,
            "path": "/",
            "secure": True,
            "httpOnly": True,
            "sameSite": "Lax",
        }
        await self.page.context.add_cookies([cookie])

    async def close(self) -> None:
        """Close the browser profile."""
        await self.page.context.close()

    def _title(self, text: str) -> Locator:
        return self.page.get_by_role("heading", level=1, name=text, exact=True)

    def _badge(self, word: str) -> Locator:
        return self.page.locator("main .badge", has_text=re.compile(f"^{word}$")).first

    async def _see(self, term: str, word: str) -> None:
        """Wait until the fact `term` has a badge that says `word`. The page looks by itself: it is not loaded anew."""
        fact = self.page.locator("dt", has_text=re.compile(f"^{term}$")).locator("xpath=following-sibling::dd[1]")
        badge = fact.locator(".badge", has_text=re.compile(f"^{word}$"))
        await expect(badge).to_be_visible(timeout=READY_MILLISECONDS)
