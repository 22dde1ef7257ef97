"""Calls of the gate's functions, and the bindings made with them."""

from collections import namedtuple
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast
from uuid import UUID

import psycopg
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_

from platforma.database.scoping import as_gate_call

GateRow = Any
"""What a function of the gate returns: a named tuple of its columns."""


@cache
def gate_statement(function: str, *arguments: str) -> TextClause:
    """Return the statement that calls a gate function by name with named arguments."""
    return as_gate_call(text(_call(function, arguments, ":{}")))


def call_gate(connection: Connection, function: str, **arguments: Any) -> GateRow | None:
    """Call a gate function on an open transaction; return its row, or None.

    It goes to the driver's connection itself, as every request begins with such a call and SQLAlchemy's way to make
    a result takes longer than the call. Raises DBAPIError, as SQLAlchemy does.
    """
    statement = _driver_statement(function, *arguments)
    pooled = connection.connection
    try:
        return await_(_fetch(pooled.driver_connection, function, statement, arguments))
    except psycopg.Error as error:
        is_lost = connection.dialect.is_disconnect(cast(Any, error), pooled.dbapi_connection, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=connection.dialect,
        ) from error


async def _fetch(driver: Any, function: str, statement: str, arguments: Mapping[str, Any]) -> GateRow | None:
    async with driver.cursor() as cursor:
        await cursor.execute(statement, arguments)
        row = await cursor.fetchone()
        if row is None:
            return None
        if cursor.rowcount > 1:
            raise RuntimeError(f"gate.{function} returned {cursor.rowcount} rows.")
        result = cursor.pgresult
        return _row_type(function, *(result.fname(number) for number in range(result.nfields)))(*row)


@cache
def _row_type(function: str, *names: bytes) -> Any:
    return namedtuple(function, [name.decode() for name in names])


@cache
def _driver_statement(function: str, *arguments: str) -> str:
    return _call(function, arguments, "%({})s")


def _call(function: str, arguments: tuple[str, ...], placeholder: str) -> str:
    if not function.isidentifier() or not all(name.isidentifier() for name in arguments):
        raise ValueError("Gate functions and their arguments are identifiers.")
    named = ", ".join(f"{name} => {placeholder.format(name)}" for name in arguments)
    return f"SELECT * FROM gate.{function}({named})"  # noqa: S608 (identifiers, checked above)


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
    target: str | None = None
    """Whom or what in the tenant the act is about."""

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(
            connection,
            "open_tenant",
            tenant=self.tenant_id,
            actor=self.actor,
            action=self.action,
            reason=self.reason,
            target=self.target,
        )
        return row.tenant_id if row else None
