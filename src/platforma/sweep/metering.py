"""What is metered, against what is there: a bill is for what the tenant has, all of it, and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on

from platforma.billing.models import UsageEvent
from platforma.database.tenant_session import TenantSession
from platforma.operations.models import Resource


@dataclass(frozen=True)
class OpenInterval:
    """What is being metered of a resource now."""

    resource_id: UUID
    kind: str
    name: str
    item: str
    since: datetime

    @property
    def evidence(self) -> dict[str, object]:
        """What an operator needs to make up for it by a correction."""
        return {"resource": str(self.resource_id), "item": self.item, "since": self.since.isoformat()}


@dataclass
class Metered:
    """The open intervals by resource, and the resources whose rows say that they are used."""

    intervals: dict[UUID, list[OpenInterval]] = field(default_factory=dict)
    used: set[UUID] = field(default_factory=set)
    known: set[UUID] = field(default_factory=set)
    """All resources of metered kinds that have a row."""

    def orphans(self) -> Iterator[OpenInterval]:
        """Return the intervals of what has no row any more."""
        for resource_id, found in self.intervals.items():
            if resource_id not in self.known:
                yield from found


async def load_metered(session: TenantSession, models: list[type[Resource]]) -> Metered:
    """Return what the bound tenant is metered for; `models` are those of its resources."""
    metered = Metered()
    latest = (
        select(UsageEvent)
        .ext(distinct_on(UsageEvent.resource_id, UsageEvent.item))
        .order_by(UsageEvent.resource_id, UsageEvent.item, UsageEvent.at.desc(), UsageEvent.id.desc())
    )
    for event in await session.scalars(latest):
        if event.quantity > 0:
            interval = OpenInterval(event.resource_id, event.resource_kind, event.resource_name, event.item, event.at)
            metered.intervals.setdefault(event.resource_id, []).append(interval)
    for model in models:
        if model.__meter__ is None:
            continue
        for row in await session.scalars(select(model)):
            metered.known.add(row.id)
            is_made = getattr(row, "observed_size_gib", 1) and getattr(row, "power_state", "") != "missing"
            if row.cloud_id is not None and is_made:
                metered.used.add(row.id)
    return metered
