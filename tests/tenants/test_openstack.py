"""Onboarding, networks and offboarding on a real OpenStack, healthy and not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from devcloud.openstack.credentials import Credentials
from devcloud.openstack.faults import Answer, Delay, Drop, Fault, FaultyCloud, LoseAnswer, faulty_cloud
from platforma.clouds.openstack import ProjectCloud
from platforma.clouds.openstack.errors import CloudCredentialInvalid
from platforma.clouds.openstack.resources import CloudKind, cloud_name
from platforma.network.models import Network
from platforma.operations.service import retry_operation
from platforma.settings import WorkerSettings
from platforma.tenants.service import offboard_tenant
from tests.database.server import TestDatabase
from tests.operations.real import Workers
from tests.operations.stage import ACT, Stage

pytestmark = pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")


@pytest.fixture(scope="module")
def faulty(openstack_cloud: Credentials) -> Iterator[FaultyCloud]:
    """The run's OpenStack behind proxies that fail on request."""
    with faulty_cloud(openstack_cloud) as cloud:
        yield cloud


@pytest.fixture
def cloud(faulty: FaultyCloud) -> Iterator[FaultyCloud]:
    """The same, healthy again after each test."""
    yield faulty
    faulty.mend()


@pytest.fixture
def workers(database: TestDatabase, cloud: FaultyCloud, tmp_path: Path) -> Workers:
    """The settings of workers on that OpenStack."""
    return Workers(database, cloud.credentials, tmp_path / "log")


@pytest.fixture
def real_stage(stage: Stage, workers: Workers) -> Stage:
    """The stage, on that OpenStack. A step may take as long as it takes on a busy machine."""
    stage.real_access = workers.access
    stage.settings = WorkerSettings(stalled_after_seconds=60, give_up_after_seconds=60)
    return stage


async def _project(stage: Stage, tenant_id: UUID) -> ProjectCloud:
    row = await stage.row("SELECT sealed FROM cloud_credentials WHERE tenant_id = %s", tenant_id)
    return await asyncio.to_thread(stage.access.open_project, tenant_id, bytes(row["sealed"]))


async def test_a_tenant_comes_and_goes(real_stage: Stage, workers: Workers) -> None:
    """All of it: project, credential, quotas, default group, first network with its router; and nothing after."""
    stage = real_stage
    tenant_id = await stage.make_tenant()
    operations = await stage.rows("SELECT action, status, error FROM operations WHERE tenant_id = %s", tenant_id)
    assert {row["status"] for row in operations} == {"succeeded"}, operations
    project = await _project(stage, tenant_id)
    inventory = await asyncio.to_thread(project.inventory)
    for kind, table in (
        (CloudKind.NETWORK, "networks"),
        (CloudKind.SUBNET, "subnets"),
        (CloudKind.ROUTER, "routers"),
    ):
        row = await stage.row(f"SELECT id, cloud_id FROM {table} WHERE tenant_id = %s", tenant_id)
        assert [(item.name, item.cloud_id) for item in inventory[kind]] == [(cloud_name(row["id"]), row["cloud_id"])]
    router = await stage.row("SELECT cloud_id, external_address FROM routers WHERE tenant_id = %s", tenant_id)
    subnet = await stage.row("SELECT cloud_id FROM subnets WHERE tenant_id = %s", tenant_id)
    assert await asyncio.to_thread(project.list_router_subnets, router["cloud_id"]) == {subnet["cloud_id"]}
    assert router["external_address"]
    row = await stage.row("SELECT project_id, sealed FROM cloud_credentials WHERE tenant_id = %s", tenant_id)

    await offboard_tenant(stage.databases.operator, ACT, tenant_id)
    await _finish_patiently(stage, tenant_id)
    assert (await stage.row("SELECT status FROM tenants WHERE id = %s", tenant_id))["status"] == "offboarded"
    administration = await asyncio.to_thread(stage.access.open_administration)
    assert await asyncio.to_thread(administration.delete_project, row["project_id"])
    with pytest.raises(CloudCredentialInvalid):
        await asyncio.to_thread(workers.access.open_project, tenant_id, bytes(row["sealed"]))


@pytest.mark.parametrize(
    "fault",
    [
        Drop(),
        Answer(500),
        Answer(503, retry_after=2),
        Answer(409, "Another operation is in progress."),
        Answer(429, "Slow down.", retry_after=1),
        LoseAnswer(),
        Delay(1.0),
    ],
    ids=repr,
)
async def test_a_network_is_made_once_whatever_the_cloud_answers(
    real_stage: Stage, cloud: FaultyCloud, fault: Fault, network_tenant: UUID
) -> None:
    """Down, slow, broken, busy, or lost for an answer: the operation goes on, and ends with one network."""
    stage = real_stage
    member = await stage.sign_in(network_tenant)
    network = Network(name="web")
    (operation_id,) = await stage.create(member, network)
    injection = cloud["neutron"].inject(fault, "POST", r"/networks$", times=1)
    await stage.finish(operation_id)
    ended = await stage.operation(operation_id)
    assert injection.hits == 1
    assert ended["status"] == "succeeded", ended
    inventory = await asyncio.to_thread((await _project(stage, network_tenant)).inventory)
    assert [item.name for item in inventory[CloudKind.NETWORK]].count(cloud_name(network.id)) == 1


async def test_an_exhausted_quota_ends_it_and_a_retry_goes_on(
    real_stage: Stage, cloud: FaultyCloud, network_tenant: UUID
) -> None:
    """Neutron says 413 when a quota is used up: that is for people to mend, and no reason to try again alone."""
    stage = real_stage
    member = await stage.sign_in(network_tenant)
    (operation_id,) = await stage.create(member, Network(name="web"))
    cloud["neutron"].inject(Answer(413, "Quota exceeded for resources: ['network']."), "POST", r"/networks$")
    failed = await stage.finish(operation_id)
    assert failed["error"]["type"].endswith(":cloud-quota-exceeded")
    assert "network" in failed["error"]["detail"]
    async with stage.wish(member) as session:
        await retry_operation(session, operation_id, "somebody")
    assert (await stage.finish(operation_id))["status"] == "succeeded"


async def test_a_cloud_that_is_down_is_waited_for_and_then_given_up(
    real_stage: Stage, cloud: FaultyCloud, network_tenant: UUID
) -> None:
    stage = real_stage
    member = await stage.sign_in(network_tenant)
    (operation_id,) = await stage.create(member, Network(name="web"))
    cloud["neutron"].inject(Drop(), times=None)
    await stage.engine().reconcile(operation_id)
    waiting = await stage.operation(operation_id)
    assert waiting["status"] == "running"
    assert waiting["step"].startswith("The cloud cannot be reached at the moment; trying again in")
    stage.clock.go(stage.settings.give_up_after_seconds)
    await stage.engine().reconcile(operation_id)
    failed = await stage.operation(operation_id)
    assert failed["status"] == "failed"
    assert "127.0.0.1" not in str(failed["error"])


@pytest.fixture
async def network_tenant(real_stage: Stage) -> UUID:
    """A tenant with a project and nothing in it yet."""
    tenant_id = await real_stage.make_tenant(onboard=False)
    operation = await real_stage.row("SELECT id FROM operations WHERE tenant_id = %s", tenant_id)
    assert (await real_stage.finish(operation["id"]))["status"] == "succeeded"
    return tenant_id


async def _finish_patiently(stage: Stage, tenant_id: UUID) -> None:
    """Finish the offboarding at the pace at which the cloud removes things."""
    for _ in range(100):
        unfinished = await stage.rows(
            "SELECT id FROM operations WHERE tenant_id = %s AND plane = 'platform' AND status IN ('queued', 'running')",
            tenant_id,
        )
        if not unfinished:
            return
        await stage.finish(unfinished[0]["id"])
    raise AssertionError("The offboarding has not ended.")
