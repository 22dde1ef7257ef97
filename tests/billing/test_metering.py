"""What the database meters: every second that was lived, once, whatever the processes do to themselves."""

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, select, update

from platforma.authentication.principals import SessionBinding
from platforma.billing.metering import MICROSECOND, Period, Stretch, find_uses, stretches, use_in
from platforma.billing.models import UsageEvent
from platforma.compute.models import Server
from platforma.database.database import Database
from platforma.kit.ids import new_id
from platforma.storage.models import Volume
from tests.database.gate import bound
from tests.database.server import TestDatabase
from tests.database.tenants import TwoTenants

Administrator = psycopg.AsyncConnection[Any]


@pytest.fixture
def a(two_tenants: TwoTenants) -> SessionBinding:
    return SessionBinding(two_tenants.a.token, two_tenants.a.host)


@pytest.fixture
def b(two_tenants: TwoTenants) -> SessionBinding:
    return SessionBinding(two_tenants.b.token, two_tenants.b.host)


async def make_volume(database: Database, binding: SessionBinding, *, size: int | None = 10) -> UUID:
    """Write a volume as a portal and its worker would, seen to be made unless the size is None."""
    async with database.write(binding) as session:
        volume = Volume(name="data", size_gib=size or 10, observed_size_gib=size, cloud_id=size and "cinder")
        session.add(volume)
    return volume.id


async def events_of(database: Database, binding: SessionBinding, resource_id: UUID) -> list[UsageEvent]:
    async with database.read(binding) as session:
        found = await session.scalars(
            select(UsageEvent)
            .where(UsageEvent.resource_id == resource_id)
            .order_by(UsageEvent.at, UsageEvent.quantity, UsageEvent.item)
        )
        return list(found)


async def test_a_volume_counts_from_when_it_is_made_until_it_is_gone(
    portal_database: Database, a: SessionBinding
) -> None:
    volume_id = await make_volume(portal_database, a, size=None)
    assert await events_of(portal_database, a, volume_id) == []
    for change in (
        {"cloud_id": "cinder", "observed_size_gib": 10},
        {"description": "of no matter"},
        {"observed_size_gib": 20},
    ):
        async with portal_database.write(a) as session:
            await session.execute(update(Volume).where(Volume.id == volume_id).values(change))
    async with portal_database.write(a) as session:
        await session.execute(delete(Volume).where(Volume.id == volume_id))
    events = await events_of(portal_database, a, volume_id)
    assert [(event.item, event.quantity) for event in events] == [("volume", 10), ("volume", 20), ("volume", 0)]
    assert [event.resource_name for event in events] == ["data"] * 3


async def test_a_clock_that_is_put_back_takes_nothing_back(
    portal_database: Database, administrator: Administrator, a: SessionBinding
) -> None:
    """As for a leap second, or by a wrong clock: the moments of a resource only ever grow. PostgreSQL knows no 61st."""
    volume_id = await make_volume(portal_database, a)
    await administrator.execute(
        "UPDATE usage_events SET at = clock_timestamp() + interval '1 second' WHERE resource_id = %s", (volume_id,)
    )
    for size in (20, 30):
        async with portal_database.write(a) as session:
            await session.execute(update(Volume).where(Volume.id == volume_id).values(observed_size_gib=size))
    first, second, third = await events_of(portal_database, a, volume_id)
    assert (second.at - first.at, third.at - second.at) == (MICROSECOND, MICROSECOND)
    same = await administrator.execute("SELECT '2016-12-31 23:59:60+00'::timestamptz = '2017-01-01+00'::timestamptz")
    assert await same.fetchone() == (True,)


async def test_a_volume_of_a_type_is_an_item_of_its_own(
    portal_database: Database, administrator: Administrator, a: SessionBinding
) -> None:
    type_id = new_id()
    await administrator.execute(
        "INSERT INTO volume_types (id, cloud_id, name) VALUES (%s, %s, 'ssd')", (type_id, type_id.hex)
    )
    async with portal_database.write(a) as session:
        volume = Volume(name="fast", size_gib=4, observed_size_gib=4, cloud_id="cinder", volume_type_id=type_id)
        session.add(volume)
    events = await events_of(portal_database, a, volume.id)
    assert [(event.item, event.quantity) for event in events] == [(f"volume:{type_id}", 4)]


async def test_what_is_rolled_back_was_not_used(portal_database: Database, a: SessionBinding) -> None:
    volume_id = await make_volume(portal_database, a)
    with suppress(ZeroDivisionError):
        async with portal_database.write(a) as session:
            await session.execute(update(Volume).where(Volume.id == volume_id).values(observed_size_gib=99))
            raise ZeroDivisionError
    assert [event.quantity for event in await events_of(portal_database, a, volume_id)] == [10]


async def test_a_server_is_one_item_at_a_time(
    portal_database: Database, administrator: Administrator, a: SessionBinding
) -> None:
    flavor_id, image_id = new_id(), new_id()
    await administrator.execute(
        "INSERT INTO flavors (id, cloud_id, name, vcpus, ram_mib, disk_gib) VALUES (%s, %s, 'm1', 1, 512, 1)",
        (flavor_id, flavor_id.hex),
    )
    await administrator.execute(
        "INSERT INTO images (id, cloud_id, name) VALUES (%s, %s, 'debian')", (image_id, image_id.hex)
    )
    async with portal_database.write(a) as session:
        server = Server(name="web", flavor_id=flavor_id, image_id=image_id)
        session.add(server)
    for changes in (
        {"cloud_id": "nova", "power_state": "running"},
        {"power_state": "stopped"},
        {"power_state": "missing"},
    ):
        async with portal_database.write(a) as session:
            await session.execute(update(Server).where(Server.id == server.id).values(changes))
    events = await events_of(portal_database, a, server.id)
    running, stopped = f"server.running:{flavor_id}", f"server.stopped:{flavor_id}"
    assert [(event.item, event.quantity) for event in events] == [
        (running, 1),
        (running, 0),
        (stopped, 1),
        (stopped, 0),
    ]
    assert events[1].at == events[2].at


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO usage_events (tenant_id, id, resource_kind, resource_id, resource_name, item, quantity, at)"
        " SELECT tenant_id, gen_random_uuid(), 'volumes', id, 'x', 'volume', 0, now() FROM volumes",
        "UPDATE usage_events SET quantity = 0",
        "DELETE FROM usage_events",
        "TRUNCATE usage_events",
        "ALTER TABLE volumes DISABLE TRIGGER meter",
        "SET session_replication_role = replica",
        "SELECT gate.meter()",
    ],
)
async def test_nobody_writes_a_usage_of_his_own(
    database: TestDatabase, portal_database: Database, two_tenants: TwoTenants, a: SessionBinding, statement: str
) -> None:
    volume_id = await make_volume(portal_database, a)
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported)):
        async with bound(database, two_tenants.a) as connection:
            await connection.execute(statement.encode())
    assert [event.quantity for event in await events_of(portal_database, a, volume_id)] == [10]


async def test_no_tenant_sees_anothers_usage(portal_database: Database, a: SessionBinding, b: SessionBinding) -> None:
    volume_id = await make_volume(portal_database, b)
    assert await events_of(portal_database, a, volume_id) == []
    assert len(await events_of(portal_database, b, volume_id)) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_the_time_lived_is_the_time_metered(portal_database: Database, a: SessionBinding, seed: int) -> None:
    """Random lives of a volume, some of their transactions lost: sizes follow each other as they were committed, and
    the moment of each lies between the moments at which its transaction began and ended.
    """
    dice = random.Random(seed)
    volume_id = await make_volume(portal_database, a, size=None)
    size = 0
    lived: list[tuple[datetime, datetime, int]] = []
    for _ in range(15):
        wanted = dice.choice([0, 10, 20, 30])
        before = datetime.now(UTC)
        try:
            async with portal_database.write(a) as session:
                values = {"cloud_id": "cinder" if wanted else None, "observed_size_gib": wanted or None}
                await session.execute(update(Volume).where(Volume.id == volume_id).values(values))
                if dice.random() < 0.3:
                    raise ZeroDivisionError
        except ZeroDivisionError:
            continue
        if wanted != size:
            lived.append((before, datetime.now(UTC), wanted))
            size = wanted
    events = await events_of(portal_database, a, volume_id)
    assert [event.quantity for event in events] == [quantity for _, _, quantity in lived]
    assert all(before <= event.at <= after for event, (before, after, _) in zip(events, lived, strict=True))
    async with portal_database.read(a) as session:
        end = datetime.now(UTC) + timedelta(hours=1)
        uses = [
            use
            for use in await find_uses(session, Period(end - timedelta(days=1), end))
            if use.resource_id == volume_id
        ]
    ends = [event.at for event in events[1:]] + [end]
    metered = sum(
        event.quantity * ((until - event.at) // MICROSECOND) for event, until in zip(events, ends, strict=True)
    )
    assert sum(use.unit_microseconds for use in uses) == metered


BEGINNING = datetime(2026, 1, 31, 23, tzinfo=UTC)
moments = st.integers(0, 10**10).map(lambda microseconds: BEGINNING + timedelta(microseconds=microseconds))


@st.composite
def lives(draw: st.DrawFn) -> list[UsageEvent]:
    """A resource's events of one item, in order."""
    resource_id = new_id()
    return [
        UsageEvent(
            resource_kind="volumes",
            resource_id=resource_id,
            resource_name="data",
            item="volume",
            quantity=draw(st.integers(0, 100)),
            at=at,
        )
        for at in sorted(draw(st.sets(moments, max_size=8)))
    ]


def total(found: list[Stretch], period: Period) -> int:
    return sum(use.unit_microseconds for stretch in found if (use := use_in(stretch, period)) is not None)


@given(lives(), st.lists(moments, min_size=3, max_size=6, unique=True))
def test_periods_that_meet_share_nothing_and_lose_nothing(events: list[UsageEvent], borders: list[datetime]) -> None:
    """Months and invoices are cut anywhere: the parts are the whole."""
    borders.sort()
    found = list(stretches(events))
    parts = [total(found, Period(begins, ends)) for begins, ends in pairwise(borders)]
    assert sum(parts) == total(found, Period(borders[0], borders[-1]))
