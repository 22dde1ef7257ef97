"""What a statement may touch: the part of TenantSession that reads statements before they run.

A statement is confined in one way only: it is an ORM SELECT, UPDATE or DELETE whose tenant-owned tables all
come from mapped classes, so that `with_loader_criteria` reaches each of them. Anything else that touches a
tenant-owned table is refused, and so is raw SQL, because nobody can see what it touches.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import (
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
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.selectable import AliasedReturnsRows, TextualSelect

from platforma.database.errors import CrossTenantError, UnscopedAccessError
from platforma.database.tables import Base, TenantOwned, tenant_tables


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
    if not touches_tenants(statement):
        return
    if isinstance(statement, Insert):
        raise UnscopedAccessError("insert() bypasses the stamp of the tenant. Use session.add() or add_all().")
    if not _is_orm(statement):
        raise UnscopedAccessError("A Core statement cannot be confined to a tenant. Start from the mapped class.")
    if isinstance(statement, Update):
        _check_update(statement, parameters)
    if isinstance(statement, Delete) and isinstance(parameters, list):
        raise UnscopedAccessError("Bulk delete by parameters cannot be confined. Use delete(Model).where(...).")


def _check_update(statement: Update, parameters: Any) -> None:
    if isinstance(parameters, list):
        raise UnscopedAccessError(
            "Bulk update by primary key cannot be confined. Change the objects, or use update(Model).where(...)."
        )
    names = set(parameters or ())
    names |= {getattr(column, "key", column) for column in statement._values or ()}
    if "tenant_id" in names:
        raise CrossTenantError("A row stays with its tenant: tenant_id cannot be changed.")


def touches_tenants(statement: Any) -> bool:
    """Say whether a statement reads or writes tenant-owned classes; raise if it names their tables in any other way.

    Each SELECT is looked at by itself. A column without its class (as SQLAlchemy writes for a primary key) is
    good where the same SELECT has the class itself, because both then mean the one confined FROM element.
    """
    touched = False
    levels: list[Any] = [statement]
    while levels:
        level = levels.pop()
        mapped: set[Table] = set()
        bare: set[Table] = set()
        waiting = list(_children(level))
        while waiting:
            element = waiting.pop()
            if isinstance(element, Select | Insert | Update | Delete):
                levels.append(element)
                continue
            _check_element(element, mapped, bare)
            waiting.extend(_children(element))
        touched |= bool(mapped)
        for table in bare - mapped:
            raise UnscopedAccessError(
                f"Table {table.name} was used without its class, so that the tenant's filter cannot reach it. "
                f"Use {tenant_tables()[table.name].__name__} instead of its __table__."
            )
    return touched


def _children(element: Any) -> Iterable[Any]:
    """Return what was written, and not the FROM elements that SQLAlchemy derives from columns: those have lost
    the mark of the class that the columns came from."""
    if isinstance(element, Select):
        return super(Select, element).get_children(omit_attrs=("_correlate", "_correlate_except"))
    return element.get_children()  # type: ignore[no-any-return]


def _check_element(element: Any, mapped: set[Table], bare: set[Table]) -> None:
    """Refuse what cannot be confined; sort tenant-owned tables into those with their class and those without."""
    if isinstance(element, TextClause | TextualSelect | CompoundSelect):
        raise UnscopedAccessError(
            f"{type(element).__name__} inside a statement cannot be confined to a tenant. Write it with mapped classes."
        )
    has_class = "parententity" in element._annotations
    if isinstance(element, Table):
        _sort_table(element, mapped if has_class else bare)
    elif isinstance(element, TableClause):
        raise UnscopedAccessError(f"table({element.name!r}) is unknown to the models. Use the mapped class.")
    elif isinstance(element, ColumnClause):
        if element.is_literal and element.name != "*":  # count(*)
            raise UnscopedAccessError("literal_column() is raw SQL. Write it with mapped classes.")
        if isinstance(element.table, Table):
            _sort_table(element.table, mapped if has_class else bare)
        elif isinstance(element.table, AliasedReturnsRows) and not has_class:
            _sort_alias(element.table)


def _sort_table(table: Table, into: set[Table]) -> None:
    if table.schema == "gate":
        raise UnscopedAccessError(f"{table.fullname} belongs to the gate. Call the gate's functions.")
    if table.name in tenant_tables():
        into.add(Base.metadata.tables[table.fullname])


def _sort_alias(alias: AliasedReturnsRows) -> None:
    """Refuse a column of an alias of a table; columns of sub-queries are good, for those are looked at themselves."""
    inner: Any = alias.element
    if isinstance(inner, Table) and "parententity" not in alias._annotations and inner.name in tenant_tables():
        raise UnscopedAccessError(f"An alias of table {inner.name} was used. Use aliased(Model).")


def _is_orm(statement: Any) -> bool:
    return statement._propagate_attrs.get("compile_state_plugin") == "orm"


def check_platform_statement(statement: Executable) -> None:
    """Raise UnscopedAccessError for anything but a statement on platform-wide tables."""
    if not isinstance(statement, Select | Insert | Update | Delete):
        raise UnscopedAccessError(f"{type(statement).__name__} is not for platform sessions.")
    if touches_tenants(statement):
        raise UnscopedAccessError("A tenant-owned table in a platform session. Open the tenant first.")
