"""The operator's application, beside a portal on the same database, and people who sign in to both."""

import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row
from pydantic import SecretStr

from platforma.app import create_app
from platforma.authentication.passwords import NewPassword, PasswordStretcher
from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from platforma.operator.application import create_operator_app
from platforma.operator.service import create_operator
from platforma.settings import Settings, SignInLimit
from platforma.verification.inventory import ApiOperation
from tests.database.server import TestDatabase
from tests.database.tenants import PASSWORD, PEPPER, Secret, SignedIn, TwoTenants

HOST = "operator.localhost"
REASON = "Asked for in ticket 4711."
UNKNOWN = "00000000-0000-7000-8000-000000000000"
NOWHERE = Settings(database={"operator": "postgresql://nobody@/nothing"}, pepper=SecretStr(PEPPER))
"""Settings of a process that is asked for nothing but its inventory."""
GENEROUS = SignInLimit(source_capacity=10_000, account_capacity=10_000)


class Stretched(PasswordStretcher):
    """The product's, but for the one password and salt of the tests, which were stretched once."""

    def __init__(self, secret: Secret) -> None:
        super().__init__(PEPPER)
        self._secret = secret

    async def make(self, password: str) -> NewPassword:
        """See PasswordStretcher."""
        return self._secret.made if password == PASSWORD else await super().make(password)


@dataclass
class Plane:
    """One process of the operator's plane and one of the portals', with requests as a browser would send them."""

    app: Any
    client: httpx.AsyncClient
    portal: httpx.AsyncClient
    administrator: psycopg.AsyncConnection[Any]
    email: str
    token: str | None = None

    async def send(self, method: str, path: str, *, host: str = HOST, **kwargs: Any) -> httpx.Response:
        """Send a request to the operator's plane, with the operator's cookie if there is one."""
        headers = {"host": host, **kwargs.pop("headers", {})}
        token = kwargs.pop("token", self.token)
        if token is not None:
            headers.setdefault("cookie", f"__Host-platforma-operator={token}")
        return await self.client.request(method, f"http://{host}{path}", headers=headers, **kwargs)

    async def call(self, method: str, path: str, *, status: int, **kwargs: Any) -> Any:
        """Send a request to the API that must be answered with `status`; return what it says."""
        response = await self.send(method, f"/api/v1{path}", **kwargs)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def sign_in(self, *, password: str = PASSWORD, email: str | None = None, **kwargs: Any) -> httpx.Response:
        """Sign the operator in."""
        body = {"email": email or self.email, "password": password}
        return await self.send("POST", "/api/v1/session", json=body, **{"token": None, **kwargs})

    async def portal_status(self, who: SignedIn) -> int:
        """Return the status with which a member's session is answered at its portal."""
        headers = {"host": who.host, "cookie": f"__Host-platforma={who.token}"}
        return (await self.portal.get(f"http://{who.host}/api/v1/me", headers=headers)).status_code

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Look behind the scenes."""
        cursor = self.administrator.cursor(row_factory=dict_row)
        return await (await cursor.execute(query.encode(), values or None)).fetchall()

    async def digest(self) -> dict[str, str]:
        """Return a digest, by table, of everything that an operator could have changed or left a trace in."""
        tables = ["tenants", "portals", "domains", "members", "quotas", "operations", "operator_audit", "audit_events"]
        digest = "SELECT '{0}' AS name, md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS rows FROM {0} t"
        digests = await self.rows(" UNION ALL ".join(digest.format(table) for table in tables))
        return {table["name"]: table["rows"] for table in digests}

    async def audited(self, tenant_id: Any, action: str) -> tuple[list[str], list[str]]:
        """Return the reasons for an act in the operators' audit log and in the tenant's own."""
        ours = await self.rows(
            "SELECT reason FROM operator_audit WHERE tenant_id = %s AND action = %s AND actor = %s",
            tenant_id,
            action,
            self.email,
        )
        theirs = await self.rows(
            "SELECT details ->> 'reason' AS reason FROM audit_events"
            " WHERE tenant_id = %s AND action = %s AND actor = %s",
            tenant_id,
            action,
            f"operator {self.email}",
        )
        return [row["reason"] for row in ours], [row["reason"] for row in theirs]


def example_of(operation: ApiOperation, ids: dict[str, str]) -> tuple[str, str, dict[str, Any]]:
    """Return method, path and body or query of an example of an operation, with these ids in the path."""
    path = operation.path.format(**{name: ids.get(name, UNKNOWN) for name in operation.path_names})
    options: dict[str, Any] = {}
    if operation.media_type is not None:
        options["json"] = operation.example_body()
    if any(item["name"] == "reason" for item in operation.query):
        options["params"] = {"reason": REASON}
    return operation.method, path, options


def token_of(response: httpx.Response) -> str:
    """Return the token in the cookie that an answer sets."""
    name, _, rest = response.headers["set-cookie"].partition("=")
    assert name == "__Host-platforma-operator"
    return str(rest.partition(";")[0])


@pytest.fixture
def limit() -> SignInLimit:
    """The rate limit of the plane under test; override it to see it at work."""
    return GENEROUS


@pytest.fixture
def settings(database: TestDatabase, limit: SignInLimit) -> Settings:
    """The settings of both processes."""
    urls = {role: database.url(DatabaseRole(f"platforma_{role}")) for role in ("operator", "portal")}
    return Settings(database=urls, pepper=PEPPER, sign_in_limit=limit, public_port=8443)


@pytest.fixture
async def nobody(
    settings: Settings, operator_database: Database, administrator: psycopg.AsyncConnection[Any], secret: Secret
) -> AsyncIterator[Plane]:
    """The plane, with an operator who has not signed in."""
    app, portal = create_operator_app(settings), create_app(settings)
    email = f"{secrets.token_hex(6)}@operators.example"
    await create_operator(operator_database, Stretched(secret), email.upper(), "Olga", PASSWORD)

    def client(of: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=of, raise_app_exceptions=False, client=("192.0.2.7", 1234))
        return httpx.AsyncClient(transport=transport)

    async with client(app) as ours, client(portal) as theirs:
        yield Plane(app, ours, theirs, administrator, email)
    await app.state.database.close()
    await portal.state.database.close()


@pytest.fixture
async def plane(nobody: Plane) -> Plane:
    """The plane, with an operator who is signed in."""
    nobody.token = token_of(await nobody.sign_in())
    return nobody


@pytest.fixture
def a(two_tenants: TwoTenants) -> SignedIn:
    """The owner of a tenant, signed in at its portal."""
    return two_tenants.a


@pytest.fixture
def new_name() -> Callable[[], str]:
    """Make names that nothing has."""
    return lambda: f"n{secrets.token_hex(6)}"
