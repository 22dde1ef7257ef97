"""Calls of the gate's functions, and the bindings made with them."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from platforma.database.scoping import as_gate_call


@cache
def gate_statement(function: str, *arguments: str) -> TextClause:
    """Return the statement that calls a gate function by name with named arguments."""
    if not function.isidentifier() or not all(name.isidentifier() for name in arguments):
        raise ValueError("Gate functions and their arguments are identifiers.")
    named = ", ".join(f"{name} => :{name}" for name in arguments)
    return as_gate_call(text(f"SELECT * FROM gate.{function}({named})"))  # noqa: S608 (identifiers, checked above)


def call_gate(connection: Connection, function: str, **arguments: Any) -> Row[Any] | None:
    """Call a gate function on an open transaction; return its row, or None."""
    return connection.execute(gate_statement(function, *arguments), arguments).one_or_none()


@dataclass
class OperationBinding:
    """Binds a job to the tenant whose operation it carries out."""

    operation_id: UUID

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(connection, "open_operation", operation=self.operation_id)
        return row.tenant_id if row else None


@dataclass
class OperatorBinding:
    """An operator's one way into a tenant's rows: with a name and a reason, both written to two audit logs."""

    tenant_id: UUID
    actor: str
    action: str
    reason: str

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(
            connection,
            "open_tenant",
            tenant=self.tenant_id,
            actor=self.actor,
            action=self.action,
            reason=self.reason,
        )
        return row.tenant_id if row else None
