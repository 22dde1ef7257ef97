"""Erasers that are killed with -9 at random moments, on the real Cinder and its pool."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from devcloud.openstack.credentials import Credentials
from platforma.clouds.openstack import ProjectCloud
from platforma.database.roles import DatabaseRole
from platforma.settings import WorkerSettings
from platforma.storage.models import Volume
from tests.database.server import TestDatabase
from tests.operations.real import Workers
from tests.operations.stage import Stage

pytestmark = pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")

KILLS = 50
VOLUMES = 12
WRITTEN = 48 << 20
SECRET = os.urandom(1 << 20)
GIBIBYTE = 1 << 30
DEADLINE_SECONDS = 400.0
EVENTS = ["requested", "detached", "erased", "verified", "released"]


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A queue for this test alone."""
    return fresh_database


@pytest.fixture
def workers(database: TestDatabase, openstack_cloud: Credentials, tmp_path: Path) -> Workers:
    """The settings of worker processes on the run's OpenStack."""
    return Workers(database, openstack_cloud, tmp_path / "workers.log")


def start_nursery(workers: Workers) -> subprocess.Popen[str]:
    """Start what bears and kills erasers."""
    cloud = workers.credentials
    environment = {
        **os.environ,
        "PYTHONWARNINGS": "ignore",
        "PLATFORMA_DATABASE__WORKER": workers.database.url(DatabaseRole.WORKER),
        "PLATFORMA_OPENSTACK__AUTH_URL": cloud.auth_url,
        "PLATFORMA_OPENSTACK__REGION": cloud.region,
        "PLATFORMA_CREDENTIAL_KEYS": f'["{workers.key}"]',
        "PLATFORMA_ERASURE__LOCAL_DIRECTORY": cloud.volumes_directory,
    }
    with workers.log.open("ab") as log:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.storage.killing"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert nursery.stdout is not None
    assert nursery.stdout.readline() == "ready\n", workers.log.read_text()[-4000:]
    return nursery


def write_secrets(cloud: ProjectCloud, cloud_id: str) -> None:
    """Write all over a volume."""
    device = cloud.open_volume(cloud_id)
    for at in range(0, WRITTEN, len(SECRET)):
        device.write(at * (GIBIBYTE // WRITTEN) // 4096 * 4096, SECRET)
    device.write(device.size - len(SECRET), SECRET)
    device.flush()
    device.close()
    cloud.release_volume(cloud_id)


@pytest.mark.long
async def test_fifty_kills(stage: Stage, workers: Workers) -> None:
    """None is released unverified, none is lost, none is overwritten twice."""
    stage.real_access = workers.access
    stage.settings = WorkerSettings(stalled_after_seconds=60, give_up_after_seconds=60)
    tenant_id = await stage.make_tenant()
    await stage.databases.administrator.execute(b"UPDATE quotas SET maximum = 100 WHERE tenant_id = %s", (tenant_id,))
    member = await stage.sign_in(tenant_id)
    await stage.create(member, *[Volume(name=f"volume-{number}", size_gib=1) for number in range(VOLUMES)])
    deadline = time.monotonic() + DEADLINE_SECONDS
    while any(row["status"] != "succeeded" for row in await stage.finish_all(tenant_id)):
        assert time.monotonic() < deadline
    cloud = await workers.open_project(stage, tenant_id)
    volumes = await stage.rows("SELECT id, cloud_id FROM volumes WHERE tenant_id = %s", tenant_id)
    for volume in volumes:
        write_secrets(cloud, volume["cloud_id"])
    operations = [await stage.delete(member, Volume, volume["id"]) for volume in volumes]

    generator = random.Random(seed := random.SystemRandom().randrange(1 << 32))
    with start_nursery(workers) as nursery:
        kills = await _kill(stage, nursery, operations, generator, deadline)
    said = f"seed {seed}, {kills} kills\n{workers.log.read_text()[-3000:]}"
    assert await _unfinished(stage, operations) == [], said
    assert kills >= KILLS, said
    for volume in volumes:
        await _check(stage, volume, said)
    pool = Path(workers.credentials.volumes_directory) / "pool"
    assert not _holds(pool, SECRET[:64]), said


async def _kill(
    stage: Stage, nursery: subprocess.Popen[str], operations: list[UUID], generator: random.Random, deadline: float
) -> int:
    """Have erasers born and killed until everything is erased; return how many it took."""
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    kills = 0
    while True:
        left = await _unfinished(stage, operations)
        if not left or time.monotonic() > deadline:
            break
        few = left[: generator.randint(1, 3)]
        nursery.stdin.write(f"{generator.uniform(0.05, 1.3 if kills < KILLS else 8)} {' '.join(map(str, few))}\n")
        nursery.stdin.flush()
        assert nursery.stdout.readline() == "killed\n"
        kills += 1
    nursery.stdin.close()
    return kills


async def _unfinished(stage: Stage, operations: list[UUID]) -> list[UUID]:
    rows = await stage.rows(
        "SELECT id, status, error FROM operations WHERE id = ANY(%s) AND status <> 'succeeded'", operations
    )
    assert [row for row in rows if row["status"] not in ("queued", "running")] == []
    return [row["id"] for row in rows]


async def _check(stage: Stage, volume: dict[str, Any], said: str) -> None:
    erasure = await stage.row("SELECT id, state FROM erasures WHERE subject_id = %s", volume["id"])
    assert erasure["state"] == "released", said
    records = await stage.rows(
        "SELECT event, content FROM erasure_records WHERE erasure_id = %s ORDER BY sequence", erasure["id"]
    )
    assert [record["event"] for record in records] == EVENTS, said
    assert json.loads(records[2]["content"])["bytes_overwritten"] == GIBIBYTE
    assert json.loads(records[3]["content"])["result"] == "zeroes"


def _holds(pool: Path, pattern: bytes) -> bool:
    """Look for a pattern wherever the pool's file has anything."""
    with pool.open("rb") as file:
        size, position = pool.stat().st_size, 0
        while position < size:
            try:
                position = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:
                return False
            if pattern in os.pread(file.fileno(), (4 << 20) + len(pattern), position):
                return True
            position += 4 << 20
    return False
