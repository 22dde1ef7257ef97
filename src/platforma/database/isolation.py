"""The isolation of a table, as SQL: row-level security, its policies, and the grants of its model.

Migrations call `op.isolate_table` for each table they make (autogenerate writes the call), and the census
compares the live catalog with the declarations of the models.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations
from sqlalchemy import Table

from platforma.database.roles import APPLICATION_ROLES, DatabaseRole
from platforma.database.tables import Base, Meter, Restriction, tenant_columns

TENANT_POLICY = "tenant"
GATE_POLICY = "gate"
OPERATOR_POLICY = "operator"


@dataclass(frozen=True)
class Policy:
    """A row-level security policy, with its conditions as PostgreSQL prints them."""

    name: str
    is_permissive: bool
    command: str
    roles: tuple[DatabaseRole, ...]
    using: str | None
    check: str | None

    def statement(self, table: str) -> str:
        """Return the SQL that makes it."""
        return " ".join(
            [
                f"CREATE POLICY {self.name} ON {table}",
                f"AS {'PERMISSIVE' if self.is_permissive else 'RESTRICTIVE'} FOR {self.command}",
                f"TO {', '.join(self.roles)}",
                *([f"USING ({self.using})"] if self.using else []),
                *([f"WITH CHECK ({self.check})"] if self.check else []),
            ]
        )


@dataclass(frozen=True)
class Isolation:
    """How a table is isolated.

    `tenant_column` is None for a platform-wide table, which gets grants and no policy. `gate_reads` lets the
    gate's functions, which run as the owner, see all rows; nobody else can become the owner.
    `operators_see_all` is for `tenants` itself, which operators administer. `meter` has a trigger write what the
    rows use. `chained` has triggers hash each row with the one before it, and refuse every change.
    """

    table: str
    grants: Mapping[str, Iterable[str]] = field(default_factory=dict)
    tenant_column: str | None = "tenant_id"
    gate_reads: bool = False
    operators_see_all: bool = False
    restrictions: tuple[Restriction, ...] = ()
    meter: Meter | None = None
    chained: bool = False

    @classmethod
    def of(cls, model: type[Base]) -> "Isolation":
        """Return the isolation that a model declares."""
        table = model.__table__
        assert isinstance(table, Table)  # noqa: S101 (a declarative model is mapped to a table)
        return cls(
            table.fullname,
            grants={role.value: tuple(privileges) for role, privileges in model.__grants__.items()},
            tenant_column=tenant_columns().get(table.fullname),
            gate_reads=model.__gate_reads__,
            operators_see_all=model.__own_row__,
            restrictions=model.__restrictions__,
            meter=model.__meter__,
            chained=model.__chained__,
        )

    def policies(self) -> list[Policy]:
        """Return the policies of the table."""
        if self.tenant_column is None:
            return []
        condition = f"({self.tenant_column} = ( SELECT gate.current_tenant() AS current_tenant))"
        bound = (DatabaseRole.PORTAL, DatabaseRole.WORKER) if self.operators_see_all else APPLICATION_ROLES
        policies = [Policy(TENANT_POLICY, True, "ALL", bound, condition, condition)]
        if self.operators_see_all:
            operators = (DatabaseRole.PROVISIONER, DatabaseRole.OPERATOR)
            policies.append(Policy(OPERATOR_POLICY, True, "ALL", operators, "true", "true"))
        if self.gate_reads:
            policies.append(Policy(GATE_POLICY, True, "ALL", (DatabaseRole.OWNER,), "true", "true"))
        return policies + [
            Policy(rule.name, False, rule.command, rule.roles, rule.using, rule.check) for rule in self.restrictions
        ]

    def triggers(self) -> list[str]:
        """Return the triggers of the table, as PostgreSQL prints them."""
        table = self.table if "." in self.table else f"public.{self.table}"
        if self.chained:
            return [
                f"CREATE TRIGGER chain BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION gate.chain()",
                f"CREATE TRIGGER keep BEFORE DELETE OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION gate.keep()",
                f"CREATE TRIGGER keep_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION gate.keep()",
            ]
        if self.meter is None:
            return []
        arguments = ", ".join(
            "'" + argument.replace("'", "''") + "'" for argument in (self.meter.item, self.meter.quantity)
        )
        return [
            f"CREATE TRIGGER meter AFTER INSERT OR DELETE OR UPDATE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION gate.meter({arguments})"
        ]

    def statements(self) -> list[str]:
        """Return the SQL that isolates the table, whatever it was before."""
        everyone = ", ".join(APPLICATION_ROLES)
        statements = [f"REVOKE ALL ON {self.table} FROM PUBLIC, {everyone}"]
        statements += [
            f"GRANT {', '.join(privileges)} ON {self.table} TO {role}" for role, privileges in self.grants.items()
        ]
        if self.tenant_column is None:
            return statements
        statements += [
            f"ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {self.table} FORCE ROW LEVEL SECURITY",
            _DROP_POLICIES.format(table=self.table),
            _KEEP_NO_STATISTICS.format(table=self.table),
            *(f"DROP TRIGGER IF EXISTS {name} ON {self.table}" for name in _TRIGGERS[: 4 if self.chained else 1]),
            *self.triggers(),
        ]
        return statements + [policy.statement(self.table) for policy in self.policies()]


_TRIGGERS = ("meter", "chain", "keep", "keep_all")

_DROP_POLICIES = """\
DO $$
DECLARE
    policy name;
BEGIN
    FOR policy IN SELECT polname FROM pg_policy WHERE polrelid = '{table}'::regclass LOOP
        EXECUTE format('DROP POLICY %I ON {table}', policy);
    END LOOP;
END
$$"""

_KEEP_NO_STATISTICS = """\
DO $$
DECLARE
    attribute name;
BEGIN
    FOR attribute IN
        SELECT attname FROM pg_attribute
        WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped
    LOOP
        EXECUTE format('ALTER TABLE {table} ALTER COLUMN %I SET STATISTICS 0', attribute);
    END LOOP;
END
$$"""
# The planner's statistics are of all tenants' rows together, and EXPLAIN tells its estimates to everybody: with
# them, one could ask how many rows another tenant has, or whether a value exists. Every query is led by tenant_id,
# so that the planner needs to know the keys, and these it knows.


def isolate_table(operations: Any, table: str, **declared: Any) -> None:
    """Isolate a table in a migration, also one that is isolated already. Arguments as of `Isolation`."""
    operations.invoke(IsolateTable(Isolation(table, **declared)))


class IsolateTable(MigrateOperation):
    """Autogenerated where a table is new, or its isolation is not what its model declares."""

    def __init__(self, isolation: Isolation) -> None:
        self.isolation = isolation


@Operations.implementation_for(IsolateTable)
def _isolate_table(operations: Operations, operation: IsolateTable) -> None:
    for statement in operation.isolation.statements():
        operations.execute(statement)


@renderers.dispatch_for(IsolateTable)
def _render_isolate_table(context: AutogenContext, operation: IsolateTable) -> str:
    isolation = operation.isolation
    context.imports.add("from platforma.database.isolation import isolate_table")
    arguments = ["op", repr(isolation.table), f"grants={dict(isolation.grants)!r}"]
    if isolation.tenant_column != "tenant_id":
        arguments.append(f"tenant_column={isolation.tenant_column!r}")
    arguments += [f"{flag}=True" for flag in ("gate_reads", "operators_see_all") if getattr(isolation, flag)]
    if isolation.restrictions:
        context.imports.add("from platforma.database.roles import DatabaseRole")
        context.imports.add("from platforma.database.tables import Restriction")
        arguments.append(f"restrictions=({', '.join(map(_render_restriction, isolation.restrictions))},)")
    if isolation.chained:
        arguments.append("chained=True")
    if isolation.meter is not None:
        context.imports.add("from platforma.database.tables import Meter")
        arguments.append(f"meter={isolation.meter!r}")
    return f"isolate_table({', '.join(arguments)})"


def _render_restriction(rule: Restriction) -> str:
    roles = ", ".join(f"DatabaseRole.{role.name}" for role in rule.roles)
    arguments = [repr(rule.name), f"({roles},)", repr(rule.command)]
    arguments += [f"{part}={getattr(rule, part)!r}" for part in ("using", "check") if getattr(rule, part) is not None]
    return f"Restriction({', '.join(arguments)})"
