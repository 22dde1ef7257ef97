"""The tenant's audit log, as its owners and admins read it."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import ColumnElement, select

from platforma.api.lists import list_page
from platforma.database.tenant_session import ReadSession
from platforma.tenants.models import AuditEvent
from platforma.tenants.schemas import AuditFilters, AuditQuery

COLUMNS = ("at", "actor", "action", "target", "details")
LONGEST_EXPORT = 10_000


async def list_events(session: ReadSession, query: AuditQuery) -> tuple[list[AuditEvent], str | None]:
    """Return a page of the tenant's audit log."""
    where = list(_conditions(query))
    return await list_page(session, AuditEvent, query, sortable={"at": AuditEvent.at}, where=where)


async def export_events(session: ReadSession, filters: AuditFilters) -> list[Mapping[str, object]]:
    """Return the newest lines that the filters let through, as cells of a table."""
    newest = select(AuditEvent).where(*_conditions(filters)).order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
    rows = await session.scalars(newest.limit(LONGEST_EXPORT))
    return [
        {
            "at": row.at.astimezone(UTC).isoformat(),
            "actor": row.actor,
            "action": row.action,
            "target": row.target or "",
            "details": json.dumps(row.details, sort_keys=True) if row.details else "",
        }
        for row in rows
    ]


def _conditions(filters: AuditFilters) -> Iterator[ColumnElement[bool]]:
    if filters.actor is not None:
        yield AuditEvent.actor.icontains(filters.actor, autoescape=True)
    if filters.action is not None:
        if "." in filters.action:
            yield AuditEvent.action == filters.action
        else:
            yield AuditEvent.action.startswith(f"{filters.action}.", autoescape=True)
    if filters.since is not None:
        yield AuditEvent.at >= _begin_of(filters.since)
    if isinstance(filters.until, datetime):
        yield AuditEvent.at < filters.until
    elif filters.until is not None and filters.until < date.max:
        yield AuditEvent.at < _begin_of(filters.until + timedelta(days=1))


def _begin_of(when: date) -> datetime:
    """Return the moment itself, or the begin of a day in UTC."""
    return when if isinstance(when, datetime) else datetime(when.year, when.month, when.day, tzinfo=UTC)
