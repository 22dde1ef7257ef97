"""The stage of the matrix: the real application, two furnished tenants, and digests of all that they own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest_asyncio
from psycopg import sql
from pydantic import SecretStr

from platforma.app import create_app
from platforma.authentication.passwords import PasswordStretcher
from platforma.database.roles import DatabaseRole
from platforma.database.tables import tenant_tables
from platforma.kit.crypto import new_key
from platforma.kit.logs import configure_logs
from platforma.settings import Settings
from platforma.verification.inventory import list_operations
from tests.database.server import TestDatabase
from tests.isolation.world import PASSWORD, SALT, Databases, Tenancy, furnish

configure_logs(level="ERROR")
PEPPER = SecretStr(new_key())
WEBHOOK_SECRET = "whsec_of_the_stage"
STRETCHED = asyncio.run(PasswordStretcher(PEPPER.get_secret_value()).stretch(PASSWORD, SALT))


def make_application(url: str) -> Any:
    stripe = {"webhook_secrets": [WEBHOOK_SECRET]}
    return create_app(Settings(database={"portal": url}, pepper=PEPPER, stripe=stripe))


def _inventory() -> list[Any]:
    """Take the inventory of the API and of the pages from the application itself."""
    app = make_application("postgresql://nobody@/nothing")
    operations = list_operations(app.openapi())
    pages = getattr(app.state, "pages", None)
    return operations + (list_operations(pages.openapi()) if pages is not None else [])


OPERATIONS = _inventory()


def _of_each_table(aggregate: str) -> sql.Composed:
    """Return one query with an aggregate over the tenant's rows of each table. What changes by being looked at,
    the time of a session's last use, is left out."""
    query = "SELECT {name}, " + aggregate + " FROM {table} t WHERE tenant_id = %(tenant)s"
    parts = [sql.SQL(query).format(name=sql.Literal(table), table=sql.Identifier(table)) for table in tenant_tables()]
    return sql.SQL(" UNION ALL ").join(parts)


_DIGESTS = _of_each_table("coalesce(md5(string_agg((to_jsonb(t) - 'last_seen_at')::text, '|' ORDER BY id)), '')")
_COUNTS = _of_each_table("count(*)")


@dataclass
class Stage:
    """The application with tenants A and B, each at a portal of its own."""

    client: httpx.AsyncClient
    databases: Databases
    administrator: psycopg.AsyncConnection[Any]
    a: Tenancy
    b: Tenancy

    async def renew_a(self) -> None:
        """Furnish a new tenant A."""
        self.a = await furnish(self.databases)

    async def digest(self, tenancy: Tenancy) -> dict[str, str]:
        """Return a digest of each table's rows of a tenant, read past all walls."""
        rows = await self.administrator.execute(_DIGESTS, {"tenant": tenancy.tenant_id})
        return dict(await rows.fetchall())

    async def digests(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the digests of A and B."""
        return await self.digest(self.a), await self.digest(self.b)

    async def count_rows(self, tenancy: Tenancy) -> dict[str, int]:
        """Return how many rows of each table a tenant has."""
        rows = await self.administrator.execute(_COUNTS, {"tenant": tenancy.tenant_id})
        return dict(await rows.fetchall())

    async def lines(self, tenancy: Tenancy) -> list[tuple[str, str]]:
        """Return who did what by a tenant's audit log, the oldest first."""
        query = "SELECT actor, action FROM audit_events WHERE tenant_id = %s ORDER BY at, id"
        return await (await self.administrator.execute(query, (tenancy.tenant_id,))).fetchall()

    @staticmethod
    def is_sign_in(response: httpx.Response) -> bool:
        """Say whether nobody is told to sign in: by 401, or by the way to the sign-in page."""
        if response.status_code == 303:
            return response.headers["location"].startswith("/sign-in")
        return response.status_code == 401


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def stage(process_database: TestDatabase) -> AsyncIterator[Stage]:
    """A and B, shared by the tests of a process: they are attacked, and stay as they were."""
    app = make_application(process_database.url(DatabaseRole.PORTAL))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        process_database.open(DatabaseRole.PORTAL) as portal,
        process_database.open(DatabaseRole.OPERATOR) as operator,
        process_database.open(DatabaseRole.PROVISIONER) as provisioner,
        process_database.open(DatabaseRole.WORKER) as worker,
        await psycopg.AsyncConnection.connect(process_database.administrator_url, autocommit=True) as administrator,
        httpx.AsyncClient(transport=transport) as client,
    ):
        databases = Databases(portal, operator, provisioner, worker, STRETCHED)
        yield Stage(client, databases, administrator, await furnish(databases), await furnish(databases))
    await app.state.database.close()


@pytest_asyncio.fixture(loop_scope="session")
async def acting_stage(stage: Stage) -> AsyncIterator[Stage]:
    """The stage with an A of the test's own, which may act."""
    shared = stage.a
    await stage.renew_a()
    yield stage
    stage.a = shared
