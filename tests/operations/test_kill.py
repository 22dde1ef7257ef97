"""Fifty operations on a real OpenStack, while their workers are killed with -9 at random moments."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from devcloud.openstack.credentials import Credentials
from platforma.authentication.principals import SessionBinding
from platforma.clouds.openstack.resources import CloudKind, cloud_name
from platforma.network.models import Network, Router, SecurityGroup, SecurityGroupRule, Subnet
from platforma.operations.models import Plane
from platforma.operations.service import request_operation, resource_kind
from tests.database.server import TestDatabase
from tests.operations.real import Killer, Workers
from tests.operations.stage import Stage

pytestmark = pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")

NETWORKS, ROUTERS, GROUPS = 24, 8, 18
KILLS = 8
DEADLINE_SECONDS = 300.0
UNFINISHED = "SELECT 1 FROM operations WHERE tenant_id = %s AND status IN ('queued', 'running')"


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A queue for this test alone."""
    return fresh_database


@pytest.fixture
def workers(database: TestDatabase, openstack_cloud: Credentials, tmp_path: Path) -> Iterator[Workers]:
    """Worker processes on the run's OpenStack."""
    workers = Workers(database, openstack_cloud, tmp_path / "workers.log")
    yield workers
    workers.end()
    print(workers.log.read_text()[-4000:])  # noqa: T201 (shown if the test fails)


async def _wait(stage: Stage, tenant_id: UUID, deadline: float) -> None:
    while await stage.rows(UNFINISHED, tenant_id):
        assert time.monotonic() < deadline, await stage.rows("SELECT action, status, step, error FROM operations")
        await asyncio.sleep(0.1)


async def _wish_for_fifty(stage: Stage, member: SessionBinding) -> None:
    routers = [Router(name=f"router-{number}") for number in range(ROUTERS)]
    networks = [Network(name=f"network-{number}") for number in range(NETWORKS)]
    groups = [SecurityGroup(name=f"group-{number}") for number in range(GROUPS)]
    async with stage.wish(member) as session:
        session.add_all([*routers, *networks, *groups])
        await session.flush()
        for number, network in enumerate(networks):
            session.add(
                Subnet(
                    name=f"subnet-{number}",
                    network_id=network.id,
                    router_id=routers[number % ROUTERS].id,
                    ip_version=4,
                    cidr=f"10.8.{number}.0/24",
                )
            )
        for group in groups:
            session.add(
                SecurityGroupRule(
                    security_group_id=group.id,
                    direction="ingress",
                    ethertype="IPv4",
                    protocol="tcp",
                    port_range_min=443,
                    port_range_max=443,
                    remote_group_id=group.id,
                )
            )
        rows = [*networks, *routers, *groups]
        random.Random(1).shuffle(rows)
        for row in rows:
            action = f"{resource_kind(type(row))}.create"
            await request_operation(session, action=action, resource=row, requested_by="member")


async def test_killed_workers_lose_double_and_orphan_nothing(stage: Stage, workers: Workers) -> None:
    began = time.monotonic()
    deadline = began + DEADLINE_SECONDS
    seed = random.SystemRandom().randrange(1 << 32)
    tenant_id = await stage.make_tenant(onboard=False)
    await stage.databases.administrator.execute(
        b"UPDATE quotas SET maximum = 500 WHERE tenant_id = %s AND resource <> 'servers'", (tenant_id,)
    )
    member = await stage.sign_in(tenant_id)
    with workers.running(Plane.TENANT, Plane.PLATFORM):
        await _wait(stage, tenant_id, deadline)
    onboarded = time.monotonic()

    await _wish_for_fifty(stage, member)
    killer = Killer.of(workers, seed, kills=KILLS, total=100 * (NETWORKS + ROUTERS + GROUPS))
    while await stage.rows(UNFINISHED, tenant_id):
        assert time.monotonic() < deadline, await stage.rows("SELECT action, status, step, error FROM operations")
        done = await stage.row("SELECT sum(progress) AS progress FROM operations WHERE requested_by = 'member'")
        killer.tend(done["progress"])
        await asyncio.sleep(0.02)
    ended = time.monotonic()

    operations = await stage.rows("SELECT action, status, error FROM operations WHERE tenant_id = %s", tenant_id)
    assert Counter(row["status"] for row in operations) == {"succeeded": len(operations)}, (seed, operations)
    assert len(operations) == NETWORKS + ROUTERS + GROUPS + 4
    assert killer.kills == KILLS
    await _check_cloud(stage, workers, tenant_id, seed)
    print(f"seed {seed}: {killer.kills} kills, onboarding {onboarded - began:.1f} s, fifty {ended - onboarded:.1f} s")  # noqa: T201


async def _check_cloud(stage: Stage, workers: Workers, tenant_id: UUID, seed: int) -> None:
    """Compare the project with the rows: each object once, attached where it should be, and nothing else."""
    project = await workers.open_project(stage, tenant_id)
    inventory = project.inventory()
    for kind, table, others in (
        (CloudKind.NETWORK, "networks", []),
        (CloudKind.SUBNET, "subnets", []),
        (CloudKind.ROUTER, "routers", []),
        (CloudKind.SECURITY_GROUP, "security_groups WHERE NOT is_default", ["default"]),
    ):
        rows = await stage.rows(f"SELECT id FROM {table}")
        wanted = sorted([cloud_name(row["id"]) for row in rows] + others)
        assert sorted(item.name for item in inventory[kind]) == wanted, (seed, kind)
    subnets = await stage.rows(
        "SELECT s.cloud_id, r.cloud_id AS router FROM subnets s JOIN routers r ON r.id = s.router_id"
    )
    attached = {
        (router.cloud_id, subnet)
        for router in inventory[CloudKind.ROUTER]
        for subnet in project.list_router_subnets(router.cloud_id)
    }
    assert attached == {(row["router"], row["cloud_id"]) for row in subnets}, seed
