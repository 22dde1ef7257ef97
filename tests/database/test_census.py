"""The census finds nothing in a fresh database, and each thing that somebody has knocked out of it."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Column, ForeignKey, MetaData, Table, Uuid

from platforma.database import tables
from platforma.database.census import Finding, census_of, declared_gate_grants, find_model_differences, take_census
from platforma.database.roles import DatabaseRole
from platforma.database.tables import UnscopedModelError, check_tenant_references, tenant_tables
from platforma.models import Base
from tests.database.server import TestDatabase, TestServer

KNOCK_OUTS = [
    # Row-level security.
    ("ALTER TABLE networks DISABLE ROW LEVEL SECURITY", "public.networks: has no row-level security"),
    ("ALTER TABLE networks NO FORCE ROW LEVEL SECURITY", "public.networks: does not force row-level security"),
    ("ALTER TABLE tenants DISABLE ROW LEVEL SECURITY", "public.tenants: has no row-level security"),
    ("DROP POLICY tenant ON volumes", "public.volumes: has no policy tenant as declared"),
    ("ALTER POLICY tenant ON volumes USING (true)", "public.volumes: has a policy tenant that is not declared"),
    ("ALTER POLICY tenant ON volumes WITH CHECK (true)", "public.volumes: has no policy tenant as declared"),
    ("ALTER POLICY tenant ON volumes TO platforma_portal", "public.volumes: has no policy tenant as declared"),
    ("CREATE POLICY everybody ON volumes USING (true)", "public.volumes: has a policy everybody"),
    ("ALTER POLICY gate ON members TO platforma_portal", "public.members: has no policy gate as declared"),
    ("DROP POLICY revoked_for_good ON sessions", "public.sessions: has no policy revoked_for_good"),
    ("DROP POLICY own_plane_and_time ON operations", "public.operations: has no policy own_plane_and_time"),
    ("ALTER TABLE members ALTER COLUMN email SET STATISTICS 100", "public.members: keeps the planner's statistics"),
    # Grants.
    ("GRANT DELETE ON sessions TO platforma_portal", "public.sessions: platforma_portal has DELETE"),
    (
        "GRANT UPDATE (expires_at) ON sessions TO platforma_portal",
        "platforma_portal has UPDATE (expires_at, revoked_at)",
    ),
    ("GRANT SELECT ON gate.signing_keys TO platforma_portal", "gate.signing_keys: platforma_portal has SELECT"),
    ("GRANT SELECT (salt) ON gate.credentials TO platforma_worker", "platforma_worker has SELECT (salt)"),
    ("GRANT SELECT ON networks TO PUBLIC", "public.networks: PUBLIC has SELECT"),
    ("GRANT SELECT ON cloud_credentials TO platforma_portal", "platforma_portal has SELECT"),
    ("GRANT SELECT ON networks TO platforma_portal WITH GRANT OPTION", "SELECT WITH GRANT OPTION"),
    ("CREATE ROLE spy; GRANT SELECT ON networks TO spy", "public.networks: spy has SELECT"),
    ("REVOKE SELECT ON networks FROM platforma_portal", "public.networks: platforma_portal lacks SELECT"),
    ("GRANT SELECT ON alembic_version TO platforma_portal", "public.alembic_version: platforma_portal has SELECT"),
    ("GRANT USAGE ON SEQUENCE gate.signing_keys_id_seq TO platforma_portal", "is open to platforma_portal"),
    ("GRANT CREATE ON SCHEMA public TO platforma_portal", "schema public: platforma_portal has CREATE"),
    ("GRANT USAGE ON SCHEMA jobs TO platforma_portal", "schema jobs: platforma_portal has USAGE"),
    ("GRANT CREATE ON SCHEMA gate TO PUBLIC", "schema gate: PUBLIC has CREATE"),
    ("GRANT SELECT ON jobs.procrastinate_jobs TO platforma_portal", "TABLE jobs.procrastinate_jobs: is open to"),
    ("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO PUBLIC", "is open to platforma_operator"),
    # Roles.
    ("ALTER ROLE platforma_portal SUPERUSER", "role platforma_portal: has SUPERUSER"),
    ("ALTER ROLE platforma_worker BYPASSRLS", "role platforma_worker: has BYPASSRLS"),
    ("ALTER ROLE platforma_owner CREATEROLE", "role platforma_owner: has CREATEROLE"),
    ("ALTER ROLE platforma_operator CREATEDB", "role platforma_operator: has CREATEDB"),
    ("ALTER ROLE platforma_provisioner REPLICATION", "role platforma_provisioner: has REPLICATION"),
    ("GRANT platforma_owner TO platforma_portal", "role platforma_portal: is a member of platforma_owner"),
    ("GRANT pg_read_all_data TO platforma_worker", "role platforma_worker: is a member of pg_read_all_data"),
    ("ALTER ROLE platforma_portal SET row_security = off", "role platforma_portal: starts with"),
    ("ALTER ROLE platforma_worker RESET ALL", "role platforma_worker: starts with []"),
    ("ALTER ROLE platforma_portal SET lock_timeout = 0", "role platforma_portal: starts with"),
    ("ALTER ROLE platforma_operator RESET statement_timeout", "role platforma_operator: starts with"),
    ("ALTER TABLE networks OWNER TO platforma_portal", "public.networks: belongs to platforma_portal"),
    ("ALTER TABLE gate.credentials OWNER TO postgres", "gate.credentials: belongs to postgres"),
    # Tables and keys.
    ("CREATE TABLE notes (id uuid PRIMARY KEY, tenant_id uuid)", "public.notes: is no model's table"),
    ("CREATE VIEW everything AS SELECT * FROM networks", "public.everything: is no model's table"),
    ("CREATE MATERIALIZED VIEW all_names AS SELECT name FROM networks", "public.all_names: is no model's table"),
    ("DROP TABLE quotas", "public.quotas: is missing"),
    ("CREATE UNIQUE INDEX one_name ON networks (name)", "has the unique index one_name"),
    ("CREATE UNIQUE INDEX one_name ON networks (lower(name))", "has the unique index one_name"),
    (
        "ALTER TABLE quotas DROP CONSTRAINT quotas_pkey; ALTER TABLE quotas ADD PRIMARY KEY (id)",
        "public.quotas: has the primary key ['id']",
    ),
    (
        "CREATE UNIQUE INDEX u ON key_pairs (id); "
        "ALTER TABLE servers ADD FOREIGN KEY (key_pair_id) REFERENCES key_pairs (id)",
        "public.servers: refers to public.key_pairs by ['key_pair_id'] alone",
    ),
    (
        "ALTER TABLE servers DROP CONSTRAINT servers_tenant_id_key_pair_id_fkey",
        "public.servers: has no foreign key",
    ),
    (
        "ALTER TABLE quotas ADD COLUMN p uuid REFERENCES portals (id)",
        "public.quotas: has the undeclared foreign key",
    ),
    ("CREATE RULE r AS ON UPDATE TO networks DO ALSO SELECT 1", "public.networks: has rules"),
    ("CREATE TABLE gate.more () INHERITS (networks)", "public.networks: has inheritance"),
    (
        "CREATE FUNCTION gate.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE UPDATE ON networks FOR EACH ROW EXECUTE FUNCTION gate.t()",
        "public.networks: has a trigger that is not declared",
    ),
    ("DROP TRIGGER meter ON servers", "public.servers: has no trigger as declared"),
    ("ALTER TABLE volumes DISABLE TRIGGER meter", "public.volumes: has no trigger as declared"),
    # Functions.
    ("GRANT EXECUTE ON FUNCTION gate.bind TO platforma_portal", "platforma_portal has EXECUTE"),
    ("GRANT EXECUTE ON FUNCTION gate.signature TO PUBLIC", "PUBLIC has EXECUTE"),
    ("REVOKE EXECUTE ON FUNCTION gate.open_session FROM platforma_portal", "platforma_portal lacks EXECUTE"),
    ("ALTER FUNCTION gate.bind SECURITY INVOKER", "function gate.bind: is not SECURITY DEFINER"),
    ("ALTER FUNCTION gate.bind RESET search_path", "function gate.bind: has the settings None"),
    ("ALTER FUNCTION gate.bind SET search_path = public, pg_catalog", "function gate.bind: has the settings"),
    ("ALTER FUNCTION gate.bind OWNER TO postgres", "function gate.bind: belongs to postgres"),
    ("CREATE FUNCTION gate.bind(text) RETURNS int LANGUAGE sql AS 'SELECT 1'", "function gate.bind: is there twice"),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function public.f: is not the gate's"),
    ("DROP FUNCTION gate.reap_jobs", "function gate.reap_jobs: is missing"),
    # What PostgreSQL opens to everybody.
    ("GRANT EXECUTE ON FUNCTION pg_terminate_backend TO PUBLIC", "function pg_terminate_backend(integer, bigint)"),
    ("GRANT SELECT ON pg_stat_activity TO platforma_portal", "view pg_stat_activity: is open to platforma_portal"),
    ("GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC", "language plpgsql: is open to platforma_portal"),
    (
        "CREATE TRIGGER notify AFTER INSERT ON jobs.procrastinate_jobs FOR EACH ROW "
        "EXECUTE FUNCTION jobs.procrastinate_notify_queue_job_inserted_v1()",
        "jobs.procrastinate_jobs: notifies everybody by notify",
    ),
]


@pytest.fixture(scope="module")
def empty_database(server: TestServer) -> Iterator[TestDatabase]:
    """A migrated database without a row, which no other test writes to."""
    database = server.database(f"census_{uuid4().hex}")
    yield database
    server.drop(database.name)


@pytest.fixture
def knocking(empty_database: TestDatabase) -> Iterator[psycopg.Connection[Any]]:
    """The superuser in a transaction that is rolled back."""
    with psycopg.connect(empty_database.administrator_url) as connection:
        yield connection
        connection.rollback()


@pytest.mark.parametrize("role", DatabaseRole)
def test_finds_nothing_whoever_takes_it(process_database: TestDatabase, role: DatabaseRole) -> None:
    assert take_census(process_database.url(role)) == []


@pytest.mark.parametrize(("knock_out", "finding"), KNOCK_OUTS, ids=[sql for sql, _ in KNOCK_OUTS])
def test_finds_what_was_knocked_out(knocking: psycopg.Connection[Any], knock_out: str, finding: str) -> None:
    for statement in knock_out.split("; ") if "'" not in knock_out else knock_out.replace("';", "'\0").split("\0"):
        knocking.execute(statement.encode())
    found = [str(each) for each in census_of(knocking)]
    assert any(finding in each for each in found), found


def test_finds_temporary_tables_allowed(knocking: psycopg.Connection[Any], empty_database: TestDatabase) -> None:
    knocking.execute(f"GRANT TEMPORARY ON DATABASE {empty_database.name} TO PUBLIC".encode())
    assert Finding(
        f"database {empty_database.name}",
        "PUBLIC has TEMPORARY",
        f"REVOKE TEMPORARY ON database {empty_database.name} FROM PUBLIC",
    ) in census_of(knocking)


def test_models_are_in_step_with_migrations(process_database: TestDatabase) -> None:
    assert find_model_differences(process_database.url(DatabaseRole.OWNER), Base.metadata) == []


def test_models_out_of_step_are_found(fresh_database: TestDatabase) -> None:
    with psycopg.connect(fresh_database.administrator_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE networks ADD COLUMN forgotten integer")
        connection.execute("ALTER TABLE gate.invitations DROP COLUMN expires_at")
    differences = " ".join(find_model_differences(fresh_database.url(DatabaseRole.OWNER), Base.metadata))
    assert "forgotten" in differences
    assert "expires_at" in differences


def test_every_function_of_the_gate_that_is_granted_is_declared_once(process_database: TestDatabase) -> None:
    grants = declared_gate_grants()
    assert len(grants) >= 18
    assert grants["open_session"] == {DatabaseRole.PORTAL}
    assert "bind" not in grants


def test_reference_between_tenants_without_the_tenant_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = MetaData()
    parent = Table("parents", metadata, Column("tenant_id", Uuid), Column("id", Uuid, unique=True))
    child = Table("children", metadata, Column("tenant_id", Uuid), Column("parent", ForeignKey("parents.id")))
    models = {table.name: type(table.name, (), {"__table__": table}) for table in (parent, child)}
    check_tenant_references()
    monkeypatch.setattr(tables, "tenant_tables", lambda: dict(tenant_tables()) | models)
    with pytest.raises(UnscopedModelError, match=r"children.*without tenant_id.*Use tenant_reference"):
        check_tenant_references()


CARELESS_MODELS = """
from uuid import UUID
from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from platforma.database.tables import Base, PlatformWide, TenantOwned, UnscopedModelError

def plain():
    class A(Base):
        __tablename__ = "a"
        id: Mapped[int] = mapped_column(primary_key=True)

def no_grants():
    class B(TenantOwned):
        __tablename__ = "b"

def both():
    class C(TenantOwned, PlatformWide):
        __tablename__ = "c"
        __grants__ = {}

def unique_column():
    class D(TenantOwned):
        __tablename__ = "d"
        __grants__ = {}
        name: Mapped[str] = mapped_column(unique=True)

def unique_constraint():
    class E(TenantOwned):
        __tablename__ = "e"
        __grants__ = {}
        __table_args__ = (UniqueConstraint("name"),)
        name: Mapped[str]

def unique_index():
    class F(TenantOwned):
        __tablename__ = "f"
        __grants__ = {}
        __table_args__ = (Index(None, "name", unique=True),)
        name: Mapped[str]

def other_key():
    class G(TenantOwned):
        __tablename__ = "g"
        __grants__ = {}
        part: Mapped[int] = mapped_column(primary_key=True)

def good():
    class H(TenantOwned):
        __tablename__ = "h"
        __grants__ = {}
        __table_args__ = (UniqueConstraint("tenant_id", "name"),)
        name: Mapped[str]

for make in (plain, no_grants, both, unique_column, unique_constraint, unique_index, other_key, good):
    try:
        make()
        print(make.__name__, "made")
    except UnscopedModelError:
        print(make.__name__, "refused")
"""


def test_careless_models_do_not_import() -> None:
    """In a process of its own, because a refused class stays in SQLAlchemy's registry."""
    done = subprocess.run([sys.executable, "-c", CARELESS_MODELS], capture_output=True, text=True, check=True)
    outcomes = dict(line.split() for line in done.stdout.splitlines())
    assert outcomes.pop("good") == "made"
    assert set(outcomes.values()) == {"refused"}
    assert len(outcomes) == 7
