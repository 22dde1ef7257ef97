"""The served application's API, and people who sign in to it with real passwords."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from platforma.app import create_app
from platforma.authentication.permissions import Role
from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from platforma.settings import Settings, SignInLimit
from tests.database.server import TestDatabase
from tests.isolation.conftest import PEPPER, STRETCHED
from tests.isolation.world import PASSWORD, Databases, Tenancy, furnish

Send = Callable[..., Awaitable[httpx.Response]]

GENEROUS = SignInLimit(source_capacity=10_000, account_capacity=10_000)


@dataclass
class Portal:
    """One process of the portal, and requests to it as a browser would send them."""

    client: httpx.AsyncClient
    app: Any

    async def send(
        self, method: str, path: str, *, host: str, token: str | None = None, **kwargs: Any
    ) -> httpx.Response:
        """Send a request, with the session cookie if there is a token."""
        headers = {"host": host, **kwargs.pop("headers", {})}
        if token is not None:
            headers["cookie"] = f"__Host-platforma={token}"
        return await self.client.request(method, f"http://{host}{path}", headers=headers, **kwargs)

    async def sign_in(
        self, tenancy: Tenancy, role: Role = Role.OWNER, *, password: str = PASSWORD, token: str | None = None
    ) -> httpx.Response:
        """Sign a member in."""
        body = {"email": f"{role}@{tenancy.canary}.example", "password": password}
        return await self.send("POST", "/api/v1/session", host=tenancy.host, token=token, json=body)

    async def me(self, tenancy: Tenancy, token: str) -> int:
        """Return the status with which a token is answered."""
        return (await self.send("GET", "/api/v1/me", host=tenancy.host, token=token)).status_code


def token_of(response: httpx.Response) -> str:
    """Return the token in the cookie that an answer sets."""
    name, _, rest = response.headers["set-cookie"].partition("=")
    assert name == "__Host-platforma"
    return str(rest.partition(";")[0])


@pytest.fixture
def limit() -> SignInLimit:
    """The rate limit of the portals under test; override it to see it at work."""
    return GENEROUS


@pytest.fixture
def make_portal(database: TestDatabase, limit: SignInLimit) -> Callable[..., Portal]:
    """Make one more process of the portal on the same database."""

    def make(**changes: Any) -> Portal:
        settings = Settings(
            database={"portal": database.url(DatabaseRole.PORTAL)},
            pepper=PEPPER,
            **{"sign_in_limit": limit, **changes},
        )
        app = create_app(settings)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.7", 1234))
        return Portal(httpx.AsyncClient(transport=transport), app)

    return make


@pytest.fixture
async def portal(make_portal: Callable[..., Portal]) -> AsyncIterator[Portal]:
    """A process of the portal."""
    made = make_portal()
    yield made
    await made.client.aclose()
    await made.app.state.database.close()


@pytest.fixture
async def other_process(make_portal: Callable[..., Portal]) -> AsyncIterator[Portal]:
    """Another process of the portal, which shares nothing with the first but the database."""
    made = make_portal()
    yield made
    await made.client.aclose()
    await made.app.state.database.close()


@pytest.fixture
def databases(
    portal_database: Database,
    operator_database: Database,
    provisioner_database: Database,
    worker_database: Database,
) -> Databases:
    """The database as each role."""
    return Databases(portal_database, operator_database, provisioner_database, worker_database, STRETCHED)


@pytest.fixture
async def a(databases: Databases) -> Tenancy:
    """Tenant A, furnished, with a member of each role."""
    return await furnish(databases)


@pytest.fixture
async def b(databases: Databases) -> Tenancy:
    """Tenant B, likewise."""
    return await furnish(databases)
