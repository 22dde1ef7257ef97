"""What dead workers leave behind is queued again, and what live ones do is left alone."""

from typing import Any
from uuid import UUID

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.database.roles import DatabaseRole
from platforma.network.models import Network
from platforma.operations.reaper import Reaper
from platforma.operations.service import defer_operation
from tests.database.server import TestDatabase
from tests.operations.stage import SETTINGS, Stage


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A queue for this test alone: the reaper sees all jobs of its plane."""
    return fresh_database


@pytest.fixture
def reaper(stage: Stage) -> Reaper:
    """The reaper of the tenants' worker."""
    return Reaper(stage.databases.worker, SETTINGS)


@pytest.fixture
async def operation_id(stage: Stage, member: SessionBinding) -> UUID:
    """An operation with its job; everything else has been carried out and is out of the queue."""
    await stage.databases.administrator.execute(b"SET search_path = public, jobs")
    await stage.databases.administrator.execute(b"DELETE FROM jobs.procrastinate_jobs")
    (made,) = await stage.create(member, Network(name="web"))
    return made


async def _fetch(stage: Stage, *, silent_for: float = 0, queue: str = "resources") -> tuple[int, int]:
    """Register a worker that fetches the job, and has then been silent for so long; return worker and job."""
    await stage.databases.administrator.execute(b"SET search_path = public, jobs")
    worker = await stage.row(
        "INSERT INTO jobs.procrastinate_workers (last_heartbeat)"
        " VALUES (now() - make_interval(secs => %s)) RETURNING id",
        silent_for,
    )
    job = await stage.row("SELECT id FROM jobs.procrastinate_fetch_job_v2(ARRAY[%s], %s)", queue, worker["id"])
    return worker["id"], job["id"]


async def _jobs(stage: Stage) -> list[dict[str, Any]]:
    return await stage.rows(
        "SELECT id, status::text, worker_id, args->>'operation_id' AS operation FROM jobs.procrastinate_jobs"
    )


async def test_the_job_of_a_dead_worker_is_queued_again(stage: Stage, reaper: Reaper, operation_id: UUID) -> None:
    _, job_id = await _fetch(stage, silent_for=SETTINGS.stalled_after_seconds + 1)
    assert await reaper.reap() == (1, 0)
    (job,) = await _jobs(stage)
    assert (job["status"], job["worker_id"], job["operation"]) == ("todo", None, str(operation_id))
    assert job["id"] != job_id
    assert await reaper.reap() == (0, 0)


async def test_the_job_of_a_live_worker_is_left_alone(stage: Stage, reaper: Reaper, operation_id: UUID) -> None:
    """The twin: the same worker, heard of one second before its time is up, however slow it is."""
    worker_id, job_id = await _fetch(stage, silent_for=SETTINGS.stalled_after_seconds - 1)
    assert await reaper.reap() == (0, 0)
    (job,) = await _jobs(stage)
    assert (job["id"], job["status"], job["worker_id"]) == (job_id, "doing", worker_id)


async def test_a_job_whose_worker_was_pruned_is_queued_again(stage: Stage, reaper: Reaper, operation_id: UUID) -> None:
    """procrastinate's issue 1518: pruning a worker sets `worker_id` of its jobs to NULL, and they stay `doing`."""
    worker_id, _ = await _fetch(stage)
    await stage.rows("SELECT 1 FROM jobs.procrastinate_unregister_worker_v1(%s)", worker_id)
    (job,) = await _jobs(stage)
    assert (job["status"], job["worker_id"]) == ("doing", None)
    assert await reaper.reap() == (1, 0)
    assert [row["status"] for row in await _jobs(stage)] == ["todo"]


async def test_a_dead_job_whose_next_one_waits_already_is_ended(
    stage: Stage, reaper: Reaper, operation_id: UUID, member: SessionBinding
) -> None:
    """The worker died after it had recorded its step and queued the next, and before it could end its job."""
    await _fetch(stage, silent_for=SETTINGS.stalled_after_seconds + 1)
    async with stage.wish(member) as session:
        await defer_operation(session, operation_id)
    assert sorted(row["status"] for row in await _jobs(stage)) == ["doing", "todo"]
    assert await reaper.reap() == (1, 0)
    assert [row["status"] for row in await _jobs(stage)] == ["todo"]


async def test_reaping_takes_the_claim(stage: Stage, reaper: Reaper, operation_id: UUID) -> None:
    await stage.databases.administrator.execute(
        b"UPDATE operations SET claim = gen_random_uuid() WHERE id = %s", (operation_id,)
    )
    await _fetch(stage, silent_for=SETTINGS.stalled_after_seconds + 1)
    await reaper.reap()
    assert (await stage.operation(operation_id))["claim"] is None


async def test_a_thawed_worker_cannot_end_the_new_job(stage: Stage, reaper: Reaper, operation_id: UUID) -> None:
    _, job_id = await _fetch(stage, silent_for=SETTINGS.stalled_after_seconds + 1)
    await reaper.reap()
    with pytest.raises(Exception, match="Job was not found"):
        await stage.rows("SELECT 1 FROM jobs.procrastinate_finish_job_v1(%s, 'succeeded', true)", job_id)
    assert [row["status"] for row in await _jobs(stage)] == ["todo"]


@pytest.mark.parametrize("status", ["queued", "running"])
async def test_an_operation_without_a_job_gets_one(
    stage: Stage, reaper: Reaper, operation_id: UUID, status: str
) -> None:
    await stage.take_jobs_away(operation_id)
    await _age(stage, operation_id, status)
    assert await reaper.reap() == (0, 1)
    assert [row["operation"] for row in await _jobs(stage)] == [str(operation_id)]
    assert await reaper.reap() == (0, 0)


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_an_operation_that_has_ended_gets_none(
    stage: Stage, reaper: Reaper, operation_id: UUID, status: str
) -> None:
    await stage.take_jobs_away(operation_id)
    await _age(stage, operation_id, status)
    assert await reaper.reap() == (0, 0)
    assert not await _jobs(stage)


@pytest.mark.parametrize("is_fetched", [False, True])
async def test_an_operation_with_a_job_gets_no_second(
    stage: Stage, reaper: Reaper, operation_id: UUID, is_fetched: bool
) -> None:
    if is_fetched:
        await _fetch(stage)
    await _age(stage, operation_id, "running")
    assert await reaper.reap() == (0, 0)
    assert len(await _jobs(stage)) == 1


async def test_each_plane_reaps_its_own(stage: Stage, operation_id: UUID) -> None:
    await _fetch(stage, silent_for=SETTINGS.stalled_after_seconds + 1)
    assert await Reaper(stage.databases.provisioner, SETTINGS).reap() == (0, 0)
    assert await Reaper(stage.databases.worker, SETTINGS).reap() == (1, 0)


@pytest.mark.parametrize("role", [DatabaseRole.PORTAL, DatabaseRole.OPERATOR])
async def test_nobody_else_may_reap(database: TestDatabase, role: DatabaseRole) -> None:
    async with database.connect(role) as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute("SELECT * FROM gate.reap_jobs(1, 1)")


async def test_the_worker_cannot_add_jobs_by_the_reapers_inner_way(database: TestDatabase) -> None:
    async with database.connect(DatabaseRole.WORKER) as connection:
        with pytest.raises(Exception, match="permission denied"):
            await connection.execute("SELECT gate.add_job(NULL, NULL, NULL, NULL, NULL)")


async def _age(stage: Stage, operation_id: UUID, status: str) -> None:
    await stage.databases.administrator.execute(
        b"UPDATE operations SET status = %s, updated_at = now() - interval '1 hour' WHERE id = %s",
        (status, operation_id),
    )
