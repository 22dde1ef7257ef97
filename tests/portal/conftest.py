"""The portal with a furnished tenant, one that has nothing, and one that has much of everything."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest_asyncio

from platforma.authentication.permissions import Role
from platforma.compute.models import KeyPair, Server
from platforma.database.roles import DatabaseRole
from platforma.kit.ids import new_id
from platforma.network.models import FloatingIp, Network, Router, SecurityGroup
from platforma.operations.models import Operation
from platforma.portal.application import Pages
from platforma.storage.models import Volume
from platforma.verification.inventory import ApiOperation, list_operations
from tests.database.server import TestDatabase
from tests.isolation.conftest import STRETCHED, make_application
from tests.isolation.world import Databases, Tenancy, furnish
from tests.portal.html import Document

MANY = 60


@dataclass
class Portal:
    """The pages, and tenants at portals of their own."""

    client: httpx.AsyncClient
    databases: Databases
    pages: Pages
    furnished: Tenancy
    many: Tenancy

    async def get(self, tenancy: Tenancy, path: str, role: Role | None = Role.OWNER, **headers: str) -> httpx.Response:
        """Ask for a page as a member of a role, or as nobody."""
        return await self.send("GET", tenancy, path, role, headers)

    async def post(
        self,
        tenancy: Tenancy,
        path: str,
        fields: Mapping[str, Any] | None = None,
        role: Role | None = Role.OWNER,
        **headers: str,
    ) -> httpx.Response:
        """Send a form."""
        headers["content-type"] = "application/x-www-form-urlencoded"
        return await self.send("POST", tenancy, path, role, headers, urlencode(fields or {}, doseq=True).encode())

    async def send(
        self,
        method: str,
        tenancy: Tenancy,
        path: str,
        role: Role | None,
        headers: dict[str, str],
        content: bytes = b"",
    ) -> httpx.Response:
        """Send a request."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"host": tenancy.host}
        if role is not None:
            others = f"; {headers['cookie']}" if "cookie" in headers else ""
            headers["cookie"] = f"__Host-platforma={tenancy.tokens[role]}{others}"
        return await self.client.request(method, f"http://{tenancy.host}{path}", headers=headers, content=content)

    async def renew(self) -> Tenancy:
        """Furnish a tenant of the test's own."""
        return await furnish(self.databases)

    def operations(self) -> list[ApiOperation]:
        """Return the inventory of the pages."""
        return list_operations(self.pages.openapi())

    def guarded_pages(self) -> list[ApiOperation]:
        """Return the pages that members look at."""
        return [page for page in self.operations() if page.method == "GET" and page.permission is not None]

    def find(self, method: str, path: str) -> ApiOperation | None:
        """Return the operation that answers a method and path."""
        plain = path.split("?")[0].split("#")[0]
        found = [
            operation
            for operation in self.operations()
            if operation.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", operation.path), plain)
        ]
        return min(found, key=lambda operation: operation.path.count("{"), default=None)


def path_of(page: ApiOperation, tenancy: Tenancy) -> str:
    """Return a page's path with the tenant's own ids."""
    path = page.path
    for name in page.path_names:
        path = path.replace(f"{{{name}}}", str(tenancy.ids[name]))
    return path


def read(response: httpx.Response) -> Document:
    """Parse a page and fail if anything is wrong with it."""
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    document = Document(response.text)
    assert document.faults == [], response.request.url
    return document


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def portal(process_database: TestDatabase) -> AsyncIterator[Portal]:
    """The portal, shared by the tests of a process. Tests that change something make a tenant of their own."""
    app = make_application(process_database.url(DatabaseRole.PORTAL))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        process_database.open(DatabaseRole.PORTAL) as portal_role,
        process_database.open(DatabaseRole.OPERATOR) as operator,
        process_database.open(DatabaseRole.PROVISIONER) as provisioner,
        process_database.open(DatabaseRole.WORKER) as worker,
        httpx.AsyncClient(transport=transport) as client,
    ):
        databases = Databases(portal_role, operator, provisioner, worker, STRETCHED)
        furnished, many = await furnish(databases), await furnish(databases)
        await _multiply(databases, many)
        yield Portal(client, databases, app.state.pages, furnished, many)
    await app.state.database.close()


async def _multiply(databases: Databases, tenancy: Tenancy) -> None:
    catalogue = {name: tenancy.ids[name] for name in ("flavor_id", "image_id")}
    async with databases.portal.write(tenancy.binding()) as session:
        for number in range(MANY):
            name = f"item {number:03}"
            session.add_all(
                (
                    Network(name=name, status="creating"),
                    Router(name=name, status="active", external_address="203.0.113.7"),
                    FloatingIp(name=name, status="active", address="203.0.113.8"),
                    SecurityGroup(name=name, status="updating"),
                    KeyPair(name=name, status="active", public_key="ssh-ed25519 A", fingerprint="SHA256:x"),
                    Volume(name=name, status="error", status_reason="It broke.", size_gib=1),
                    Server(name=name, status="deleting", **catalogue),
                    Operation(
                        id=new_id(),
                        action="server.delete",
                        resource_kind="server",
                        resource_id=new_id(),
                        resource_name=name,
                        requested_by="somebody",
                        status="running",
                        progress=40,
                        step="Waiting",
                    ),
                )
            )
