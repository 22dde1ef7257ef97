"""Fifty operations on a real OpenStack, while their workers are killed with -9 at random moments."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from devcloud.openstack.credentials import Credentials
from platforma.authentication.principals import SessionBinding
from platforma.clouds.openstack.resources import CloudKind, cloud_name
from platforma.compute.models import Server, ServerSecurityGroup
from platforma.network.models import Network, Port, Router, SecurityGroup, SecurityGroupRule, Subnet
from platforma.operations.models import Plane, Resource
from platforma.operations.service import request_operation, resource_kind
from platforma.storage.models import Volume, VolumeAttachment
from tests.database.server import TestDatabase
from tests.operations.real import Killer, Workers
from tests.operations.stage import Stage

pytestmark = pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")

NETWORKS, ROUTERS, GROUPS, SERVERS, VOLUMES = 14, 6, 12, 6, 6
FIFTY = NETWORKS + ROUTERS + GROUPS + SERVERS + 2 * VOLUMES
"""Each volume is made, and then attached to a server."""
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
    volumes = [Volume(name=f"volume-{number}", size_gib=1) for number in range(VOLUMES)]
    flavor = await stage.row("SELECT id FROM flavors ORDER BY ram_mib LIMIT 1")
    image = await stage.row("SELECT id FROM images ORDER BY minimum_disk_gib, name LIMIT 1")
    servers = [
        Server(name=f"server-{number}", flavor_id=flavor["id"], image_id=image["id"]) for number in range(SERVERS)
    ]
    async with stage.wish(member) as session:
        session.add_all([*routers, *networks, *groups, *volumes, *servers])
        await session.flush()
        for number, server in enumerate(servers):
            port = Port(name="", server_id=server.id, network_id=networks[number].id, goes_with_server=True)
            session.add(port)
            session.add(ServerSecurityGroup(server_id=server.id, security_group_id=groups[number].id))
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
        rows: list[Resource] = [*networks, *routers, *groups, *volumes, *servers]
        random.Random(1).shuffle(rows)
        for row in rows:
            action = f"{resource_kind(type(row))}.create"
            await request_operation(session, action=action, resource=row, requested_by="member")


async def _wish_to_attach(stage: Stage, member: SessionBinding) -> None:
    """Attach each volume to a server of its own."""
    async with stage.wish(member) as session:
        volumes = (await session.scalars(select(Volume).order_by(Volume.name))).all()
        servers = (await session.scalars(select(Server).order_by(Server.name))).all()
        for volume, server in zip(volumes, servers, strict=True):
            session.add(VolumeAttachment(volume_id=volume.id, server_id=server.id))
            await request_operation(session, action="volume.attach", resource=volume, requested_by="member")


@pytest.mark.long
async def test_killed_workers_lose_double_and_orphan_nothing(stage: Stage, workers: Workers) -> None:
    began = time.monotonic()
    deadline = began + DEADLINE_SECONDS
    seed = random.SystemRandom().randrange(1 << 32)
    tenant_id = await stage.make_tenant(onboard=False)
    await stage.databases.administrator.execute(
        b"UPDATE quotas SET maximum = 500 WHERE tenant_id = %s AND resource NOT IN ('servers', 'vcpus', 'ram_mib')",
        (tenant_id,),
    )
    member = await stage.sign_in(tenant_id)
    with workers.running(Plane.TENANT, Plane.PLATFORM):
        await _wait(stage, tenant_id, deadline)
        while not await stage.rows("SELECT 1 FROM images, flavors"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    onboarded = time.monotonic()

    await _wish_for_fifty(stage, member)
    killer = Killer.of(workers, seed, kills=KILLS, total=100 * FIFTY)
    for next_wish in (_wish_to_attach, None):
        while await stage.rows(UNFINISHED, tenant_id):
            assert time.monotonic() < deadline, await stage.rows("SELECT action, status, step, error FROM operations")
            done = await stage.row("SELECT sum(progress) AS progress FROM operations WHERE requested_by = 'member'")
            killer.tend(done["progress"])
            await asyncio.sleep(0.02)
        if next_wish is not None:
            await next_wish(stage, member)
    ended = time.monotonic()

    operations = await stage.rows("SELECT action, status, error FROM operations WHERE tenant_id = %s", tenant_id)
    assert Counter(row["status"] for row in operations) == {"succeeded": len(operations)}, (seed, operations)
    assert len(operations) == FIFTY + 4
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
        (CloudKind.SERVER, "servers", []),
        (CloudKind.VOLUME, "volumes", []),
        (CloudKind.PORT, "ports", []),
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
    wanted_attachments = await stage.rows(
        "SELECT v.cloud_id AS volume, s.cloud_id AS server FROM volume_attachments a"
        " JOIN volumes v ON v.id = a.volume_id JOIN servers s ON s.id = a.server_id"
    )
    assert len(wanted_attachments) == VOLUMES
    for row in wanted_attachments:
        at = [attachment.server_cloud_id for attachment in project.get_volume(row["volume"]).attachments]
        assert at == [row["server"]], seed
        assert project.get_server(row["server"]).status == "ACTIVE", seed
