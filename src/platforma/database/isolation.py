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
from platforma.database.tables import Base, TenantOwned

TENANT_POLICY = "tenant"
GATE_POLICY = "gate"
OPERATOR_POLICY = "operator"


@dataclass(frozen=True)
class Isolation:
    """How a table is isolated.

    `tenant_column` is None for a platform-wide table, which gets grants and no policy. `gate_reads` lets the
    gate's functions, which run as the owner, see all rows; nobody else can become the owner.
    `operators_see_all` is for `tenants` itself, which operators administer.
    """

    table: str
    grants: Mapping[str, Iterable[str]] = field(default_factory=dict)
    tenant_column: str | None = "tenant_id"
    gate_reads: bool = False
    operators_see_all: bool = False

    @classmethod
    def of(cls, model: type[Base]) -> "Isolation":
        """Return the isolation that a model declares."""
        table = model.__table__
        assert isinstance(table, Table)  # noqa: S101 (a declarative model is mapped to a table)
        own_row = getattr(model, "__own_row__", False)
        return cls(
            table.fullname,
            grants={role.value: tuple(privileges) for role, privileges in model.__grants__.items()},
            tenant_column="tenant_id" if issubclass(model, TenantOwned) else ("id" if own_row else None),
            gate_reads=model.__gate_reads__,
            operators_see_all=own_row,
        )

    def statements(self) -> list[str]:
        """Return the SQL that isolates the table."""
        everyone = ", ".join(APPLICATION_ROLES)
        statements = [f"REVOKE ALL ON {self.table} FROM PUBLIC, {everyone}"]
        statements += [
            f"GRANT {', '.join(privileges)} ON {self.table} TO {role}" for role, privileges in self.grants.items()
        ]
        if self.tenant_column is None:
            return statements
        condition = f"({self.tenant_column} = (SELECT gate.current_tenant()))"
        bound = (DatabaseRole.PORTAL, DatabaseRole.WORKER) if self.operators_see_all else APPLICATION_ROLES
        statements += [
            f"ALTER TABLE {self.table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {self.table} FORCE ROW LEVEL SECURITY",
            self._policy(TENANT_POLICY, bound, condition),
        ]
        if self.operators_see_all:
            operators = (DatabaseRole.PROVISIONER, DatabaseRole.OPERATOR)
            statements.append(self._policy(OPERATOR_POLICY, operators, "(true)"))
        if self.gate_reads:
            statements.append(self._policy(GATE_POLICY, (DatabaseRole.OWNER,), "(true)"))
        return statements

    def _policy(self, name: str, roles: Iterable[DatabaseRole], condition: str) -> str:
        return f"CREATE POLICY {name} ON {self.table} TO {', '.join(roles)} USING {condition} WITH CHECK {condition}"


@Operations.register_operation("isolate_table")
class IsolateTable(MigrateOperation):
    """`op.isolate_table("servers", grants={...})` in a migration."""

    def __init__(self, isolation: Isolation) -> None:
        self.isolation = isolation

    @classmethod
    def isolate_table(cls, operations: Operations, table: str, **declared: Any) -> None:
        """Isolate a table that this migration made. Arguments as of `Isolation`."""
        operations.invoke(cls(Isolation(table, **declared)))


@Operations.implementation_for(IsolateTable)
def _isolate_table(operations: Operations, operation: IsolateTable) -> None:
    for statement in operation.isolation.statements():
        operations.execute(statement)


@renderers.dispatch_for(IsolateTable)
def _render_isolate_table(context: AutogenContext, operation: IsolateTable) -> str:
    isolation = operation.isolation
    arguments = [repr(isolation.table), f"grants={dict(isolation.grants)!r}"]
    if isolation.tenant_column != "tenant_id":
        arguments.append(f"tenant_column={isolation.tenant_column!r}")
    arguments += [f"{flag}=True" for flag in ("gate_reads", "operators_see_all") if getattr(isolation, flag)]
    return f"op.isolate_table({', '.join(arguments)})"
