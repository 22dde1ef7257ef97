"""Each access path of SQLAlchemy is confined or refused: by both walls, and by the ORM's wall alone."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from platforma.database.database import Database
from platforma.database.tables import tenant_columns
from tests.database.access_paths import PATHS, REFUSALS, AccessPath
from tests.database.server import TestDatabase, TestServer
from tests.database.tenants import Secret, make_two_tenants
from tests.database.world import CANARY, OWN, World, digest, make_world

_WORLDS: dict[str, World] = {}


@pytest.fixture(scope="session")
def database_without_row_security(server: TestServer) -> Iterator[TestDatabase]:
    """A database whose row-level security is knocked out, so that the ORM's wall stands alone."""
    database = server.database(f"no_rls_{uuid4().hex}")
    with psycopg.connect(database.administrator_url, autocommit=True) as connection:
        for table in tenant_columns():
            connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY".encode())
    yield database
    server.drop(database.name)


@pytest.fixture(params=["both walls", "the ORM's wall alone"])
def database(
    request: pytest.FixtureRequest, process_database: TestDatabase, database_without_row_security: TestDatabase
) -> TestDatabase:
    return process_database if request.param == "both walls" else database_without_row_security


@pytest.fixture
async def world(
    database: TestDatabase, operator_database: Database, portal_database: Database, secret: Secret
) -> World:
    """A and B with their rows, made once for each database: no path changes anything for good."""
    if database.name not in _WORLDS:
        tenants = await make_two_tenants(operator_database, portal_database, secret)
        _WORLDS[database.name] = await make_world(portal_database, tenants)
    return _WORLDS[database.name]


class _RollBack(Exception):
    """Ends a session without a commit."""


async def walk(portal: Database, world: World, path: AccessPath) -> Any:
    """Walk a path in A's session, and roll back."""
    found: Any = None
    try:
        async with portal.write(world.a.binding()) as session:
            found = await path.walk(session, world)
            raise _RollBack
    except _RollBack:
        return found


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
async def test_path_is_confined_or_refused(portal_database: Database, world: World, path: AccessPath) -> None:
    before = await digest(portal_database, world.b)
    if path.is_refused:
        with pytest.raises(REFUSALS, match=r"Use |Build |Start from |stays with|another tenant|names another"):
            await walk(portal_database, world, path)
    else:
        found = await walk(portal_database, world, path)
        assert found
        assert set(found) == {OWN}, "A's own rows, and nothing else"
        assert CANARY not in repr(found)
    assert await digest(portal_database, world.b) == before
