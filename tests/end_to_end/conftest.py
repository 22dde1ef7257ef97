"""A whole product for these tests alone, on free ports, with the run's OpenStack behind it; and Chromium."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from devcloud.openstack.credentials import Credentials
from devcloud.openstack.fixtures import openstack_cloud
from devcloud.openstack.ports import free_ports
from devcloud.stack.layout import Stack
from devcloud.stack.up import down, up
from tests.end_to_end.portal_pages import PortalPages

__all__ = ["openstack_cloud"]

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass(frozen=True)
class SignIn:
    """A member of the demo, and where the member signs in."""

    url: str
    portal: str
    tenant: str
    email: str
    password: str
    role: str

    @property
    def host(self) -> str:
        """The portal's host, without its port."""
        return self.url.removeprefix("http://").partition(":")[0]


@dataclass(frozen=True)
class Product:
    """What `make up` says at its end."""

    stack: Stack
    members: tuple[SignIn, ...]
    operator_url: str
    operator_email: str
    operator_password: str

    def member(self, portal: int, role: str) -> SignIn:
        """Return the member of a role at the first or the second portal."""
        url = list(dict.fromkeys(member.url for member in self.members))[portal]
        return next(member for member in self.members if (member.url, member.role) == (url, role))


@pytest.fixture(scope="session")
def product(openstack_cloud: Credentials) -> Iterator[Product]:
    """The product with its demo, as `make up` starts it."""
    state = Path(tempfile.mkdtemp(prefix="platforma-product-"))
    port = free_ports(2)
    stack = Stack(state, port, port + 1)
    try:
        made = up(stack, lambda line: None, cloud=lambda: openstack_cloud)
        members = tuple(
            SignIn(portal["url"], portal["name"], tenant["name"], **member)
            for portal in made["portals"]
            for tenant in portal["tenants"]
            for member in tenant["members"]
        )
        operator = made["operator"]
        yield Product(stack, members, operator["url"], operator["email"], operator["password"])
    finally:
        down(stack, lambda line: None)
        shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, without anything remembered."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed. As root: apt-get install chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield launched
        await launched.close()


async def open_portal(browser: Browser, member: SignIn) -> PortalPages:
    """Open a portal in a browser profile of its own. Whatever the browser complains about fails the test."""
    context = await browser.new_context(base_url=member.url)
    page: Page = await context.new_page()
    return PortalPages(page, member.url)
