"""The base of every model: it is tenant-owned or platform-wide, and says who may do what with it.

A model that says neither, or forgets its grants, does not import. The live catalog is compared
with these declarations by `platforma.database.census`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Literal
from uuid import UUID

from sqlalchemy import (
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.kit.ids import new_id

Privilege = str
"""`SELECT`, `INSERT`, `UPDATE` or `DELETE`, or what `select_of` and `update_of` return."""
Grants = Mapping[DatabaseRole, tuple[Privilege, ...]]

READ: tuple[Privilege, ...] = ("SELECT",)
APPEND: tuple[Privilege, ...] = ("SELECT", "INSERT")
CHANGE: tuple[Privilege, ...] = ("SELECT", "UPDATE")
WRITE: tuple[Privilege, ...] = ("SELECT", "INSERT", "UPDATE", "DELETE")


def select_of(*columns: str) -> Privilege:
    """Return the privilege to read these columns and no others."""
    return f"SELECT ({', '.join(sorted(columns))})"


def update_of(*columns: str) -> Privilege:
    """Return the privilege to update these columns and no others."""
    return f"UPDATE ({', '.join(sorted(columns))})"


@dataclass(frozen=True)
class Restriction:
    """A restrictive policy: what rows of the role's own tenant must look like besides, for it to write them.

    `using` is asked of the row as it is, `check` of the row as it shall be, both as PostgreSQL prints them.
    """

    name: str
    roles: tuple[DatabaseRole, ...]
    command: Literal["SELECT", "INSERT", "UPDATE", "DELETE"]
    using: str | None = None
    check: str | None = None


@dataclass(frozen=True)
class Meter:
    """What a row of a table uses, as SQL over the row `r`: how many units (`quantity`) of what is sold (`item`).

    A trigger of the database writes each change of it into `usage_events`, in the same transaction: no code can
    forget it, and no process can write a usage of its own. A row whose item or quantity is null, or whose quantity
    is 0, uses nothing.
    """

    item: str
    quantity: str = "1"


class UnscopedModelError(TypeError):
    """A model says neither TenantOwned nor PlatformWide, or breaks the rules of what it says."""


class Base(DeclarativeBase):
    """The registry of all models. Inherit from TenantOwned or PlatformWide instead."""

    metadata = MetaData(
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text(),
        dict[str, Any]: JSONB(),
        list[dict[str, Any]]: JSONB(),
    }

    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012 (SQLAlchemy declares it so)
    """What the database computes comes back with the write: nothing is loaded behind an `await`'s back."""

    __grants__: ClassVar[Grants]
    __gate_reads__: ClassVar[bool] = False
    """Whether the gate's own functions, which run as the owner, must see every tenant's rows."""
    __own_row__: ClassVar[bool] = False
    """Whether each row is a tenant, whose own processes see that row only."""
    __restrictions__: ClassVar[tuple[Restriction, ...]] = ()
    """What a role's rows must look like besides being its tenant's."""
    __meter__: ClassVar[Meter | None] = None
    """What a row uses that may be billed."""
    __chained__: ClassVar[bool] = False
    """Whether rows are only ever added, each hashed together with the one before it (`gate.chain`)."""
    __outlives_tenant__: ClassVar[bool] = False
    """Whether the rows stay when their tenant is offboarded: accounts have to be kept for years."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        table = cls.__dict__.get("__table__")
        if table is None:
            return
        tenant_tables.cache_clear()
        tenant_columns.cache_clear()
        if issubclass(cls, TenantOwned) == issubclass(cls, PlatformWide):
            raise UnscopedModelError(f"{cls.__name__} must inherit from exactly one of TenantOwned and PlatformWide.")
        if not hasattr(cls, "__grants__"):
            raise UnscopedModelError(f"{cls.__name__} does not say in __grants__ which role may do what.")
        if issubclass(cls, TenantOwned):
            check_tenant_keys(table)


class PlatformWide(Base):
    """A row of the whole installation. No tenant's data goes here."""

    __abstract__ = True


class TenantOwned(Base):
    """A row of exactly one tenant: key (tenant_id, id), forced row-level security, stamped on write.

    References to other tenant-owned rows are composite (`tenant_reference`), and unique constraints are
    led by tenant_id: PostgreSQL checks both past row-level security, so that anything else would tell
    whether another tenant's row exists.
    """

    __abstract__ = True

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True, sort_order=-20)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-19)


class Created:
    """Mixin: when the row was made, by the database's clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)


class Touched(Created):
    """Mixin: when the row was made and last changed, by the database's clock."""

    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now(), sort_order=91)


def tenant_reference(column: str, target: str, *, ondelete: str | None = None) -> ForeignKeyConstraint:
    """Make the composite foreign key (tenant_id, column) -> target(tenant_id, id)."""
    return ForeignKeyConstraint(["tenant_id", column], [f"{target}.tenant_id", f"{target}.id"], ondelete=ondelete)


@cache
def tenant_tables() -> Mapping[str, type[TenantOwned]]:
    """Return every tenant-owned model by its table's name. Looked up for every statement, and so kept."""
    return {m.class_.__tablename__: m.class_ for m in Base.registry.mappers if issubclass(m.class_, TenantOwned)}


def platform_tables() -> dict[str, type[PlatformWide]]:
    """Return every platform-wide model by its table's name."""
    return {m.class_.__tablename__: m.class_ for m in Base.registry.mappers if issubclass(m.class_, PlatformWide)}


@cache
def tenant_columns() -> Mapping[str, str]:
    """Return, for every table with rows of tenants, the column that names the tenant."""
    columns = dict.fromkeys(tenant_tables(), "tenant_id")
    return columns | {name: "id" for name, model in platform_tables().items() if model.__own_row__}


def check_tenant_keys(table: Table) -> None:
    """Raise UnscopedModelError unless every key of a tenant-owned table is led by tenant_id."""

    def fail(what: str) -> None:
        raise UnscopedModelError(f"Table {table.name}: {what}")

    for constraint in table.constraints:
        columns = [column.name for column in getattr(constraint, "columns", ())]
        if isinstance(constraint, PrimaryKeyConstraint) and columns != ["tenant_id", "id"]:
            fail(f"the primary key is {columns} instead of (tenant_id, id).")
        if isinstance(constraint, UniqueConstraint) and columns[:1] != ["tenant_id"]:
            fail(f"the unique constraint on {columns} is not led by tenant_id.")
        if isinstance(constraint, ExcludeConstraint):
            fail("an exclusion constraint is checked past row-level security.")
    for index in table.indexes:
        if index.unique and [c.name for c in index.columns][:1] != ["tenant_id"]:
            fail(f"the unique index {index.name} is not led by tenant_id.")


def check_tenant_references() -> None:
    """Raise UnscopedModelError unless every foreign key between tenants' tables is composite, led by tenant_id.

    Needs all models to be there, and so is called by the census and not as each model is made.
    """
    owned = {model.__table__ for model in tenant_tables().values()}
    for table in owned:
        assert isinstance(table, Table)  # noqa: S101 (a declarative model is mapped to a table)
        for constraint in table.foreign_key_constraints:
            if constraint.referred_table not in owned:
                continue
            pairs = [(element.parent.name, element.column.name) for element in constraint.elements]
            if ("tenant_id", "tenant_id") not in pairs:
                raise UnscopedModelError(
                    f"Table {table.name}: the foreign key on {constraint.column_keys} leads to "
                    f"{constraint.referred_table.name} without tenant_id. Use tenant_reference()."
                )
