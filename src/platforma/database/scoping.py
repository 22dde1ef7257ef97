"""What a statement may touch: the part of TenantSession that reads statements before they run.

A statement is confined in one way only: it is an ORM SELECT, UPDATE or DELETE whose tenant-owned tables all
come from mapped classes, so that `with_loader_criteria` reaches each of them. Anything else that touches a
tenant-owned table is refused, and so is raw SQL, because nobody can see what it touches.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    CompoundSelect,
    Delete,
    Insert,
    Select,
    Table,
    TableClause,
    TextClause,
    Update,
)
from sqlalchemy.orm import with_loader_criteria
from sqlalchemy.orm.interfaces import ORMOption
from sqlalchemy.sql import visitors
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.sql.selectable import FromClause, TextualSelect, Values

from platforma.database.errors import CrossTenantError, UnscopedAccessError
from platforma.database.tables import TenantOwned, tenant_tables


def tenant_filter(tenant_id: UUID) -> ORMOption:
    """Return the option that confines every tenant-owned class in an ORM statement, aliases included."""
    return with_loader_criteria(
        TenantOwned,
        lambda model: model.tenant_id == tenant_id,
        include_aliases=True,
        propagate_to_loaders=True,
    )


def check_statement(statement: Executable, parameters: Any) -> None:
    """Raise UnscopedAccessError unless `tenant_filter` confines the statement, or it touches no tenant's rows."""
    if not isinstance(statement, Select | Insert | Update | Delete):
        raise UnscopedAccessError(
            f"{type(statement).__name__} cannot be confined to a tenant. Build select(), update() or delete() "
            "from mapped classes; raw SQL, text(), unions and from_statement() are not for tenants' sessions."
        )
    touched = False
    for element in _elements(statement):
        touched |= _check_element(element)
    if not touched:
        return
    if isinstance(statement, Insert):
        raise UnscopedAccessError(
            "insert() bypasses the stamp of the tenant. Use session.add() or add_all()."
        )
    if not _is_orm(statement):
        raise UnscopedAccessError(
            "A Core statement cannot be confined to a tenant. Start from the mapped class."
        )
    if isinstance(statement, Update):
        _check_update(statement, parameters)
    if isinstance(statement, Delete) and isinstance(parameters, list):
        raise UnscopedAccessError(
            "Bulk delete by parameters cannot be confined. Use delete(Model).where(...)."
        )


def _check_update(statement: Update, parameters: Any) -> None:
    if isinstance(parameters, list):
        raise UnscopedAccessError(
            "Bulk update by primary key cannot be confined. Change the objects, or use update(Model).where(...)."
        )
    names = set(parameters or ())
    for values in (statement._values or {}, dict(statement._ordered_values or ())):
        names |= {getattr(column, "key", column) for column in values}
    if "tenant_id" in names:
        raise CrossTenantError("A row stays with its tenant: tenant_id cannot be changed.")


def _elements(statement: ClauseElement) -> Iterator[Any]:
    yield from visitors.iterate(statement)


def _check_element(element: Any) -> bool:
    """Refuse what cannot be confined; say whether the element is of a tenant-owned class."""
    if isinstance(element, TextClause | TextualSelect | CompoundSelect):
        raise UnscopedAccessError(
            f"{type(element).__name__} inside a statement cannot be confined to a tenant. "
            "Write it with mapped classes."
        )
    if isinstance(element, BindParameter):
        return False
    if isinstance(element, Table):
        return _check_table(element, "parententity" in element._annotations)
    if isinstance(element, TableClause):
        raise UnscopedAccessError(f"table({element.name!r}) is unknown to the models. Use the mapped class.")
    if isinstance(element, ColumnClause):
        if element.is_literal:
            raise UnscopedAccessError("literal_column() is raw SQL. Write it with mapped classes.")
        table = _table_of(element.table)
        if table is not None:
            return _check_table(table, "parententity" in element._annotations or _is_annotated(element.table))
    return False


def _check_table(table: Table, is_mapped: bool) -> bool:
    if table.schema == "gate":
        raise UnscopedAccessError(f"{table.fullname} belongs to the gate. Call the gate's functions.")
    if table.name not in tenant_tables():
        return False
    if not is_mapped:
        raise UnscopedAccessError(
            f"Table {table.name} was used without its class, so that the tenant's filter cannot reach it. "
            f"Use {tenant_tables()[table.name].__name__} instead of its __table__."
        )
    return True


def _table_of(selectable: FromClause | None) -> Table | None:
    """Return the table behind a column's FROM element, through aliases; None for sub-queries, which are walked."""
    element: Any = selectable
    while element is not None and not isinstance(element, Table | Values):
        element = getattr(element, "element", None)
        if not isinstance(element, FromClause):
            return None
    return element if isinstance(element, Table) else None


def _is_annotated(selectable: Any) -> bool:
    return "parententity" in getattr(selectable, "_annotations", {})


def _is_orm(statement: Any) -> bool:
    return statement._propagate_attrs.get("compile_state_plugin") == "orm"


def check_platform_statement(statement: Executable) -> None:
    """Raise UnscopedAccessError for anything but a statement on platform-wide tables."""
    if not isinstance(statement, Select | Insert | Update | Delete):
        raise UnscopedAccessError(f"{type(statement).__name__} is not for platform sessions.")
    for element in _elements(statement):
        if _check_element(element):
            raise UnscopedAccessError("A tenant-owned table in a platform session. Open the tenant first.")
