"""A whole product for these tests alone, on free ports, with the run's OpenStack behind it; and Chromium."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from devcloud.openstack.ports import free_ports
from devcloud.openstack.testing import running_cloud, state_for_run
from devcloud.stack.layout import Stack
from devcloud.stack.up import down, up

expect.set_options(timeout=20_000)  # a busy machine takes its time

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
class Product:
    """The running product, and what it says in `demo.json`."""

    stack: Stack
    demo: dict[str, Any]

    def portal(self, name: str) -> dict[str, Any]:
        """Return a portal of the demo."""
        return next(portal for portal in self.demo["portals"] if portal["name"] == name)

    def member(self, portal: str, role: str) -> dict[str, str]:
        """Return the e-mail and password of a member at a portal."""
        (tenant,) = self.portal(portal)["tenants"]
        return next(member for member in tenant["members"] if member["role"] == role)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with its demo, as `make up` starts it."""
    cloud = state_for_run(tmp_path_factory.getbasetemp())
    state = Path(tempfile.mkdtemp(prefix="platforma-product-"))
    port = free_ports(2)
    stack = Stack(state, port, port + 1, shared_openstack=cloud)
    with running_cloud(cloud):
        try:
            yield Product(stack, up(stack, lambda line: None))
        finally:
            down(stack, lambda line: None)
            shutil.rmtree(state, ignore_errors=True)


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Debian's Chromium. For one test: Playwright's loop must not outlive it, other tests have theirs."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed. As root: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield launched
        launched.close()
