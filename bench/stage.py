"""The stage: a PostgreSQL server of its own, databases with as many rows as asked for, and tokens to sign in with."""

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from platforma.database.embedded import EmbeddedPostgres
from platforma.database.migrate import create_database, create_roles, migrate
from platforma.database.roles import DatabaseRole
from platforma.models import Base

TEMPLATE = "bench_template"
SERVER_SETTINGS = {"shared_buffers": "512MB", "autovacuum": "off", "max_wal_size": "4GB", "jit": "off"}
"""Autovacuum would run in one side's round and not in the other's; every database is analysed once instead."""

_PORTALS = 10

_SEED: tuple[LiteralString, ...] = (
    "SET LOCAL session_replication_role = replica",
    """INSERT INTO portals (id, name, title)
       SELECT md5('portal' || p)::uuid, 'portal ' || p, 'Portal ' || p FROM generate_series(0, %(portals)s - 1) p""",
    """INSERT INTO domains (host, portal_id, is_canonical, is_proven, proven_at)
       SELECT 'portal' || p || '.localhost', md5('portal' || p)::uuid, true, true, now()
       FROM generate_series(0, %(portals)s - 1) p""",
    """INSERT INTO tenants (id, portal_id, name, status)
       SELECT md5('tenant' || t)::uuid, md5('portal' || t %% %(portals)s)::uuid, 'Tenant ' || t, 'active'
       FROM generate_series(0, %(tenants)s - 1) t""",
    """INSERT INTO members (tenant_id, id, email, name, role, status)
       SELECT md5('tenant' || t)::uuid, md5('member' || t)::uuid, 'owner' || t || '@example.org', 'Owner ' || t,
              'owner', 'active'
       FROM generate_series(0, %(tenants)s - 1) t""",
    """INSERT INTO sessions (tenant_id, id, member_id, portal_id, user_agent, address, idle_seconds, expires_at)
       SELECT md5('tenant' || t)::uuid, md5('session' || t)::uuid, md5('member' || t)::uuid,
              md5('portal' || t %% %(portals)s)::uuid, 'bench', '192.0.2.1', 86400, now() + interval '1 day'
       FROM generate_series(0, %(tenants)s - 1) t""",
    """INSERT INTO gate.session_tokens (token_hash, tenant_id, session_id)
       SELECT sha256(convert_to(%(salt)s || md5(%(salt)s || t), 'UTF8')), md5('tenant' || t)::uuid,
              md5('session' || t)::uuid
       FROM generate_series(0, %(tenants)s - 1) t""",
    """INSERT INTO sessions (tenant_id, id, member_id, portal_id, user_agent, address, idle_seconds, expires_at,
                             revoked_at)
       SELECT md5('tenant' || r %% %(tenants)s)::uuid, md5('revoked' || r)::uuid,
              md5('member' || r %% %(tenants)s)::uuid, md5('portal' || r %% %(tenants)s %% %(portals)s)::uuid,
              'bench', '192.0.2.1', 86400, now() + interval '1 day', now()
       FROM generate_series(0, %(revoked)s - 1) r""",
    """INSERT INTO gate.session_tokens (token_hash, tenant_id, session_id)
       SELECT sha256(convert_to('revoked' || r, 'UTF8')), md5('tenant' || r %% %(tenants)s)::uuid,
              md5('revoked' || r)::uuid
       FROM generate_series(0, %(revoked)s - 1) r""",
    """INSERT INTO networks (tenant_id, id, name, status, cloud_id, created_at)
       SELECT md5('tenant' || t)::uuid, md5('network' || t || '/' || n)::uuid, 'network ' || n, 'active',
              md5('cloud' || t || '/' || n), now() - make_interval(mins => n)
       FROM generate_series(0, %(tenants)s - 1) t, generate_series(0, %(networks)s - 1) n""",
    """INSERT INTO subnets (tenant_id, id, name, status, cloud_id, network_id, ip_version, cidr, gateway_ip)
       SELECT md5('tenant' || t)::uuid, md5('subnet' || t || '/' || n)::uuid, 'subnet ' || n, 'active',
              md5('cloud subnet' || t || '/' || n), md5('network' || t || '/' || n)::uuid, 4,
              '10.0.' || n || '.0/24', '10.0.' || n || '.1'
       FROM generate_series(0, %(tenants)s - 1) t, generate_series(0, %(networks)s - 1) n""",
)

_KNOCK_OUT = """
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT schemaname, tablename, policyname FROM pg_policies LOOP
        EXECUTE format('DROP POLICY %I ON %I.%I', found.policyname, found.schemaname, found.tablename);
    END LOOP;
    FOR found IN SELECT oid::regclass AS name FROM pg_class WHERE relrowsecurity LOOP
        EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', found.name);
    END LOOP;
END
$$;
GRANT SELECT ON gate.session_tokens TO platforma_portal;
"""


class Stage:
    """A server in a temporary directory. Databases are cloned from a migrated template."""

    def __init__(self, directory: Path) -> None:
        self._passwords = {role: secrets.token_urlsafe(24) for role in DatabaseRole}
        self._salt = secrets.token_hex(8)
        self._directory = directory
        self._postgres = EmbeddedPostgres(directory, SERVER_SETTINGS)
        create_roles(self._postgres.administrator_url, self._passwords, TEMPLATE)
        migrate(self.url(DatabaseRole.OWNER, TEMPLATE), Base.metadata)

    @property
    def postmaster(self) -> int:
        """The process whose children serve every connection."""
        return int((self._directory / "postmaster.pid").read_text().splitlines()[0])

    def url(self, role: DatabaseRole, database: str) -> str:
        """Return a role's URL of a database."""
        return self._postgres.url(role, database, self._passwords[role])

    def tokens(self, tenants: Iterable[int]) -> list[str]:
        """Return the session tokens of the owners of tenants, by their numbers."""
        return [self._salt + hashlib.md5(f"{self._salt}{number}".encode()).hexdigest() for number in tenants]

    def make(self, database: str, *, tenants: int, networks: int = 0, revoked: int = 0) -> None:
        """Make a database with so many tenants, networks of each (with a subnet), and revoked sessions in all."""
        self._clone(database, TEMPLATE)
        numbers = {"portals": _PORTALS, "tenants": tenants, "networks": networks, "revoked": revoked}
        with self.administrator(database) as connection:
            with connection.transaction():
                for statement in _SEED:
                    connection.execute(statement, {**numbers, "salt": self._salt})
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def knock_out(self, database: str, original: str) -> None:
        """Copy a database without its isolation: no policy, and a portal that may read session tokens itself."""
        self._clone(database, original)
        with self.administrator(database) as connection:
            connection.execute(_KNOCK_OUT)
            connection.execute("GRANT USAGE ON SCHEMA gate TO platforma_portal")
            connection.execute("VACUUM ANALYZE")

    def stop(self) -> None:
        """Stop the server."""
        self._postgres.stop()

    def _clone(self, database: str, template: str) -> None:
        with self.administrator("postgres") as connection:
            create_database(connection, database, template=template)

    def fill(self, database: str, statements: Sequence[LiteralString], values: Mapping[str, int]) -> None:
        """Run statements as the superuser, in one transaction, and let the planner know what is there now."""
        with self.administrator(database) as connection:
            with connection.transaction():
                for statement in statements:
                    connection.execute(statement, values)
            connection.execute("VACUUM ANALYZE")

    @contextmanager
    def administrator(self, database: str) -> Iterator[psycopg.Connection[Any]]:
        """Have a connection of the superuser's for the time of the block, in autocommit mode."""
        with psycopg.connect(self._postgres.administrator_url_of(database), autocommit=True) as connection:
            yield connection


def host_of(tenant: int) -> str:
    """Return the host of the portal that a tenant belongs to, by its number."""
    return f"portal{tenant % _PORTALS}.localhost"


@contextmanager
def stage() -> Iterator[Stage]:
    """Have a stage for the time of the block; nothing of it is left."""
    directory = Path(tempfile.mkdtemp(prefix="platforma-bench-"))
    made = None
    try:
        made = Stage(directory / "data")
        yield made
    finally:
        if made is not None:
            made.stop()
        shutil.rmtree(directory, ignore_errors=True)
