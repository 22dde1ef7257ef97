"""The census: the live catalog against what the models and the gate declare.

It reads nothing but the catalog, so that any role may take it, and trusts no list kept by hand: every table,
sequence, function, schema and role of Platforma that is there is looked at. A finding says what is wrong with
which object, and how to mend it. `platforma doctor` prints them; the tests allow none.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import ForeignKeyConstraint, MetaData, create_engine
from sqlalchemy.pool import NullPool

from platforma.database import catalog
from platforma.database.catalog import Row, ask
from platforma.database.engine import libpq_dsn, parse_url
from platforma.database.isolation import Isolation
from platforma.database.migrate import (
    CLOSED_FUNCTIONS,
    CLOSED_VIEWS,
    GRANTS_FILE,
    QUEUE_ROLES,
    SCHEMA_USERS,
    gate_files,
)
from platforma.database.roles import APPLICATION_ROLES, ROLE_SETTINGS, DatabaseRole
from platforma.database.tables import Base, check_tenant_references, tenant_columns

_ROLES = [role.value for role in DatabaseRole]
_APPLICATION = [role.value for role in APPLICATION_ROLES]
_OWNER = DatabaseRole.OWNER.value
_POWERS = {
    "rolsuper": "SUPERUSER",
    "rolbypassrls": "BYPASSRLS",
    "rolcreaterole": "CREATEROLE",
    "rolcreatedb": "CREATEDB",
    "rolreplication": "REPLICATION",
}
_ALEMBIC = Isolation("public.alembic_version", grants={}, tenant_column=None)
_MIGRATE = "Run `platforma migrate`."
_ISOLATE = "Isolate it in a migration: isolate_table(op, ...)."

Grant = tuple[str, str]
"""A role (or PUBLIC), and a privilege as `Grants` writes it."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing in the database that is not as declared."""

    object: str
    wrong: str
    mend: str

    def __str__(self) -> str:
        return f"{self.object}: {self.wrong}. {self.mend}"


def take_census(url: str) -> list[Finding]:
    """Return what is wrong in the database behind a URL of any role, or nothing. Changes nothing.

    Import `platforma.models` before, so that all models are known.
    """
    with psycopg.connect(libpq_dsn(url)) as connection:
        connection.read_only = True
        return census_of(connection)


def census_of(connection: psycopg.Connection[Any]) -> list[Finding]:
    """Take the census on an open connection."""
    check_tenant_references()
    parts = (_roles, _database, _schemas, _relations, _keys, _foreign_keys, _functions, _queue, _openings)
    return sorted({finding for part in parts for finding in part(connection)})


def is_isolated(connection: psycopg.Connection[Any], model: type[Base]) -> bool:
    """Say whether a table is isolated as its model declares; True for one that is not there yet."""
    isolation = Isolation.of(model)
    relations = {row.name: row for row in ask(connection, catalog.RELATIONS)}
    row = relations.get(_qualified(isolation.table))
    return row is None or (row.triggers == isolation.triggers() and not any(_isolation(connection, row, isolation)))


def find_model_differences(url: str, metadata: MetaData) -> list[str]:
    """Return what Alembic would have to migrate for the tables to be as the models say; nothing, if in step."""
    engine = create_engine(parse_url(url), poolclass=NullPool)
    options = {"include_schemas": True, "include_name": _is_ours, "compare_server_default": False}
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            return [repr(difference) for difference in compare_metadata(context, metadata)]
    finally:
        engine.dispose()


def declared_gate_grants() -> dict[str, set[str]]:
    """Return, from the gate's own script of grants, which roles may call which function."""
    grants: dict[str, set[str]] = {}
    script = next(file for file in gate_files() if file.name == GRANTS_FILE).read_text(encoding="utf-8")
    for functions, roles in re.findall(r"GRANT EXECUTE ON FUNCTION\s+(.*?)\s+TO\s+(.*?);", script, re.DOTALL):
        for function in functions.split(","):
            name = function.strip().removeprefix("gate.").partition("(")[0]
            grants.setdefault(name, set()).update(role.strip() for role in roles.split(","))
    return grants


def declared_gate_bodies() -> dict[str, set[str]]:
    """Return, from the gate's own scripts, what each function does."""
    bodies: dict[str, set[str]] = {}
    pattern = r"CREATE OR REPLACE FUNCTION gate\.(\w+)\s*\(.*?\nAS \$\$(.*?)\$\$"
    for script in gate_files():
        for name, body in re.findall(pattern, script.read_text(encoding="utf-8"), re.DOTALL):
            bodies.setdefault(name, set()).add(_without_comments(body))
    return bodies


def _without_comments(body: str) -> str:
    """Return what a function does, however it is explained and set."""
    return " ".join(re.sub(r"--[^\n]*", "", body).split())


def _roles(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """No role of ours has powers, memberships or settings beyond the declared."""
    found = {row.rolname: row for row in ask(connection, catalog.ROLES, roles=_ROLES)}
    for role in _ROLES:
        if role not in found:
            yield Finding(f"role {role}", "is missing", "Run `platforma migrate` with an administrator's URL.")
            continue
        for attribute, power in _POWERS.items():
            if getattr(found[role], attribute):
                yield Finding(f"role {role}", f"has {power}", f"ALTER ROLE {role} NO{power}")
    for row in ask(connection, catalog.MEMBERSHIPS, roles=_ROLES):
        yield Finding(f"role {row.member}", f"is a member of {row.granted}", f"REVOKE {row.granted} FROM {row.member}")
    settings: dict[str, list[str]] = {}
    for row in ask(connection, catalog.SETTINGS, roles=_APPLICATION):
        settings.setdefault(row.role, []).extend(row.settings)
    for role in _APPLICATION:
        live = sorted(settings.get(role, []))
        wanted = sorted(f"{name}={value}" for name, value in ROLE_SETTINGS[DatabaseRole(role)].items())
        if live != wanted:
            yield Finding(
                f"role {role}",
                f"starts with {live}",
                f"ALTER ROLE {role} RESET ALL, then `platforma migrate --create-roles`",
            )


def _database(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """The application's roles may connect to the database, make nothing in it, and own nothing."""
    (row,) = ask(connection, catalog.DATABASE)
    if row.owner != _OWNER:
        yield Finding(f"database {row.name}", f"belongs to {row.owner}", f"ALTER DATABASE {row.name} OWNER TO {_OWNER}")
    wanted = {(role, "CONNECT") for role in _APPLICATION}
    yield from _compare_grants(f"database {row.name}", ask(connection, catalog.DATABASE_GRANTS), wanted)
    for row in ask(connection, catalog.POSSESSIONS, roles=_APPLICATION):
        yield Finding(row.object, f"belongs to {row.role}", "The application's roles own nothing: drop it.")


def _schemas(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Schemas are used by the declared roles, and written by their owner alone."""
    for schema, users in SCHEMA_USERS.items():
        wanted = {(user.value, "USAGE") for user in users}
        yield from _compare_grants(f"schema {schema}", ask(connection, catalog.SCHEMA_GRANTS, schema=schema), wanted)


def _relations(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """There are the models' tables and their sequences, the owner's, isolated as declared, and nothing else."""
    models = [mapper.class_ for mapper in Base.registry.mappers]
    declared = {_qualified(isolation.table): isolation for isolation in map(Isolation.of, models)}
    declared[_ALEMBIC.table] = _ALEMBIC
    live = {row.name: row for row in ask(connection, catalog.RELATIONS)}
    for name, row in live.items():
        if row.owner != _OWNER:
            yield Finding(name, f"belongs to {row.owner}", f"ALTER TABLE {name} OWNER TO {_OWNER}")
        wanted = declared[name].triggers() if name in declared else []
        for trigger in set(row.triggers) - set(wanted):
            yield Finding(name, f"has a trigger that is not declared: {trigger}", "Drop it, or declare a Meter.")
        for trigger in set(wanted) - set(row.triggers):
            yield Finding(name, f"has no trigger as declared: {trigger}", _ISOLATE)
        for what in ("rules", "inheritance"):
            if getattr(row, what):
                yield Finding(name, f"has {what}", "Nothing of the kind is declared: drop it.")
        if row.kind == "S":
            continue
        if row.kind in "vmf" or name not in declared:
            yield Finding(name, "is no model's table", "Declare a model, or drop it.")
        else:
            yield from _isolation(connection, row, declared[name])
    for name in declared.keys() - live.keys():
        yield Finding(name, "is missing", _MIGRATE)
    for row in ask(connection, catalog.OPEN_SEQUENCES, roles=_APPLICATION):
        yield Finding(f"sequence {row.name}", f"is open to {row.role}", f"REVOKE ALL ON {row.name} FROM {row.role}")


def _isolation(connection: psycopg.Connection[Any], row: Row, isolation: Isolation) -> Iterator[Finding]:
    """One table: its grants, row-level security and policies, and no statistics of tenants' columns."""
    wanted = {(role, privilege) for role, privileges in isolation.grants.items() for privilege in privileges}
    yield from _compare_grants(row.name, ask(connection, catalog.TABLE_GRANTS, table=row.name), wanted)
    if isolation.tenant_column is None:
        return
    if not row.has_row_security:
        yield Finding(row.name, "has no row-level security", f"ALTER TABLE {row.name} ENABLE ROW LEVEL SECURITY")
    if not row.forces_row_security:
        yield Finding(row.name, "does not force row-level security", f"ALTER TABLE {row.name} FORCE ROW LEVEL SECURITY")
    declared = {_policy(policy) for policy in isolation.policies()}
    live = {_policy(policy) for policy in ask(connection, catalog.POLICIES, table=row.name)}
    for policy in declared - live:
        yield Finding(row.name, f"has no policy {policy[0]} as declared", _ISOLATE)
    for policy in live - declared:
        yield Finding(row.name, f"has a policy {policy[0]} that is not declared", _ISOLATE)
    for column in ask(connection, catalog.COLUMNS_WITH_STATISTICS, table=row.name):
        yield Finding(row.name, f"keeps the planner's statistics of {column.name}, which EXPLAIN tells", _ISOLATE)


def _policy(policy: Any) -> tuple[Any, ...]:
    roles = tuple(sorted(policy.roles))
    return policy.name, policy.is_permissive, policy.command, roles, _bare(policy.using), _bare(policy.check)


def _keys(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """What is unique in a tenant's table is unique in the tenant: PostgreSQL looks past row-level security there."""
    owned = {_qualified(name) for name, column in tenant_columns().items() if column == "tenant_id"}
    for row in ask(connection, catalog.UNIQUE_INDEXES):
        if row.table not in owned:
            continue
        if row.is_primary and row.columns != ["tenant_id", "id"]:
            yield Finding(row.table, f"has the primary key {row.columns}", "Make it (tenant_id, id).")
        if row.columns[0] != "tenant_id" or row.is_exclusion:
            yield Finding(row.table, f"has the unique index {row.name}, not led by tenant_id", "It tells: drop it.")


def _foreign_keys(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """Foreign keys are those of the models, and composite between tenants' tables."""
    owned = {_qualified(name) for name, column in tenant_columns().items() if column == "tenant_id"}
    declared = {_signature(key) for table in Base.metadata.tables.values() for key in table.foreign_key_constraints}
    live = set()
    for row in ask(connection, catalog.FOREIGN_KEYS):
        pairs = tuple(zip(row.columns, row.targets, strict=True))
        live.add((row.table, row.target, pairs))
        if {row.table, row.target} <= owned and ("tenant_id", "tenant_id") not in pairs:
            yield Finding(row.table, f"refers to {row.target} by {row.columns} alone", "Use tenant_reference().")
    for table, target, pairs in declared - live:
        yield Finding(table, f"has no foreign key {pairs} to {target}", _MIGRATE)
    for table, target, pairs in live - declared:
        yield Finding(table, f"has the undeclared foreign key {pairs} to {target}", "Drop it, or declare it.")


def _functions(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """The gate's functions run as the owner, with a fixed search_path, for the declared roles alone."""
    declared, bodies = declared_gate_grants(), declared_gate_bodies()
    seen: set[str] = set()
    for row in ask(connection, catalog.FUNCTIONS):
        function = f"function {row.schema}.{row.name}"
        if row.schema != "gate":
            yield Finding(function, "is not the gate's", "Functions are in the schema gate only: drop it.")
            continue
        if row.name in seen:
            yield Finding(function, "is there twice", "Run `platforma migrate`, which drops former versions.")
        seen.add(row.name)
        if row.owner != _OWNER:
            yield Finding(function, f"belongs to {row.owner}", _MIGRATE)
        if not row.is_security_definer:
            yield Finding(function, "is not SECURITY DEFINER", "Declare it so in gate/*.sql.")
        if not re.fullmatch(r"search_path=pg_catalog,( jobs,)? pg_temp", " ".join(row.settings or [])):
            yield Finding(function, f"has the settings {row.settings}", "SET search_path = pg_catalog, pg_temp")
        if _without_comments(row.body) not in bodies.get(row.name, ()):
            yield Finding(function, "does something else than this version's", _MIGRATE)
        live = [_GateGrant(role) for role in row.callers]
        wanted = {(role, "EXECUTE") for role in declared.get(row.name, ())}
        yield from _compare_grants(f"function {row.signature}", live, wanted)
    for name in declared.keys() - seen:
        yield Finding(f"function gate.{name}", "is missing", _MIGRATE)


@dataclass(frozen=True)
class _GateGrant:
    grantee: str
    privilege: str = "EXECUTE"
    is_grantable: bool = False


def _queue(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """The job queue is for the roles that run it, and tells nobody else what it does."""
    others = sorted(set(_APPLICATION) - {role.value for role in QUEUE_ROLES})
    for row in ask(connection, catalog.OPEN_QUEUE, roles=others):
        yield Finding(row.object, f"is open to {row.role}", f"REVOKE ALL ON {row.object} FROM PUBLIC, {row.role}")
    for row in ask(connection, catalog.NOTIFYING_TRIGGERS):
        yield Finding("jobs.procrastinate_jobs", f"notifies everybody by {row.name}", f"DROP TRIGGER {row.name}")


def _openings(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    """What PostgreSQL itself opens to everybody is closed where the application does not need it."""
    for row in ask(
        connection,
        catalog.OPEN_IN_THE_CATALOG,
        roles=_APPLICATION,
        functions=list(CLOSED_FUNCTIONS),
        views=list(CLOSED_VIEWS),
    ):
        yield Finding(row.object, f"is open to {row.role}", "As a superuser: platforma.database.migrate.harden_catalog")


def _compare_grants(name: str, rows: Iterable[Row], wanted: set[Grant]) -> Iterator[Finding]:
    """Compare live grants, whosever they are but the owner's, with the wanted."""
    live = {(row.grantee, row.privilege + (" WITH GRANT OPTION" if row.is_grantable else "")) for row in rows}
    for role, privilege in live - wanted:
        yield Finding(name, f"{role} has {privilege}", f"REVOKE {privilege} ON {name} FROM {role}")
    for role, privilege in wanted - live:
        yield Finding(name, f"{role} lacks {privilege}", f"GRANT {privilege} ON {name} TO {role}")


def _signature(key: ForeignKeyConstraint) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    pairs = tuple((element.parent.name, element.column.name) for element in key.elements)
    return _qualified(str(key.table.fullname)), _qualified(str(key.referred_table.fullname)), pairs


def _qualified(name: str) -> str:
    return name if "." in name else f"public.{name}"


def _is_ours(name: str | None, kind: str, parents: Any) -> bool:
    return name in (None, "gate") if kind == "schema" else name != "alembic_version"


def _bare(condition: str | None) -> str | None:
    """Return a condition without its outermost parentheses and with single spaces, as both sides may write them."""
    if condition is None:
        return None
    bare = re.sub(r"\s+", " ", condition).strip()
    while bare.startswith("(") and bare.endswith(")") and _is_balanced(bare[1:-1]):
        bare = bare[1:-1].strip()
    return bare


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return False
    return depth == 0
