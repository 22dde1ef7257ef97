"""The gate as somebody has it who speaks SQL: a bare connection, and functions called by name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row

from platforma.database.roles import DatabaseRole
from tests.database.server import TestDatabase
from tests.database.tenants import SignedIn

Connection = psycopg.AsyncConnection[Any]


async def call(connection: Connection, function: str, **arguments: Any) -> list[Any]:
    """Call a function of the gate; return its rows."""
    named = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in arguments
    )
    query = sql.SQL("SELECT * FROM gate.{}({})").format(sql.Identifier(function), named)
    async with connection.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute(query, arguments)
        return await cursor.fetchall()


async def open_session(connection: Connection, tenant: SignedIn, *, host: str | None = None) -> list[Any]:
    """Open a member's session in the present transaction."""
    return await call(connection, "open_session", token=tenant.token, host=host or tenant.host)


async def values(connection: Connection, query: str, *parameters: Any) -> list[Any]:
    """Return the first column of every row."""
    cursor = await connection.execute(query.encode(), parameters or None)
    return [row[0] for row in await cursor.fetchall()]


@asynccontextmanager
async def bound(database: TestDatabase, tenant: SignedIn) -> AsyncIterator[Connection]:
    """Open a connection as the portal's role, in a transaction that is bound to a tenant: SQL injection's place."""
    async with database.connect(DatabaseRole.PORTAL) as connection:
        await connection.set_autocommit(False)
        assert await open_session(connection, tenant)
        yield connection
        await connection.rollback()


async def until_it_waits(task: asyncio.Task[Any], administrator: Connection) -> None:
    """Wait until a task's statement waits for a lock of another transaction, or the task has ended without."""
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND backend_type = 'client backend'"
    )
    async with asyncio.timeout(30):
        while not task.done():
            if await values(administrator, waiting):
                return
            await asyncio.sleep(0.01)
