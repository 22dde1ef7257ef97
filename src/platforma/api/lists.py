"""Lists: keyset pagination with an opaque cursor, filters, sorting. The same for every collection."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar, cast
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, inspect, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from platforma.database.tables import Base
from platforma.database.tenant_session import TenantSession
from platforma.kit.problems import Invalid

Row = TypeVar("Row", bound=Base)
Item = TypeVar("Item")

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


class ResourceQuery(ListQuery):
    """Filters that every resource has."""

    name: Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")] | None = Field(
        default=None, description="Part of the name, in any case."
    )
    status: Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\x00]*$")] | None = None


async def list_page(
    session: TenantSession,
    model: type[Row],
    query: ListQuery,
    *,
    sortable: dict[str, InstrumentedAttribute[Any]],
    where: Sequence[ColumnElement[bool]] = (),
) -> tuple[list[Row], str | None]:
    """Return one page of rows and the cursor of the next. Raises Invalid for a bad cursor or sort field."""
    name, is_descending = query.sort.removeprefix("-"), query.sort.startswith("-")
    column = sortable.get(name)
    if column is None:
        raise Invalid(errors=[{"where": "query.sort", "detail": f"Sort by one of: {', '.join(sorted(sortable))}."}])
    ids = cast("InstrumentedAttribute[UUID]", inspect(model).all_orm_descriptors["id"])
    order = (column.desc(), ids.desc()) if is_descending else (column, ids)
    statement = select(model).where(*where).order_by(*order).limit(query.limit + 1)
    if query.cursor is not None:
        last = _decode(query.cursor, query.sort, column.type.python_type)
        position = tuple_(column, ids)
        statement = statement.where(position < last if is_descending else position > last)
    rows = list((await session.scalars(statement)).all())
    if len(rows) <= query.limit:
        return rows, None
    rows = rows[: query.limit]
    return rows, _encode(query.sort, getattr(rows[-1], column.key), getattr(rows[-1], ids.key))


def resource_filters(query: ResourceQuery, model: Any) -> list[ColumnElement[bool]]:
    """Return the conditions of the filters that every resource has."""
    conditions: list[ColumnElement[bool]] = []
    if query.name is not None:
        conditions.append(model.name.icontains(query.name, autoescape=True))
    if query.status is not None:
        conditions.append(model.status == query.status)
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
