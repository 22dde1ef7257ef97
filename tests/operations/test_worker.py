"""The worker itself, on the queue: it takes jobs, stops gracefully, and comes back when the database does."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.clouds.dns import FakeResolver
from platforma.clouds.openstack.fake import FakeCall
from platforma.database.roles import DatabaseRole
from platforma.kit.crypto import new_key
from platforma.network.models import Network
from platforma.operations.models import Plane
from platforma.operations.registry import reconcilers_of
from platforma.settings import DomainSettings, Settings, SettingsError, WorkerSettings
from platforma.worker import Worker, run_worker
from tests.database.server import TestDatabase
from tests.operations.stage import Stage

SETTINGS = WorkerSettings(concurrency=4, heartbeat_seconds=0.5, stalled_after_seconds=3, give_up_after_seconds=60)
DEADLINE_SECONDS = 20.0
NAMES = FakeResolver({"_platforma.cloud.example": frozenset({"platforma=proof"})})


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A queue for this test alone."""
    return fresh_database


def _worker(stage: Stage, database: TestDatabase, plane: Plane = Plane.TENANT) -> Worker:
    role = {Plane.TENANT: DatabaseRole.WORKER, Plane.PLATFORM: DatabaseRole.PROVISIONER}[plane]
    domains = (NAMES, DomainSettings()) if plane is Plane.PLATFORM else None
    return Worker(
        database.url(role), plane, stage.access, reconcilers_of(plane, stage.access), SETTINGS, domains=domains
    )


@asynccontextmanager
async def _running(worker: Worker) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        worker.stop()
        await asyncio.wait_for(task, DEADLINE_SECONDS)


async def _until(stage: Stage, query: str, *arguments: Any) -> None:
    """Wait until a query finds no row."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while await stage.rows(query, *arguments):
        assert time.monotonic() < deadline, await stage.rows("SELECT action, status, step, error FROM operations")
        await asyncio.sleep(0.02)


UNFINISHED = "SELECT 1 FROM operations WHERE tenant_id = %s AND status IN ('queued', 'running')"


async def test_workers_of_both_planes_bring_a_tenant_to_life(stage: Stage, database: TestDatabase) -> None:
    tenant_id = await stage.make_tenant(onboard=False)
    await stage.databases.administrator.execute(
        b"INSERT INTO domains (host, portal_id, proof_token, wake_at) "
        b"SELECT 'cloud.example', portal_id, 'proof', now() FROM tenants"
    )
    async with _running(_worker(stage, database)), _running(_worker(stage, database, Plane.PLATFORM)):
        await _until(stage, UNFINISHED, tenant_id)
        await _until(stage, "SELECT 1 FROM jobs.procrastinate_jobs")
        await _until(stage, "SELECT 1 WHERE NOT EXISTS (SELECT FROM flavors)")
        await _until(stage, "SELECT 1 FROM domains WHERE NOT is_proven")
    assert stage.objects(tenant_id) == {"security_group": 1, "router": 1, "network": 1, "subnet": 1}
    assert not await stage.rows("SELECT 1 FROM jobs.procrastinate_workers")


async def test_two_workers_share_the_work_and_double_nothing(stage: Stage, database: TestDatabase) -> None:
    tenant_id = await stage.make_tenant()
    member = await stage.sign_in(tenant_id)
    await stage.create(member, *[Network(name=f"net-{number}") for number in range(12)])
    async with _running(_worker(stage, database)), _running(_worker(stage, database)):
        await _until(stage, UNFINISHED, tenant_id)
    assert stage.objects(tenant_id)["network"] == 13


async def test_a_stopping_worker_finishes_the_step_it_takes(stage: Stage, database: TestDatabase) -> None:
    tenant_id = await stage.make_tenant()
    member = await stage.sign_in(tenant_id)
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    take = stage.cloud.take

    def slow(call: FakeCall, work: Any) -> Any:
        if call.method == "ensure_network" and not began.is_set():
            loop.call_soon_threadsafe(began.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        return take(call, work)

    stage.cloud.take = slow  # type: ignore[method-assign]
    (operation_id,) = await stage.create(member, Network(name="web"))
    worker = _worker(stage, database)
    async with _running(worker) as task:
        await asyncio.wait_for(began.wait(), DEADLINE_SECONDS)
        worker.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(task), 0.3)
        assert not task.done()
        go_on.set()
        await asyncio.wait_for(task, DEADLINE_SECONDS)
    row = await stage.operation(operation_id)
    assert row["claim"] is None
    assert row["status"] in {"running", "succeeded"}
    jobs = await stage.rows("SELECT 1 FROM jobs.procrastinate_jobs WHERE args->>'operation_id' = %s", str(operation_id))
    assert len(jobs) == (0 if row["status"] == "succeeded" else 1)


async def test_a_stopping_worker_hands_back_what_takes_too_long(stage: Stage, database: TestDatabase) -> None:
    tenant_id = await stage.make_tenant()
    member = await stage.sign_in(tenant_id)
    began, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    take = stage.cloud.take

    def stuck(call: FakeCall, work: Any) -> Any:
        if call.method == "ensure_network":
            loop.call_soon_threadsafe(began.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(30)
        return take(call, work)

    stage.cloud.take = stuck  # type: ignore[method-assign]
    (operation_id,) = await stage.create(member, Network(name="web"))
    worker = _worker(stage, database)
    async with _running(worker):
        await asyncio.wait_for(began.wait(), DEADLINE_SECONDS)
    go_on.set()
    row = await stage.operation(operation_id)
    assert (row["status"], row["claim"]) == ("running", None)
    (job,) = await stage.rows(
        "SELECT status::text FROM jobs.procrastinate_jobs WHERE args->>'operation_id' = %s", str(operation_id)
    )
    assert job["status"] == "todo"
    stage.cloud.take = take  # type: ignore[method-assign]
    assert (await stage.finish(operation_id))["status"] == "succeeded"


async def test_a_worker_survives_the_loss_of_its_connections(
    stage: Stage, database: TestDatabase, member: SessionBinding, tenant_id: UUID
) -> None:
    async with _running(_worker(stage, database)):
        await _until(stage, "SELECT 1 WHERE NOT EXISTS (SELECT FROM jobs.procrastinate_workers)")
        await stage.databases.administrator.execute(
            b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            b"WHERE usename = 'platforma_worker' AND datname = current_database()"
        )
        await stage.create(member, *[Network(name=f"net-{number}") for number in range(3)])
        await _until(stage, UNFINISHED, tenant_id)


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, "PLATFORMA_DATABASE__WORKER"),
        ({"database": {"worker": "postgresql://x@/y"}}, "PLATFORMA_OPENSTACK__AUTH_URL"),
        (
            {"database": {"worker": "postgresql://x@/y"}, "openstack": {"auth_url": "http://cloud.test"}},
            "PLATFORMA_CREDENTIAL_KEYS",
        ),
    ],
)
async def test_what_is_missing_is_named(settings: dict[str, Any], missing: str) -> None:
    with pytest.raises(SettingsError, match=missing):
        await run_worker(Settings(**settings), Plane.TENANT)


async def test_a_resolver_that_is_no_address_is_named() -> None:
    settings: dict[str, Any] = {
        "database": {"provisioner": "postgresql://x@/y"},
        "openstack": {
            "auth_url": "http://cloud.test",
            "administrator_username": "admin",
            "administrator_password": "x",
        },
        "credential_keys": [new_key()],
        "domains": {"resolvers": ["dns.example"]},
    }
    with pytest.raises(SettingsError, match="RESOLVERS"):
        await run_worker(Settings(**settings), Plane.PLATFORM)


async def test_the_tenants_worker_has_no_administration(stage: Stage) -> None:
    access = type(stage.access)(stage.cloud, stage.cloud.settings, stage.keys)
    with pytest.raises(SettingsError):
        access.open_administration()
