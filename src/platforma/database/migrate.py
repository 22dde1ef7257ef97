"""Bring a database to the present version: roles, gate, tables, queue. Runs as the owner, never as the product."""

import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import Connection, MetaData, create_engine, text
from sqlalchemy.pool import NullPool

from platforma.database.engine import libpq_dsn, parse_url
from platforma.database.roles import APPLICATION_ROLES, DatabaseRole

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "10min"
_ROLE_ATTRIBUTES = "NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOCREATEDB NOREPLICATION NOINHERIT"
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
        for role in APPLICATION_ROLES:
            connection.execute(
                sql.SQL("ALTER ROLE {} SET search_path = public, jobs").format(sql.Identifier(role.value))
            )
        create_database(connection, database)


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
    """Create or replace the gate's functions and their grants from `gate/*.sql`, in the order of their names."""
    connection.execute(text("SET LOCAL check_function_bodies = off"))
    files = sorted(resources.files("platforma.database").joinpath("gate").iterdir(), key=lambda file: file.name)
    for file in files:
        if file.name.endswith(".sql"):
            _run_script(connection, file.read_text(encoding="utf-8"))


def apply_queue(connection: Connection) -> None:
    """Create the job queue of procrastinate in the schema `jobs`."""
    script = resources.files("procrastinate").joinpath("sql", "schema.sql").read_text(encoding="utf-8")
    connection.execute(text("SET LOCAL search_path = jobs"))
    _run_script(connection, script)
    connection.execute(text("SET LOCAL search_path = public"))


def _prepare_schemas(connection: Connection) -> None:
    roles = ", ".join(APPLICATION_ROLES)
    for statement in (
        "CREATE SCHEMA IF NOT EXISTS gate",
        "CREATE SCHEMA IF NOT EXISTS jobs",
        f"REVOKE ALL ON SCHEMA gate, jobs FROM PUBLIC, {roles}",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA public TO {roles}",
        f"GRANT USAGE ON SCHEMA jobs TO {DatabaseRole.WORKER}, {DatabaseRole.PROVISIONER}",
    ):
        connection.execute(text(statement))


def _fill_sign_in_buckets(connection: Connection) -> None:
    connection.execute(
        text("INSERT INTO gate.sign_in_buckets (id) SELECT generate_series(0, 16383) ON CONFLICT DO NOTHING")
    )


def _run_script(connection: Connection, script: str) -> None:
    """Send a script of many statements as it is: no parameters, so that % and : stay what they are."""
    raw: Any = connection.connection.driver_connection
    raw.execute(re.sub(r"^\s*--[^\n]*$", "", script, flags=re.MULTILINE).encode())
