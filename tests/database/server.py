"""One PostgreSQL server per test run, shared by its processes, with a migrated template to clone.

The process that runs pytest holds a lock while it lives (`TestRun`). The first process that needs a database
starts the server, and a keeper beside it that waits for that lock: so the server is stopped and its files are
removed however the run ends, even if pytest was killed.
"""

import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from platforma.database.database import Database
from platforma.database.embedded import EmbeddedPostgres
from platforma.database.migrate import create_database, create_roles, migrate
from platforma.database.roles import DatabaseRole
from platforma.models import Base

TEMPLATE = "platforma_template"
PASSWORD = "of-the-tests"
_SPEED = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "scram_iterations": "1"}
"""What tests are made of need not survive a power failure."""

_KEEPER = """
import fcntl, sys
from pathlib import Path
directory = Path(sys.argv[1])
with (directory / "run.lock").open() as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if (directory / "data").exists():
        from tests.database.server import remove_server
        remove_server(directory)
"""


class TestRun:
    """The place of one test run, as the process that runs pytest sees it."""

    __test__ = False

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="platforma-tests-"))
        self._lock = (self.directory / "run.lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def end(self) -> None:
        """Stop the server, if any test has started it, and leave nothing."""
        remove_server(self.directory)
        self._lock.close()


class TestServer:
    """The run's server. Databases are cloned from the template; names are unique within the run."""

    __test__ = False

    def __init__(self, directory: Path) -> None:
        """Start or join the server of the run in `directory`."""
        with _locked(directory / "start.lock"):
            is_first = not (directory / "data").exists()
            self._postgres = EmbeddedPostgres(directory / "data", _SPEED)
            if is_first:
                _start_keeper(directory)
                self._make_template()

    @property
    def administrator_url(self) -> str:
        """The superuser's URL, for the database `postgres`."""
        return self._postgres.administrator_url

    def administrator_url_of(self, database: str) -> str:
        """Return the superuser's URL of a database."""
        return self._postgres.administrator_url_of(database)

    def url(self, role: DatabaseRole, database: str) -> str:
        """Return a role's URL of a database."""
        return self._postgres.url(role, database, PASSWORD)

    def clone(self, database: str) -> None:
        """Make a database from the template."""
        with self._administrator() as connection:
            create_database(connection, database, template=TEMPLATE)

    def database(self, name: str) -> "TestDatabase":
        """Make a database from the template, and return it."""
        self.clone(name)
        return TestDatabase(self, name)

    def drop(self, database: str) -> None:
        """Drop a database and end its connections."""
        with self._administrator() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def _make_template(self) -> None:
        create_roles(self.administrator_url, dict.fromkeys(DatabaseRole, PASSWORD), TEMPLATE)
        migrate(self.url(DatabaseRole.OWNER, TEMPLATE), Base.metadata)
        with self._administrator() as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(TEMPLATE)))

    @contextmanager
    def _administrator(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.administrator_url, autocommit=True) as connection:
            yield connection


class TestDatabase:
    """One clone, and ways in as each role."""

    __test__ = False

    def __init__(self, server: TestServer, name: str) -> None:
        self.server = server
        self.name = name

    def url(self, role: DatabaseRole) -> str:
        """Return a role's URL."""
        return self.server.url(role, self.name)

    @property
    def administrator_url(self) -> str:
        """The superuser's URL: for reading the catalog and for knocking walls out, never as the application."""
        return self.server.administrator_url_of(self.name)

    @asynccontextmanager
    async def open(self, role: DatabaseRole, *, pool_size: int = 4) -> AsyncIterator[Database]:
        """Open a pool of one role's connections."""
        database = Database(self.url(role), pool_size=pool_size)
        try:
            yield database
        finally:
            await database.close()

    @asynccontextmanager
    async def connect(self, role: DatabaseRole) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """Open a bare connection as one role, in autocommit mode: what SQL injection would have."""
        async with await psycopg.AsyncConnection.connect(self.url(role), autocommit=True) as connection:
            yield connection


def remove_server(directory: Path) -> None:
    """Stop the server in `directory`, if there is one, and remove all of it."""
    if (directory / "data" / "postmaster.pid").exists():
        EmbeddedPostgres(directory / "data").stop()
    shutil.rmtree(directory, ignore_errors=True)


def _start_keeper(directory: Path) -> None:
    """Start the keeper in a session of its own, so that what kills the test run spares it."""
    nothing = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in (0, 1, 2)]
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-W", "ignore", "-c", _KEEPER, str(directory)],
        {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        file_actions=nothing,
        setsid=True,
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
