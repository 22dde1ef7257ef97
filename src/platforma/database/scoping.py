"""The confinement of SQL to one tenant, checked on the statement that is really sent.

`tenant_filters` adds the tenant to every ORM statement. Whether it arrived is seen where SQLAlchemy renders a
statement (`ScopingCompiler`, once for each distinct statement, then cached) and where it is sent
(`check_emitted`, every time). A tenant-owned table is confined if the same SELECT, UPDATE or DELETE says
`tenant_id = :value`, with the session's tenant for the value; an INSERT, if that is what it writes. Everything else
is refused: raw SQL in any place, because nobody can see what it touches; tables that are no model's; functions
that are not known to touch no table.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BinaryExpression, BindParameter, Column, Connection, Join, Table, TextClause, event
from sqlalchemy.dialects.postgresql.psycopg import PGCompiler_psycopg
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import with_loader_criteria
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import BooleanClauseList, Grouping
from sqlalchemy.sql.selectable import AliasedReturnsRows, FromClause, FromGrouping

from platforma.database.errors import CrossTenantError, UnscopedAccessError
from platforma.database.tables import Base, TenantOwned, platform_tables, tenant_columns, tenant_tables

_SAFE_FUNCTIONS = """
    abs array_agg array_length array_position avg bool_and bool_or btrim ceil char_length clock_timestamp coalesce
    concat count current_timestamp date_bin date_part date_trunc extract floor gen_random_uuid greatest host
    jsonb_agg jsonb_array_elements jsonb_array_length jsonb_build_object jsonb_each jsonb_object_agg jsonb_set
    jsonb_typeof least left length lower lpad ltrim make_interval masklen max min mod network now nullif
    octet_length percentile_cont pg_advisory_xact_lock pg_try_advisory_xact_lock power random rank replace right
    round row_number rtrim split_part starts_with statement_timestamp string_agg strpos sum to_char
    transaction_timestamp trim unnest upper
"""
SAFE_FUNCTIONS = frozenset(_SAFE_FUNCTIONS.split())
"""Functions that statements may call: none of them reads a table, runs SQL from text, or changes a setting."""

_OPERATOR = re.compile(
    r"[-+*/<>=~!@#%^&|`?]{1,8}|(NOT )?I?LIKE|(NOT )?SIMILAR TO|IS( NOT)? DISTINCT FROM", re.IGNORECASE
)
_WORD = re.compile(r"[a-z_]+", re.IGNORECASE)
_HARMLESS_LITERAL = re.compile(r"\*|[0-9]+|NULL|'%'", re.IGNORECASE)

_SCOPE = "platforma_scope"
_CALL = "platforma_call"
_GATE_CALL = object()


@lru_cache(maxsize=4096)
def tenant_filters(tenant_id: UUID) -> tuple[ORMOption, ...]:
    """Return the options that confine every class with rows of tenants in an ORM statement, aliases included.

    The tenant is a variable of the closure, which SQLAlchemy binds anew for each execution of a cached statement.
    Kept for the tenants seen last: making them takes a quarter of the time of a whole query.
    """
    filters: list[ORMOption] = [
        with_loader_criteria(
            TenantOwned,
            lambda model: model.tenant_id == tenant_id,
            include_aliases=True,
        )
    ]
    for model in platform_tables().values():
        if model.__own_row__:
            own_id = cast(Any, model).id
            filters.append(with_loader_criteria(model, own_id == tenant_id, include_aliases=True))
    return tuple(filters)


class ScopingCompiler(PGCompiler_psycopg):
    """Renders SQL, and notes which tables with rows of tenants it touches and by which parameters they are confined."""

    # SQLAlchemy compiles within the constructor of its own class, so that attributes start as defaults of ours.
    tenant_tables_touched: frozenset[str] = frozenset()
    unconfined: frozenset[str] = frozenset()
    tenant_binds: tuple[BindParameter[Any], ...] = ()
    refusals: tuple[str, ...] = ()
    writes: bool = False
    _levels: tuple[frozenset[FromClause], ...] = ()

    def _refuse(self, what: str) -> None:
        self.refusals += (what,)

    def _touch(self, table: FromClause) -> str | None:
        """Note a table; return the column that names the tenant, or None if it has no rows of tenants."""
        name = str(getattr(table, "fullname", None) or getattr(table, "name", "?"))
        column = tenant_columns().get(name)
        if column is not None:
            self.tenant_tables_touched |= {name}
        elif getattr(table, "schema", None) == "gate":
            self._refuse(f"the table {name}; it belongs to the gate, so call the gate's functions")
        elif name not in Base.metadata.tables:
            self._refuse(f"the table {name}, which is no model's; use the mapped class")
        return column

    def _enter(self, criteria: Iterable[Any], froms: Iterable[FromClause]) -> None:
        """Begin a SELECT, UPDATE or DELETE: find what its own conditions confine."""
        confined: set[FromClause] = set()
        equalities = [pair for condition in criteria for pair in _equalities(condition)]
        equalities += [pair for element in froms for pair in _join_equalities(element)]
        for column, bind in equalities:
            table: Any = column.table
            base = table.element if isinstance(table, AliasedReturnsRows) else table
            if isinstance(base, Table) and tenant_columns().get(base.fullname) == column.name:
                confined.add(table)
                self.tenant_binds += (bind,)
        self._levels += (frozenset(confined),)

    def _leave(self) -> None:
        self._levels = self._levels[:-1]

    def _is_confined(self, element: FromClause) -> bool:
        return bool(self._levels) and element in self._levels[-1]

    def _compose_select_body(
        self, text: Any, select: Any, compile_state: Any, inner_columns: Any, froms: Any, *args: Any, **kwargs: Any
    ) -> Any:
        if select._hints or select._statement_hints:
            self._refuse("a hint, which is raw SQL; leave it out")
        self._enter(select._where_criteria, froms)
        try:
            return super()._compose_select_body(  # type: ignore[no-untyped-call]
                text, select, compile_state, inner_columns, froms, *args, **kwargs
            )
        finally:
            self._leave()

    def update_tables_clause(self, update_stmt: Any, from_table: Any, extra_froms: Any, **kw: Any) -> Any:
        """See SQLCompiler: the first to see the UPDATE in its final form. `visit_update` leaves the level."""
        self._enter(update_stmt._where_criteria, [])
        return super().update_tables_clause(update_stmt, from_table, extra_froms, **kw)  # type: ignore[no-untyped-call]

    def visit_update(self, update_stmt: Any, visiting_cte: Any = None, **kw: Any) -> str:
        """See SQLCompiler. A row stays with its tenant."""
        self.writes = True
        depth = len(self._levels)
        try:
            text = super().visit_update(update_stmt, visiting_cte=visiting_cte, **kw)
        finally:
            self._levels = self._levels[:depth]
        changed = {getattr(column, "key", column) for column in update_stmt._values or {}}
        if depth == 0:
            changed |= set(self.column_keys or ())
        column = tenant_columns().get(getattr(update_stmt.table, "fullname", ""))
        if column in changed:
            self._refuse(f"a change of {update_stmt.table.name}.{column}; a row stays with its tenant")
        return text

    def delete_table_clause(self, delete_stmt: Any, from_table: Any, extra_froms: Any, **kw: Any) -> Any:
        """See SQLCompiler: the first to see the DELETE in its final form. `visit_delete` leaves the level."""
        self._enter(delete_stmt._where_criteria, [])
        return super().delete_table_clause(delete_stmt, from_table, extra_froms, **kw)  # type: ignore[no-untyped-call]

    def visit_delete(self, delete_stmt: Any, visiting_cte: Any = None, **kw: Any) -> Any:
        """See SQLCompiler."""
        self.writes = True
        depth = len(self._levels)
        try:
            return super().visit_delete(delete_stmt, visiting_cte=visiting_cte, **kw)  # type: ignore[no-untyped-call]
        finally:
            self._levels = self._levels[:depth]

    def visit_insert(self, insert_stmt: Any, visited_bindparam: Any = None, visiting_cte: Any = None, **kw: Any) -> Any:
        """See SQLCompiler. An INSERT is confined by the one value that it writes for the tenant."""
        self.writes = True
        text = super().visit_insert(  # type: ignore[no-untyped-call]
            insert_stmt, visited_bindparam=visited_bindparam, visiting_cte=visiting_cte, **kw
        )
        column = self._touch(insert_stmt.table)
        if column is not None:
            bind = self.binds.get(column)
            if bind is None or insert_stmt._multi_values or insert_stmt.select is not None or visiting_cte is not None:
                self.unconfined |= {insert_stmt.table.name}
            else:
                self.tenant_binds += (bind,)
        return text

    def visit_table(self, table: Any, *args: Any, **kwargs: Any) -> Any:
        """See SQLCompiler."""
        if kwargs.get("asfrom") and self._touch(table) is not None and not self._is_confined(table):
            self.unconfined |= {table.name}
        return super().visit_table(table, *args, **kwargs)  # type: ignore[no-untyped-call]

    def visit_alias(self, alias: Any, *args: Any, **kwargs: Any) -> Any:
        """See SQLCompiler. An alias that is confined confines the table in it."""
        return self._visit_around(alias, super().visit_alias, *args, **kwargs)

    def visit_tablesample(self, tablesample: Any, *args: Any, **kw: Any) -> Any:
        """See SQLCompiler."""
        return self._visit_around(tablesample, super().visit_tablesample, *args, **kw)

    def _visit_around(self, alias: Any, visit: Any, *args: Any, **kwargs: Any) -> Any:
        """Visit an alias: what confines it confines the table in it, and nothing else does."""
        self._levels += (frozenset({alias.element}) if self._is_confined(alias) else frozenset(),)
        try:
            return visit(alias, *args, **kwargs)
        finally:
            self._leave()

    def visit_textclause(self, textclause: Any, *args: Any, **kw: Any) -> Any:
        """See SQLCompiler."""
        self._refuse("text()")
        return super().visit_textclause(textclause, *args, **kw)  # type: ignore[no-untyped-call]

    def visit_tstring(self, tstring: Any, *args: Any, **kw: Any) -> Any:
        """See SQLCompiler."""
        self._refuse("a template string")
        return super().visit_tstring(tstring, *args, **kw)  # type: ignore[no-untyped-call]

    def visit_column(self, column: Any, *args: Any, **kwargs: Any) -> str:
        """See SQLCompiler."""
        if column.is_literal and not _HARMLESS_LITERAL.fullmatch(column.name):
            self._refuse("literal_column()")
        return super().visit_column(column, *args, **kwargs)

    def visit_function(self, func: Any, *args: Any, **kwargs: Any) -> str:
        """See SQLCompiler."""
        if func.packagenames or func.name.lower() not in SAFE_FUNCTIONS:
            name = ".".join((*func.packagenames, func.name))
            self._refuse(f"the function {name}(), which is not in SAFE_FUNCTIONS of {__name__}")
        return super().visit_function(func, *args, **kwargs)

    def visit_sequence(self, sequence: Any, **kw: Any) -> Any:  # type: ignore[override]
        """See SQLCompiler."""
        self._refuse("a sequence")
        return super().visit_sequence(sequence, **kw)  # type: ignore[no-untyped-call]

    def visit_extract(self, extract: Any, **kwargs: Any) -> Any:
        """See SQLCompiler."""
        if not _WORD.fullmatch(extract.field):
            self._refuse("a field of extract() that is raw SQL")
        return super().visit_extract(extract, **kwargs)  # type: ignore[no-untyped-call]

    def visit_custom_op_binary(self, element: Any, operator: Any, **kw: Any) -> Any:
        """See SQLCompiler."""
        self._check_operator(operator)
        return super().visit_custom_op_binary(element, operator, **kw)  # type: ignore[no-untyped-call]

    def visit_custom_op_unary_operator(self, element: Any, operator: Any, **kw: Any) -> Any:
        """See SQLCompiler."""
        self._check_operator(operator)
        return super().visit_custom_op_unary_operator(element, operator, **kw)  # type: ignore[no-untyped-call]

    def visit_custom_op_unary_modifier(self, element: Any, operator: Any, **kw: Any) -> Any:
        """See SQLCompiler."""
        self._check_operator(operator)
        return super().visit_custom_op_unary_modifier(element, operator, **kw)  # type: ignore[no-untyped-call]

    def _check_operator(self, operator: Any) -> None:
        if not _OPERATOR.fullmatch(operator.opstring.strip()):
            self._refuse(f"the operator {operator.opstring!r}, which is raw SQL")


def _equalities(condition: Any) -> Iterator[tuple[Column[Any], BindParameter[Any]]]:
    """Yield each `column = :value` that must hold for the condition to hold."""
    if isinstance(condition, Grouping):
        yield from _equalities(condition.element)
    elif isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for clause in condition.clauses:
            yield from _equalities(clause)
    elif isinstance(condition, BinaryExpression) and condition.operator is operators.eq:
        left: Any = condition.left
        right: Any = condition.right
        if isinstance(left, Column) and isinstance(right, BindParameter):
            yield left, right


def _join_equalities(element: FromClause) -> Iterator[tuple[Column[Any], BindParameter[Any]]]:
    """Yield each `column = :value` of a join's condition that must hold for every row that the join takes from it.

    An inner join's condition confines both of its sides, a LEFT JOIN's the right side alone, a FULL JOIN's none.
    """
    if isinstance(element, FromGrouping):
        yield from _join_equalities(element.element)
    elif isinstance(element, Join):
        yield from _join_equalities(element.left)
        yield from _join_equalities(element.right)
        confined = set() if element.full else set(_leaves(element.right))
        if not element.full and not element.isouter:
            confined |= set(_leaves(element.left))
        yield from (pair for pair in _equalities(element.onclause) if pair[0].table in confined)


def _leaves(element: FromClause) -> Iterator[FromClause]:
    if isinstance(element, FromGrouping):
        yield from _leaves(element.element)
    elif isinstance(element, Join):
        yield from _leaves(element.left)
        yield from _leaves(element.right)
    else:
        yield element


class PlatformScope:
    """What a platform session may send: statements on platform-wide tables."""

    def check(self, compiled: ScopingCompiler, context: Any) -> None:
        """Raise UnscopedAccessError for a tenant-owned table."""
        owned = compiled.tenant_tables_touched & tenant_tables().keys()
        if owned:
            raise UnscopedAccessError(f"{_names(owned)} in a platform session. Open the tenant first.")


class TenantScope:
    """What one tenant's session may send: statements that are confined to it."""

    def __init__(self, tenant_id: UUID, *, is_read_only: bool) -> None:
        self.tenant_id = tenant_id
        self.is_read_only = is_read_only

    def check(self, compiled: ScopingCompiler, context: Any) -> None:
        """Raise UnscopedAccessError for what is not confined, CrossTenantError for what is to another tenant."""
        if compiled.unconfined:
            raise UnscopedAccessError(
                f"{_names(compiled.unconfined)}: the tenant's filter is missing. Start from the mapped class or "
                "aliased(Model), not from its __table__ or from_statement(); use a sub-query instead of UPDATE ... "
                "FROM, DELETE ... USING and FULL JOIN; name select_from(Model) beside a window; session.add() inserts."
            )
        if self.is_read_only and compiled.writes:
            raise UnscopedAccessError("A write in a ReadSession. Use a WriteSession.")
        for bind in compiled.tenant_binds:
            name = compiled.bind_names.get(bind)
            for parameters in context.compiled_parameters:
                if name is None or parameters.get(name) != self.tenant_id:
                    raise CrossTenantError("A statement names another tenant than its session's.")


Scope = PlatformScope | TenantScope


def guard(engine: AsyncEngine) -> None:
    """Let nothing through this engine but what `check_emitted` has seen."""
    dialect: Any = engine.sync_engine.dialect
    dialect.statement_compiler = ScopingCompiler
    event.listen(engine.sync_engine, "before_cursor_execute", check_emitted)


def as_gate_call(statement: TextClause) -> TextClause:
    """Mark the call of a gate function: the only raw SQL that is sent, and it looks at the binding itself."""
    return statement.execution_options(**{_CALL: _GATE_CALL})


def set_scope(connection: Connection, scope: Scope) -> None:
    """Say, for the rest of a connection's use, what may be sent on it."""
    connection.execution_options(**{_SCOPE: scope})


def check_emitted(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> None:
    """Raise UnscopedAccessError or CrossTenantError unless what is about to be sent is in its connection's scope."""
    if context is not None and context.execution_options.get(_CALL) is _GATE_CALL:
        return
    compiled = getattr(context, "compiled", None)
    if not isinstance(compiled, ScopingCompiler):
        raise UnscopedAccessError("Raw SQL cannot be confined to a tenant. Build statements from mapped classes.")
    if compiled.refusals:
        raise UnscopedAccessError(
            f"A statement that holds {'; and '.join(compiled.refusals)}, cannot be confined to a tenant. "
            "Build select(), update() and delete() from mapped classes alone."
        )
    scope = connection.get_execution_options().get(_SCOPE)
    if scope is None:
        raise UnscopedAccessError(
            "A connection without a tenant. Use Database.read(), write(), platform() or call_gate()."
        )
    scope.check(compiled, context)


def _names(tables: Iterable[str]) -> str:
    return ", ".join(sorted(tables))
