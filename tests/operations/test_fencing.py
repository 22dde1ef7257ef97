"""A worker that was only slow, or frozen: once its claim is lost it records nothing and asks the cloud for nothing."""

import threading
import time
from uuid import UUID

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.clouds.openstack.fake import FakeCall, FakeCloud
from platforma.network.models import Network
from platforma.operations.fence import Fence, StepTimeUp
from tests.operations.stage import SETTINGS, SetClock, Stage


async def _network(stage: Stage, member: SessionBinding) -> UUID:
    (operation_id,) = await stage.create(member, Network(name="web"))
    return operation_id


async def test_who_lost_the_claim_records_nothing(stage: Stage, tenant_id: UUID, member: SessionBinding) -> None:
    """While the first worker's step goes on, a second takes the same operation to its end."""
    operation_id = await _network(stage, member)
    before = stage.objects(tenant_id)
    interrupted = []

    async def overtake() -> None:
        interrupted.append(
            await Stage(stage.databases, stage.cloud, secret=stage.secret, keys=stage.keys).finish(operation_id)
        )

    first = stage.engine()
    take = first._take_step

    async def slow(claim: object) -> object:
        result = await take(claim)  # type: ignore[arg-type]
        if not interrupted:
            await overtake()
        return result

    first._take_step = slow  # type: ignore[assignment, method-assign]
    await first.reconcile(operation_id)
    ended = await stage.operation(operation_id)
    assert interrupted == [ended]
    assert ended["status"] == "succeeded"
    assert stage.objects(tenant_id) == before | {"network": before["network"] + 1}


async def test_the_twin_that_kept_the_claim_records(stage: Stage, member: SessionBinding) -> None:
    operation_id = await _network(stage, member)
    await stage.engine().reconcile(operation_id)
    assert (await stage.operation(operation_id))["status"] == "succeeded"


async def test_a_reaped_claim_is_lost_before_anybody_takes_it(stage: Stage, member: SessionBinding) -> None:
    operation_id = await _network(stage, member)

    async def reap_at(name: str) -> None:
        await stage.databases.administrator.execute(
            b"UPDATE operations SET claim = NULL WHERE id = %s", (operation_id,)
        )

    engine = stage.engine()
    take = engine._take_step

    async def slow(claim: object) -> object:
        result = await take(claim)  # type: ignore[arg-type]
        await reap_at("stepped")
        return result

    engine._take_step = slow  # type: ignore[assignment, method-assign]
    await engine.reconcile(operation_id)
    row = await stage.operation(operation_id)
    assert (row["status"], row["step"], row["progress"]) == ("running", None, 0)


def test_the_fence_ends_with_the_time_of_the_step() -> None:
    clock = SetClock()
    cloud = FakeCloud()
    project = cloud.open_project(cloud.settings, cloud.make_project())
    fence = Fence(10, monotonic=lambda: clock.now.timestamp())
    fenced = fence.around(project)
    assert fenced.project_id == project.project_id
    assert fenced.find_default_security_group() is not None
    remembered = fenced.find_default_security_group
    clock.go(10)
    calls = len(cloud.calls)
    with pytest.raises(StepTimeUp):
        fenced.find_default_security_group()
    with pytest.raises(StepTimeUp):
        remembered()
    assert len(cloud.calls) == calls


def test_a_closed_fence_lets_nothing_pass() -> None:
    cloud = FakeCloud()
    fence = Fence(10)
    fenced = fence.around(cloud.open_project(cloud.settings, cloud.make_project()))
    fence.close()
    with pytest.raises(StepTimeUp):
        fenced.inventory()


def test_a_step_is_over_before_its_worker_counts_as_dead(stage: Stage) -> None:
    assert stage.engine()._limits.seconds < SETTINGS.stalled_after_seconds


async def test_a_thread_that_never_answers_is_left_behind(
    stage: Stage, tenant_id: UUID, member: SessionBinding
) -> None:
    """The cloud's client hangs beyond every deadline: the operation goes on, and the thread can do nothing more."""
    operation_id = await _network(stage, member)
    before = stage.objects(tenant_id)
    released = threading.Event()
    take = stage.cloud.take

    def hang(call: FakeCall, work: object) -> object:
        stage.cloud.take = take  # type: ignore[method-assign]
        released.wait(30)
        return take(call, work)  # type: ignore[arg-type]

    stage.cloud.take = hang  # type: ignore[assignment, method-assign]
    engine = stage.engine()
    engine._limits = type(engine._limits)(0.1, 0.2)
    await engine.reconcile(operation_id)
    waiting = await stage.operation(operation_id)
    assert waiting["step"].startswith("The cloud is very slow at the moment; trying again in")
    released.set()
    deadline = time.monotonic() + 5
    while len(stage.objects(tenant_id)) == 0 and time.monotonic() < deadline:
        pass
    assert (await stage.finish(operation_id))["status"] == "succeeded"
    assert stage.objects(tenant_id) == before | {"network": before["network"] + 1}
