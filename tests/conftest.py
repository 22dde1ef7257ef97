"""Fixtures of the database. Product code under test gets the application's own roles, never the owner."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from tests import compiled_statements  # noqa: F401 (shares them)
from tests.database.server import TestDatabase, TestRun, TestServer
from tests.database.tenants import Secret, TwoTenants, make_two_tenants

_RUN = pytest.StashKey[TestRun]()
_DIRECTORY = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Make the place of this run's server; processes of pytest-xdist are told of it."""
    gc.set_threshold(50_000, 20, 50)
    worker_input = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[_DIRECTORY] = Path(worker_input["platforma_directory"])
        return
    run = TestRun()
    config.stash[_RUN] = run
    config.stash[_DIRECTORY] = run.directory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what is long."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what stays until the end: going through it took a fifth of all time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of pytest-xdist where the run's server is."""
    node.workerinput["platforma_directory"] = str(node.config.stash[_DIRECTORY])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the run's server, after the last process has ended."""
    run = config.stash.get(_RUN, None)
    if run is not None:
        run.end()


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> TestServer:
    """The run's PostgreSQL server, started when it is first asked for."""
    return TestServer(pytestconfig.stash[_DIRECTORY])


@pytest.fixture(scope="session")
def process_database(server: TestServer) -> Iterator[TestDatabase]:
    """The migrated database of this test process."""
    database = server.database(f"tests_{uuid4().hex}")
    yield database
    server.drop(database.name)


@pytest.fixture
def fresh_database(server: TestServer) -> Iterator[TestDatabase]:
    """A migrated database for this test alone, for what cannot be shared: knock-outs, counts, settings."""
    database = server.database(f"fresh_{uuid4().hex}")
    yield database
    server.drop(database.name)


@pytest.fixture
def database(process_database: TestDatabase) -> TestDatabase:
    """The database that all fixtures below use. Override it with `fresh_database` in a module that needs that."""
    return process_database


@pytest.fixture
async def portal_database(database: TestDatabase) -> AsyncIterator[Database]:
    """The database as a portal process has it."""
    async with database.open(DatabaseRole.PORTAL) as opened:
        yield opened


@pytest.fixture
async def worker_database(database: TestDatabase) -> AsyncIterator[Database]:
    """The database as the tenants' worker has it."""
    async with database.open(DatabaseRole.WORKER) as opened:
        yield opened


@pytest.fixture
async def provisioner_database(database: TestDatabase) -> AsyncIterator[Database]:
    """The database as the provisioner has it."""
    async with database.open(DatabaseRole.PROVISIONER) as opened:
        yield opened


@pytest.fixture
async def operator_database(database: TestDatabase) -> AsyncIterator[Database]:
    """The database as the operator's process has it."""
    async with database.open(DatabaseRole.OPERATOR) as opened:
        yield opened


@pytest.fixture
async def administrator(database: TestDatabase) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """The superuser, in autocommit mode: for reading the catalog, and for knocking walls out. Proves nothing itself."""
    async with await psycopg.AsyncConnection.connect(database.administrator_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def secret() -> Secret:
    """The password of all test members, as the gate keeps it under the pepper of the tests."""
    return asyncio.run(Secret.make())


@pytest.fixture
async def two_tenants(operator_database: Database, portal_database: Database, secret: Secret) -> TwoTenants:
    """Two tenants at two portals, each with an owner who is signed in. New ones for every test."""
    return await make_two_tenants(operator_database, portal_database, secret)
