"""Lists: keyset pagination with an opaque cursor, filters, sorting. The same for every collection."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Generic, Literal, TypeVar, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, Select, and_, bindparam, inspect, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, aliased

from platforma.database.tables import Base, TenantOwned
from platforma.database.tenant_session import TenantSession, prepared
from platforma.kit.problems import Invalid

Row = TypeVar("Row", bound=Base)
Part = TypeVar("Part", bound=Base)
Item = TypeVar("Item")
Output = TypeVar("Output", bound=BaseModel)

LARGEST_PAGE = 200


class Page(BaseModel, Generic[Item]):
    """One page of a collection; `next` is the cursor of the page after it, or null at the end."""

    items: list[Item]
    next: str | None = None


class ListQuery(BaseModel):
    """What every collection understands."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=LARGEST_PAGE, description="Items on a page.")
    cursor: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="`next` of the page before."
    )
    sort: str = Field(
        default="created_at",
        pattern=r"^-?[a-z_]{1,40}$",
        description="A field to sort by; with a hyphen before it, from last to first.",
    )

    @property
    def is_descending(self) -> bool:
        """Whether the list goes from last to first."""
        return self.sort.startswith("-")


class NamedQuery(ListQuery):
    """The filter of everything that has a name."""

    name: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="Part of the name, in any case."
    )


class ResourceQuery(NamedQuery):
    """Filters that every resource has."""

    status: Literal["pending", "creating", "active", "updating", "deleting", "error"] | None = None


async def list_page(
    session: TenantSession,
    model: type[Row],
    query: ListQuery,
    *,
    sortable: dict[str, InstrumentedAttribute[Any]],
    where: Sequence[ColumnElement[bool]] = (),
) -> tuple[list[Row], str | None]:
    """Return one page of rows and the cursor of the next. Raises Invalid for a bad cursor or sort field."""
    column = _sort_column(query, sortable)
    if where or query.cursor is not None:
        statement = _select_page(model, column, query.is_descending, [*where, *_after_cursor(model, query, column)])
    else:
        statement = _select_first_page(model, column, query.is_descending)
    rows = (await session.scalars(statement, _values(session, model, query))).all()
    return _cut_page(list(rows), query, column)


async def list_page_with_parts(
    session: TenantSession,
    model: type[Row],
    query: ListQuery,
    *,
    part: type[Part],
    part_of: InstrumentedAttribute[UUID],
    sortable: dict[str, InstrumentedAttribute[Any]],
    where: Sequence[ColumnElement[bool]] = (),
) -> tuple[list[tuple[Row, list[Part]]], str | None]:
    """Return what `list_page` does, each row with its parts (whose `part_of` is its id), in the same round trip.

    Parts come in the order in which they were made.
    """
    column = _sort_column(query, sortable)
    if where or query.cursor is not None:
        page = _select_page(model, column, query.is_descending, [*where, *_after_cursor(model, query, column)])
        statement = _join_parts(model, page, column, query.is_descending, part, part_of)
    else:
        statement = _select_first_page_with_parts(model, column, query.is_descending, part, part_of)
    found: dict[Row, list[Part]] = {}
    for row, one in await session.execute(statement, _values(session, model, query)):
        parts = found.setdefault(row, [])
        if one is not None:
            parts.append(one)
    rows, cursor = _cut_page(list(found), query, column)
    return [(row, found[row]) for row in rows], cursor


@dataclass(frozen=True)
class Parts:
    """What each item of a list holds a list of: `name` is the item's field, `of` the column with the item's id."""

    name: str
    model: type[TenantOwned]
    output: type[BaseModel]
    of: str


async def list_outputs(
    session: TenantSession,
    model: type[TenantOwned],
    output: type[Output],
    query: ListQuery,
    *,
    sortable: dict[str, InstrumentedAttribute[Any]],
    where: Sequence[ColumnElement[bool]] = (),
    parts: Parts | None = None,
) -> Page[Output]:
    """Return one page as the API shows it, with parts if it has any, in one round trip.

    Reads the columns that the output has, and makes no objects of rows, which `list_page` spends half of its time
    on. Raises Invalid for a bad cursor or sort field.
    """
    column = _sort_column(query, sortable)
    if where or query.cursor is not None:
        conditions = (*where, *_after_cursor(model, query, column))
        statement = _select_outputs(model, output, column.key, query.is_descending, parts, conditions)
    else:
        statement = _select_first_outputs(model, output, column.key, query.is_descending, parts)
    values = {"rows": query.limit + 1, "tenant_id": session.tenant_id}
    items = _items((await session.execute(statement, values)).all(), _fields(model, output), parts)
    cursor = None
    if len(items) > query.limit:
        del items[query.limit :]
        cursor = _encode(query.sort, items[-1][column.key], items[-1]["id"])
    return Page[output].model_validate({"items": items, "next": cursor})  # type: ignore[valid-type]


def _select_outputs(
    model: type[TenantOwned],
    output: type[BaseModel],
    sort: str,
    is_descending: bool,
    parts: Parts | None,
    where: Iterable[ColumnElement[bool]] = (),
) -> Select[*tuple[Any, ...]]:
    """Return the statement of a page of columns: those of the item, then those of one of its parts."""
    table = model.__table__
    statement = (
        select(*(table.c[name] for name in _fields(model, output)))
        .where(table.c.tenant_id == bindparam("tenant_id"), *where)
        .order_by(*_order(table.c[sort], table.c.id, is_descending))
        .limit(bindparam("rows"))
    )
    if parts is None:
        return prepared(statement)
    page, part = statement.subquery(), parts.model.__table__
    joined = and_(part.c[parts.of] == page.c.id, part.c.tenant_id == bindparam("tenant_id"))
    columns = (part.c[name].label(f"part_{name}") for name in _fields(parts.model, parts.output))
    order = (*_order(page.c[sort], page.c.id, is_descending), part.c.created_at, part.c.id)
    return prepared(select(*page.c, *columns).select_from(page.outerjoin(part, joined)).order_by(*order))


_select_first_outputs = cache(_select_outputs)
"""What most lists begin with is kept: making the statement takes as long as running it."""


@cache
def _fields(model: type[TenantOwned], output: type[BaseModel]) -> tuple[str, ...]:
    """Return the fields of an output that are columns; the id first, which tells a part from none."""
    columns = model.__table__.c
    return ("id", *(name for name in output.model_fields if name in columns and name != "id"))


def _items(rows: Iterable[Sequence[Any]], fields: tuple[str, ...], parts: Parts | None) -> list[dict[str, Any]]:
    if parts is None:
        return [dict(zip(fields, row, strict=True)) for row in rows]
    part_fields = _fields(parts.model, parts.output)
    found: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        item = found.get(row[0])
        if item is None:
            item = found[row[0]] = dict(zip(fields, row, strict=False)) | {parts.name: []}
        if row[len(fields)] is not None:
            item[parts.name].append(dict(zip(part_fields, row[len(fields) :], strict=True)))
    return list(found.values())


def _sort_column(query: ListQuery, sortable: dict[str, InstrumentedAttribute[Any]]) -> InstrumentedAttribute[Any]:
    column = sortable.get(query.sort.removeprefix("-"))
    if column is None:
        raise Invalid(errors=[{"where": "query.sort", "detail": f"Sort by one of: {', '.join(sorted(sortable))}."}])
    return column


def _select_page(
    model: type[Row], column: InstrumentedAttribute[Any], is_descending: bool, where: Iterable[ColumnElement[bool]]
) -> Select[Row]:
    """Return the statement of a page. Its parameter `rows` is one more than the page has, to see if another follows."""
    return select(model).where(*where).order_by(*_order(column, _id_of(model), is_descending)).limit(bindparam("rows"))


def _join_parts(
    model: type[Row],
    page: Select[Row],
    column: InstrumentedAttribute[Any],
    is_descending: bool,
    part: type[Part],
    part_of: InstrumentedAttribute[UUID],
    *conditions: ColumnElement[bool],
) -> Select[Row, Part]:
    row: Any = aliased(model, page.subquery())
    order = [*_order(getattr(row, column.key), row.id, is_descending), cast(Any, part).created_at, _id_of(part)]
    return select(row, part).outerjoin(part, and_(part_of == row.id, *conditions)).order_by(*order)


@cache
def _select_first_page(model: type[Row], column: InstrumentedAttribute[Any], is_descending: bool) -> Select[Row]:
    """Keep what most lists begin with: making the statement takes as long as running it."""
    if not issubclass(model, TenantOwned):
        return _select_page(model, column, is_descending, ())
    return prepared(_select_page(model, column, is_descending, (model.tenant_id == bindparam("tenant_id"),)))


@cache
def _select_first_page_with_parts(
    model: type[Row],
    column: InstrumentedAttribute[Any],
    is_descending: bool,
    part: type[Part],
    part_of: InstrumentedAttribute[UUID],
) -> Select[Row, Part]:
    page = _select_first_page(model, column, is_descending)
    same_tenant = cast(Any, part).tenant_id == bindparam("tenant_id")
    return prepared(_join_parts(model, page, column, is_descending, part, part_of, same_tenant))


def _values(session: TenantSession, model: type[Row], query: ListQuery) -> dict[str, Any]:
    values: dict[str, Any] = {"rows": query.limit + 1}
    if issubclass(model, TenantOwned):
        values["tenant_id"] = session.tenant_id
    return values


def _after_cursor(
    model: type[Any], query: ListQuery, column: InstrumentedAttribute[Any]
) -> Iterator[ColumnElement[bool]]:
    if query.cursor is not None:
        last = _decode(query.cursor, query.sort, column.type.python_type)
        position = tuple_(column, _id_of(model))
        yield position < last if query.is_descending else position > last


def _order(column: Any, ids: Any, is_descending: bool) -> tuple[Any, Any]:
    return (column.desc(), ids.desc()) if is_descending else (column, ids)


def _id_of(model: type[Any]) -> InstrumentedAttribute[UUID]:
    return cast("InstrumentedAttribute[UUID]", inspect(model).all_orm_descriptors["id"])


def _cut_page(rows: list[Row], query: ListQuery, column: InstrumentedAttribute[Any]) -> tuple[list[Row], str | None]:
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, _encode(query.sort, getattr(rows[-1], column.key), cast(Any, rows[-1]).id)


def resource_filters(query: NamedQuery, model: Any) -> list[ColumnElement[bool]]:
    """Return the conditions of the filters that every resource has."""
    conditions: list[ColumnElement[bool]] = []
    if query.name is not None:
        conditions.append(model.name.icontains(query.name, autoescape=True))
    status = getattr(query, "status", None)
    if status is not None:
        conditions.append(model.status == status)
    return conditions


def _encode(sort: str, value: Any, id_: UUID) -> str:
    if isinstance(value, datetime):
        value = value.isoformat()
    return base64.urlsafe_b64encode(json.dumps([sort, value, str(id_)]).encode()).decode().rstrip("=")


def _decode(cursor: str, sort: str, kind: type) -> tuple[Any, UUID]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        sorted_by, value, id_ = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        parse: Callable[[Any], Any] = datetime.fromisoformat if kind is datetime else kind
        if sorted_by != sort or (kind is not datetime and type(value) is not kind):
            raise ValueError("The cursor is of another list.")
        parsed = parse(value)
        if isinstance(parsed, str) and "\x00" in parsed:
            raise ValueError("No text has a NUL character.")
        if isinstance(parsed, int) and not -(2**31) <= parsed < 2**31:
            raise ValueError("No such number is stored.")
        if isinstance(parsed, datetime) and parsed.tzinfo is None:
            raise ValueError("A moment has a time zone.")
        return parsed, UUID(id_)
    except (ValueError, TypeError, binascii.Error, UnicodeError, AttributeError, RecursionError):
        raise Invalid(errors=[{"where": "query.cursor", "detail": "This is no cursor of this list."}]) from None
