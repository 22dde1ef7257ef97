"""Bring a database to the present version: roles, gate, tables, queue. Runs as the owner, never as the product."""

import contextlib
import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import Connection, MetaData, create_engine, text
from sqlalchemy.pool import NullPool

from platforma.database.engine import libpq_dsn, parse_url
from platforma.database.roles import APPLICATION_ROLES, ROLE_SETTINGS, DatabaseRole

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"
_ROLE_ATTRIBUTES = "NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION NOINHERIT"
SCHEMA_USERS: Mapping[str, tuple[DatabaseRole, ...]] = {
    "public": APPLICATION_ROLES,
    "gate": APPLICATION_ROLES,
    "jobs": (DatabaseRole.WORKER, DatabaseRole.PROVISIONER),
}
"""Which roles may look into which schema. Portal and operator reach the queue through `gate.defer_operation` only."""
QUEUE_ROLES = SCHEMA_USERS["jobs"]

GRANTS_FILE = "90_grants.sql"

CLOSED_FUNCTIONS = (
    # What one process of a role can do to another of the same role, and so to other tenants' requests.
    "pg_cancel_backend(integer)",
    "pg_terminate_backend(integer, bigint)",
    "pg_stat_get_activity(integer)",
    "pg_lock_status()",
    # What outlives its transaction on a pooled connection. The transaction's own advisory locks stay.
    "pg_advisory_lock(bigint)",
    "pg_advisory_lock(integer, integer)",
    "pg_advisory_lock_shared(bigint)",
    "pg_advisory_lock_shared(integer, integer)",
    "pg_try_advisory_lock(bigint)",
    "pg_try_advisory_lock(integer, integer)",
    "pg_try_advisory_lock_shared(bigint)",
    "pg_try_advisory_lock_shared(integer, integer)",
    # Storage that no policy looks at.
    "lo_creat(integer)",
    "lo_create(oid)",
    "lo_from_bytea(oid, bytea)",
    # Statements in text, of which no parser sees what they touch.
    "query_to_xml(text, boolean, boolean, text)",
    "query_to_xmlschema(text, boolean, boolean, text)",
    "query_to_xml_and_xmlschema(text, boolean, boolean, text)",
)
CLOSED_VIEWS = ("pg_stat_activity", "pg_locks", "pg_stat_ssl", "pg_stat_gssapi", "pg_stat_replication")

_DROP_FORMER_FUNCTIONS = """\
DO $$
DECLARE
    former regprocedure;
BEGIN
    FOR former IN
        SELECT p.oid FROM pg_proc p
        WHERE p.pronamespace = 'gate'::regnamespace AND p.xmin <> pg_current_xact_id()::xid
    LOOP
        EXECUTE format('DROP FUNCTION %s', former);
    END LOOP;
END
$$"""

_MIGRATION_LOCK = 0x706C6174666F726D  # "platform" in ASCII: one migration at a time


def create_roles(administrator_url: str, passwords: Mapping[DatabaseRole, str], database: str) -> None:
    """Create or update the login roles, and the database owned by the owner. Idempotent.

    Needs an administrator with CREATEROLE and CREATEDB; it is used here and nowhere else.
    """
    with psycopg.connect(libpq_dsn(administrator_url), autocommit=True) as connection:
        for role in DatabaseRole:
            exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role.value,)).fetchone()
            verb = sql.SQL("ALTER" if exists else "CREATE")
            connection.execute(
                sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                    verb, sql.Identifier(role.value), sql.SQL(_ROLE_ATTRIBUTES), sql.Literal(passwords[role])
                )
            )
        for role, settings in ROLE_SETTINGS.items():
            for name, value in settings.items():
                connection.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(
                        sql.Identifier(role.value),
                        sql.Identifier(name),
                        sql.SQL(value if "," in value else f"'{value}'"),
                    )
                )
        create_database(connection, database)
    harden_catalog(administrator_url, database)


def create_database(connection: psycopg.Connection[Any], database: str, *, template: str = "template0") -> None:
    """Create a database of the owner if it is not there, and let the application's roles connect: to do no more."""
    name = sql.Identifier(database)
    owner = sql.Identifier(DatabaseRole.OWNER.value)
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(owner))
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE {}").format(
                name, owner, sql.Identifier(template)
            )
        )
    roles = sql.SQL(", ").join(sql.Identifier(role.value) for role in APPLICATION_ROLES)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC, {}").format(name, roles))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, roles))


def harden_catalog(administrator_url: str, database: str) -> None:
    """Take from the application's roles what PostgreSQL lets everybody do to each other within one database.

    Only a superuser can. A provider's administrator who is none changes nothing here, and the census says so.
    """
    url = parse_url(administrator_url).set(database=database).render_as_string(hide_password=False)
    with psycopg.connect(libpq_dsn(url), autocommit=True) as connection:
        for function in CLOSED_FUNCTIONS:
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"REVOKE EXECUTE ON FUNCTION pg_catalog.{function} FROM PUBLIC".encode())
        for view in CLOSED_VIEWS:
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"REVOKE ALL ON pg_catalog.{view} FROM PUBLIC".encode())
        with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute("REVOKE USAGE ON LANGUAGE plpgsql, sql FROM PUBLIC")
            connection.execute(f"GRANT USAGE ON LANGUAGE plpgsql, sql TO {DatabaseRole.OWNER}".encode())


def migrate(owner_url: str, metadata: MetaData, *, revision: str = "head") -> None:
    """Apply gate functions and migrations in one transaction: all of it, or none.

    The lock time-out is short, so that a migration that cannot get its lock gives way instead of stopping
    every request behind it; run it again then.
    """
    engine = create_engine(parse_url(owner_url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            _prepare_schemas(connection)
            apply_gate(connection)
            command.upgrade(alembic_config(connection, metadata), revision)
            connection.execute(text("SELECT gate.add_signing_key() WHERE NOT EXISTS (SELECT FROM gate.signing_keys)"))
            _fill_sign_in_buckets(connection)
    finally:
        engine.dispose()


def alembic_config(connection: Connection, metadata: MetaData) -> Config:
    """Return Alembic's configuration for an open connection; there is no alembic.ini to keep in step."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata
    return config


def apply_gate(connection: Connection) -> None:
    """Create or replace the gate's functions, drop those of former versions, and grant what is declared."""
    connection.execute(text("SET LOCAL check_function_bodies = off"))
    for file in gate_files():
        if file.name == GRANTS_FILE:
            connection.execute(text(_DROP_FORMER_FUNCTIONS))
        _run_script(connection, file.read_text(encoding="utf-8"))


def gate_files() -> list[Traversable]:
    """Return the scripts of the gate, in the order of their names: the grants come last."""
    directory = resources.files("platforma.database").joinpath("gate")
    return sorted((file for file in directory.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)


def apply_queue(connection: Connection) -> None:
    """Create the job queue of procrastinate in the schema `jobs`, for the roles that run it.

    Without its notifications: PostgreSQL lets every role listen and notify on every channel, so that these would
    tell a portal process of each tenant's jobs, and a portal process could tell a worker to abort any of them.
    Workers poll (`listen_notify=False`).
    """
    script = resources.files("procrastinate").joinpath("sql", "schema.sql").read_text(encoding="utf-8")
    connection.execute(text("SET LOCAL search_path = jobs"))
    _run_script(connection, script)
    connection.execute(text("SET LOCAL search_path = public"))
    for event in ("inserted", "aborted"):
        connection.execute(
            text(f"DROP TRIGGER procrastinate_jobs_notify_queue_job_{event}_v1 ON jobs.procrastinate_jobs")
        )
    roles = ", ".join(QUEUE_ROLES)
    for statement in (
        "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA jobs FROM PUBLIC",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO {roles}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO {roles}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA jobs TO {roles}",
    ):
        connection.execute(text(statement))


def _prepare_schemas(connection: Connection) -> None:
    roles = ", ".join(APPLICATION_ROLES)
    for statement in (
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
        "CREATE SCHEMA IF NOT EXISTS gate",
        "CREATE SCHEMA IF NOT EXISTS jobs",
        f"REVOKE ALL ON SCHEMA gate, jobs FROM PUBLIC, {roles}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    ):
        connection.execute(text(statement))
    for schema, users in SCHEMA_USERS.items():
        connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {', '.join(users)}"))


def _fill_sign_in_buckets(connection: Connection) -> None:
    connection.execute(
        text("INSERT INTO gate.sign_in_buckets (id) SELECT generate_series(0, 16383) ON CONFLICT DO NOTHING")
    )


def _run_script(connection: Connection, script: str) -> None:
    """Send a script of many statements as it is: no parameters, so that % and : stay what they are."""
    raw: Any = connection.connection.driver_connection
    raw.execute(re.sub(r"^\s*--[^\n]*$", "", script, flags=re.MULTILINE).encode())
