"""Usage as it was lived: stretches of time in which a resource used so many units of one item.

All times are moments in UTC with microseconds, as PostgreSQL has them; all sums are integers of units times
microseconds. So nothing is ever rounded here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from uuid import UUID

from sqlalchemy import select

from platforma.billing.models import UsageCorrection, UsageEvent
from platforma.database.tenant_session import TenantSession

MICROSECOND = timedelta(microseconds=1)
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Period:
    """From `begins` until just before `ends`."""

    begins: datetime
    ends: datetime

    def overlap(self, begins: datetime, ends: datetime | None) -> tuple[datetime, datetime] | None:
        """Return what of a stretch of time is in the period, in UTC; None if nothing. An open end is the period's."""
        first = max(self.begins, begins).astimezone(UTC)
        last = (self.ends if ends is None else min(self.ends, ends)).astimezone(UTC)
        return (first, last) if first < last else None


@dataclass(frozen=True)
class Stretch:
    """A resource's constant use of an item; `ends` is None while it goes on."""

    resource_kind: str
    resource_id: UUID
    resource_name: str
    item: str
    quantity: int
    begins: datetime
    ends: datetime | None


@dataclass(frozen=True)
class Use:
    """What a resource used of an item in a period: units times microseconds, negative after a correction.

    Its moments are brought to UTC: two of one zone differ by what its clocks show, and those are turned back.
    """

    resource_kind: str
    resource_id: UUID
    resource_name: str
    item: str
    begins: datetime
    ends: datetime
    unit_microseconds: int

    def __post_init__(self) -> None:
        for name in ("begins", "ends"):
            object.__setattr__(self, name, getattr(self, name).astimezone(UTC))


async def find_uses(session: TenantSession, period: Period) -> list[Use]:
    """Return the uses of the session's tenant in a period, oldest first, corrections among them."""
    events = await session.scalars(
        select(UsageEvent)
        .where(UsageEvent.at < period.ends)
        .order_by(UsageEvent.resource_id, UsageEvent.item, UsageEvent.at, UsageEvent.id)
    )
    corrections = await session.scalars(
        select(UsageCorrection).where(UsageCorrection.at >= period.begins, UsageCorrection.at < period.ends)
    )
    uses = [use for stretch in stretches(events.all()) if (use := use_in(stretch, period)) is not None]
    uses += [correction_use(correction) for correction in corrections]
    return sorted(uses, key=lambda use: (use.begins, use.resource_id.bytes, use.item, use.ends))


def stretches(events: Sequence[UsageEvent]) -> Iterable[Stretch]:
    """Make stretches of the events of any resources, each of which is ordered by item and moment."""
    for _, of_item in groupby(events, key=lambda event: (event.resource_id, event.item)):
        previous: UsageEvent | None = None
        for event in of_item:
            if previous is not None and previous.quantity > 0:
                yield _stretch(previous, event.at)
            previous = event
        if previous is not None and previous.quantity > 0:
            yield _stretch(previous, None)


def use_in(stretch: Stretch, period: Period) -> Use | None:
    """Return what of a stretch falls into a period, or None."""
    inside = period.overlap(stretch.begins, stretch.ends)
    if inside is None:
        return None
    begins, ends = inside
    return Use(
        stretch.resource_kind,
        stretch.resource_id,
        stretch.resource_name,
        stretch.item,
        begins,
        ends,
        stretch.quantity * ((ends - begins) // MICROSECOND),
    )


def correction_use(correction: UsageCorrection) -> Use:
    """Return a correction as a use at its moment."""
    return Use(
        correction.resource_kind,
        correction.resource_id,
        correction.resource_name,
        correction.item,
        correction.at,
        correction.at,
        correction.unit_seconds * MICROSECONDS,
    )


def _stretch(event: UsageEvent, ends: datetime | None) -> Stretch:
    return Stretch(
        event.resource_kind, event.resource_id, event.resource_name, event.item, event.quantity, event.at, ends
    )
