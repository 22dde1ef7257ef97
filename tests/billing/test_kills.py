"""Processes that are killed with -9 while they change what is metered: what was lived is what is billed."""

import random
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from platforma.authentication.principals import SessionBinding
from platforma.billing.metering import MICROSECOND, Period, find_uses
from platforma.database.database import Database
from platforma.kit.ids import new_id
from tests.database.server import TestDatabase
from tests.database.tenants import TwoTenants

KILLS = 10
LIFE = """
import random, sys
import psycopg
dsn, volume, seed = sys.argv[1:]
dice = random.Random(seed)
with psycopg.connect(dsn, autocommit=True) as connection:
    print("ready", flush=True)
    while True:
        size = dice.choice([0, 10, 20, 30])
        change = ("UPDATE volumes SET cloud_id = %s, observed_size_gib = %s WHERE id = %s",
                  ("cinder" if size else None, size or None, volume))
        with connection.transaction():
            connection.execute("SELECT FROM volumes WHERE id = %s FOR UPDATE", (volume,))
            (begins,) = connection.execute("SELECT clock_timestamp()").fetchone()
            for _ in range(dice.choice([1, 2, 3])):  # delivered more than once
                connection.execute(*change)
            connection.execute("INSERT INTO lives VALUES (%s, %s, clock_timestamp())", (size, begins))
"""
"""One who lives a volume, and writes into `lives` what size it had from when, in the very transaction."""


async def test_what_was_lived_is_billed_whoever_is_killed(
    process_database: TestDatabase,
    portal_database: Database,
    administrator: psycopg.AsyncConnection[Any],
    two_tenants: TwoTenants,
) -> None:
    """Two at a time live one volume, and each is killed at some moment of its work, ten times."""
    a, dice, volume_id = two_tenants.a, random.Random(4), new_id()
    await administrator.execute("CREATE TABLE lives (size bigint, begins timestamptz, ends timestamptz)")
    try:
        await administrator.execute(
            "INSERT INTO volumes (tenant_id, id, name, size_gib, status) VALUES (%s, %s, 'data', 30, 'active')",
            (a.tenant_id, volume_id),
        )
        begins = datetime.now(UTC)
        for number in range(KILLS // 2):
            _live_until_killed(process_database.administrator_url, str(volume_id), number, dice)
        await administrator.execute("SELECT FROM volumes WHERE id = %s FOR UPDATE", (volume_id,))
        rows = await administrator.execute("SELECT size, begins, ends FROM lives ORDER BY begins")
        lived = await rows.fetchall()
    finally:
        await administrator.execute("DROP TABLE lives")
    changes = [each for before, each in zip([(0,), *lived], lived, strict=False) if before[0] != each[0]]
    rows = await administrator.execute(
        "SELECT quantity, at FROM usage_events WHERE resource_id = %s ORDER BY at", (volume_id,)
    )
    events = await rows.fetchall()
    assert len(events) > KILLS
    assert [quantity for quantity, _ in events] == [size for size, _, _ in changes]
    assert all(first <= at <= last for (_, at), (_, first, last) in zip(events, changes, strict=True))
    until = datetime.now(UTC) + timedelta(hours=1)
    ends = [at for _, at in events[1:]] + [until]
    billed = sum(size * ((end - at) // MICROSECOND) for (size, at), end in zip(events, ends, strict=True))
    for _ in range(2):
        async with portal_database.read(SessionBinding(a.token, a.host)) as session:
            uses = await find_uses(session, Period(begins - timedelta(hours=1), until))
        assert sum(use.unit_microseconds for use in uses if use.resource_id == volume_id) == billed


def _live_until_killed(url: str, volume: str, number: int, dice: random.Random) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", LIFE, url, volume, f"{number}-{each}"], stdout=subprocess.PIPE)
        for each in range(2)
    ]
    for each in started:
        assert each.stdout is not None
        assert each.stdout.readline() == b"ready\n"
    for each in started:
        try:
            each.wait(dice.uniform(0.02, 0.12))
        except subprocess.TimeoutExpired:
            each.send_signal(signal.SIGKILL)
        assert each.wait(10) == -signal.SIGKILL
        assert each.stdout is not None
        each.stdout.close()
