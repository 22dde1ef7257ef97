"""What the engine makes of what reconcilers and clouds say."""

from typing import Any
from uuid import UUID

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.clouds.openstack.errors import (
    CloudAnswerInvalid,
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRefused,
    CloudThrottled,
    CloudUnavailable,
)
from platforma.kit.problems import Conflict, NotFound
from platforma.network.models import Network, Router, SecurityGroup, SecurityGroupRule
from platforma.network.reconcile_security_groups import SecurityGroupReconciler
from platforma.operations.models import Plane
from platforma.operations.reconciling import Reconcilers, Step, again
from platforma.operations.service import get_operation, request_operation, retry_operation
from platforma.tenants.service import resume_tenant, suspend_tenant
from tests.operations.stage import ACT, Stage

TRANSIENT: list[CloudError] = [
    CloudUnavailable(),
    CloudThrottled(retry_after=7),
    CloudConflict("Port is in use."),
    CloudAnswerInvalid(),
]
PERMANENT: list[CloudError] = [
    CloudRefused("Invalid input for name."),
    CloudNotFound(),
    CloudQuotaExceeded("networks: 20 of 20 are used."),
    CloudCredentialInvalid(),
    CloudError(),
]


def _named(error: CloudError) -> str:
    return type(error).__name__


async def _create_network(stage: Stage, member: SessionBinding) -> tuple[UUID, UUID]:
    network = Network(name="web")
    (operation_id,) = await stage.create(member, network)
    return network.id, operation_id


async def test_an_operation_ends_when_its_resource_is_what_is_desired(stage: Stage, member: SessionBinding) -> None:
    network_id, operation_id = await _create_network(stage, member)
    before = await stage.operation(operation_id)
    ended = await stage.finish(operation_id)
    network = await stage.row("SELECT * FROM networks WHERE id = %s", network_id)
    assert (before["status"], ended["status"], ended["progress"]) == ("queued", "succeeded", 100)
    assert (network["status"], network["cloud_id"] in stage.cloud.objects) == ("active", True)
    assert ended["claim"] is None
    assert ended["finished_at"] is not None


@pytest.mark.parametrize("error", TRANSIENT, ids=_named)
async def test_a_transient_error_is_shown_and_tried_again(
    stage: Stage, member: SessionBinding, error: CloudError
) -> None:
    network_id, operation_id = await _create_network(stage, member)
    stage.cloud.fail_next("ensure_network", error)
    await stage.engine().reconcile(operation_id)
    waiting = await stage.operation(operation_id)
    network = await stage.row("SELECT * FROM networks WHERE id = %s", network_id)
    assert (waiting["status"], waiting["attempts"]) == ("running", 1)
    assert "; trying again in" in waiting["step"]
    assert waiting["error"]["title"] in waiting["step"]
    assert network["status_reason"] == waiting["step"]
    ended = await stage.finish(operation_id)
    assert (ended["status"], ended["error"], ended["attempts"]) == ("succeeded", None, 0)


@pytest.mark.parametrize("error", TRANSIENT, ids=_named)
async def test_a_lost_answer_doubles_nothing(
    stage: Stage, tenant_id: UUID, member: SessionBinding, error: CloudError
) -> None:
    _, operation_id = await _create_network(stage, member)
    before = stage.objects(tenant_id)
    stage.cloud.lose_answer("ensure_network", error)
    ended = await stage.finish(operation_id)
    assert ended["status"] == "succeeded"
    assert stage.objects(tenant_id) == before | {"network": before["network"] + 1}


async def test_a_cloud_that_asks_for_time_gets_it(stage: Stage, member: SessionBinding) -> None:
    _, operation_id = await _create_network(stage, member)
    stage.cloud.fail_next("ensure_network", CloudThrottled(retry_after=120))
    await stage.take_jobs_away(operation_id)
    await stage.engine().reconcile(operation_id)
    job = await stage.row(
        "SELECT extract(epoch FROM scheduled_at - now())::float AS wait FROM jobs.procrastinate_jobs"
        " WHERE queueing_lock LIKE 'operation:' || %s || ':%%' AND scheduled_at IS NOT NULL",
        operation_id,
    )
    assert 110 < job["wait"] <= 120


async def test_the_worker_gives_up_after_a_time_and_says_so(stage: Stage, member: SessionBinding) -> None:
    network_id, operation_id = await _create_network(stage, member)
    stage.cloud.fail_next("ensure_network", CloudUnavailable(), times=99)
    await stage.engine().reconcile(operation_id)
    stage.clock.go(stage.settings.give_up_after_seconds - 1)
    await stage.engine().reconcile(operation_id)
    assert (await stage.operation(operation_id))["status"] == "running"
    stage.clock.go(1)
    await stage.engine().reconcile(operation_id)
    failed = await stage.operation(operation_id)
    network = await stage.row("SELECT * FROM networks WHERE id = %s", network_id)
    assert failed["status"] == "failed"
    assert "tried again and again for" in failed["error"]["detail"]
    assert (network["status"], network["status_reason"]) == ("error", failed["error"]["detail"])


async def test_trouble_is_counted_from_when_it_began(stage: Stage, member: SessionBinding) -> None:
    """Two short times of trouble with progress between them are not one long one."""
    _, operation_id = await _create_network(stage, member)
    stage.cloud.fail_next("ensure_network", CloudUnavailable())
    await stage.engine().reconcile(operation_id)
    assert (await stage.operation(operation_id))["trouble_since"] is not None
    stage.clock.go(stage.settings.give_up_after_seconds * 10)
    assert (await stage.finish(operation_id))["trouble_since"] is None


@pytest.mark.parametrize("error", PERMANENT, ids=_named)
async def test_a_permanent_error_ends_it_at_once(stage: Stage, member: SessionBinding, error: CloudError) -> None:
    network_id, operation_id = await _create_network(stage, member)
    stage.cloud.fail_next("ensure_network", error)
    await stage.engine().reconcile(operation_id)
    failed = await stage.operation(operation_id)
    network = await stage.row("SELECT * FROM networks WHERE id = %s", network_id)
    assert (failed["status"], network["status"]) == ("failed", "error")
    assert str(error) in failed["error"]["detail"]
    assert network["status_reason"] == failed["error"]["detail"]


async def test_an_exhausted_quota_is_named(stage: Stage, tenant_id: UUID, member: SessionBinding) -> None:
    stage.cloud.quotas[tenant_id.hex]["networks"] = 1
    _, operation_id = await _create_network(stage, member)
    failed = await stage.finish(operation_id)
    assert failed["error"]["type"].endswith(":cloud-quota-exceeded")
    assert "networks: 1 of 1 are used" in failed["error"]["detail"]


@pytest.mark.parametrize("method", ["load", "step"])
async def test_an_unexpected_error_tells_nothing_of_the_inside(
    stage: Stage, member: SessionBinding, method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret of the house")

    _, operation_id = await _create_network(stage, member)
    monkeypatch.setattr(f"platforma.network.reconcile.NetworkReconciler.{method}", fail)
    await stage.engine().reconcile(operation_id)
    failed = await stage.operation(operation_id)
    assert (failed["status"], failed["error"]["type"]) == ("failed", "urn:platforma:problem:internal-error")
    assert "secret" not in str(failed["error"])
    assert "secret of the house" in caplog.text
    assert str(operation_id) in caplog.text


async def test_what_the_rows_do_not_admit_ends_the_operation(stage: Stage, member: SessionBinding) -> None:
    """A security group goes while a rule of another group refers to its row: an error for people, and no loop."""
    group, other = SecurityGroup(name="web"), SecurityGroup(name="database")
    for operation_id in await stage.create(member, group, other):
        await stage.finish(operation_id)
    async with stage.wish(member) as session:
        session.add(
            SecurityGroupRule(
                security_group_id=other.id, direction="ingress", ethertype="IPv4", remote_group_id=group.id
            )
        )
    failed = await stage.finish(await stage.delete(member, SecurityGroup, group.id))
    assert (failed["status"], failed["error"]["type"]) == ("failed", "urn:platforma:problem:internal-error")


async def test_an_unknown_kind_of_resource_fails(stage: Stage, member: SessionBinding) -> None:
    _, operation_id = await _create_network(stage, member)
    await stage.engine(reconcilers=Reconcilers([])).reconcile(operation_id)
    assert (await stage.operation(operation_id))["error"]["type"] == "urn:platforma:problem:unknown-kind"


async def test_a_tenant_without_credential_waits(stage: Stage) -> None:
    tenant_id = await stage.make_tenant(onboard=False)
    member = await stage.sign_in(tenant_id)
    _, operation_id = await _create_network(stage, member)
    await stage.engine().reconcile(operation_id)
    waiting = await stage.operation(operation_id)
    assert (waiting["status"], waiting["step"]) == ("running", "Your cloud is being set up")
    assert {row["status"] for row in await stage.finish_all(tenant_id)} == {"succeeded"}


async def test_a_suspended_tenant_is_left_alone_but_for_deletions(
    stage: Stage, tenant_id: UUID, member: SessionBinding
) -> None:
    doomed, operation_id = await _create_network(stage, member)
    await stage.finish(operation_id)
    _, creating = await _create_network(stage, member)
    deleting = await stage.delete(member, Network, doomed)
    await suspend_tenant(stage.databases.operator, ACT, tenant_id)
    calls = len(stage.cloud.calls)
    await stage.engine().reconcile(creating)
    assert len(stage.cloud.calls) == calls
    assert (await stage.operation(creating))["step"] == "Waiting until the tenant is resumed"
    assert (await stage.finish(deleting))["status"] == "succeeded"
    await resume_tenant(stage.databases.operator, ACT, tenant_id)
    job = await stage.row(
        "SELECT scheduled_at FROM jobs.procrastinate_jobs WHERE queueing_lock LIKE 'operation:' || %s || ':%%'",
        creating,
    )
    assert job["scheduled_at"] is None
    assert (await stage.finish(creating))["status"] == "succeeded"


async def test_a_credential_of_another_tenant_opens_nothing(
    stage: Stage, tenant_id: UUID, member: SessionBinding
) -> None:
    """The twin of every test above: the same row with the sealed bytes of another tenant."""
    other = await stage.make_tenant()
    _, operation_id = await _create_network(stage, member)
    await stage.databases.administrator.execute(
        b"UPDATE cloud_credentials SET sealed = (SELECT sealed FROM cloud_credentials WHERE tenant_id = %s)"
        b" WHERE tenant_id = %s",
        (other, tenant_id),
    )
    before = stage.objects(other)
    assert (await stage.finish(operation_id))["status"] == "failed"
    assert stage.objects(other) == before


@pytest.mark.parametrize("model", [Network, Router])
async def test_deletion_leaves_nothing(
    stage: Stage, tenant_id: UUID, member: SessionBinding, model: type[Network | Router]
) -> None:
    before = stage.objects(tenant_id)
    row = model(name="short-lived")
    (operation_id,) = await stage.create(member, row)
    await stage.finish(operation_id)
    assert stage.objects(tenant_id) != before
    ended = await stage.finish(await stage.delete(member, model, row.id))
    assert ended["status"] == "succeeded"
    assert stage.objects(tenant_id) == before
    assert not await stage.rows(f"SELECT 1 FROM {model.__tablename__} WHERE id = %s", row.id)


async def test_deletion_overtakes_creation(stage: Stage, tenant_id: UUID, member: SessionBinding) -> None:
    """Deleted before the first step: the creation is cancelled, the deletion succeeds, and nothing stays."""
    before = stage.objects(tenant_id)
    network_id, creating = await _create_network(stage, member)
    deleting = await stage.delete(member, Network, network_id)
    assert (await stage.finish(creating))["status"] == "cancelled"
    assert (await stage.finish(deleting))["status"] == "succeeded"
    assert stage.objects(tenant_id) == before


async def test_a_wish_for_now_wakes_what_waits_on_the_same_resource(stage: Stage, member: SessionBinding) -> None:
    network_id, creating = await _create_network(stage, member)
    stage.cloud.fail_next("ensure_network", CloudThrottled(retry_after=120))
    await stage.take_jobs_away(creating)
    await stage.engine().reconcile(creating)
    jobs = "SELECT scheduled_at FROM jobs.procrastinate_jobs WHERE args->>'operation_id' = ANY(%s)"
    assert (await stage.row(jobs, [str(creating)]))["scheduled_at"] is not None
    deleting = await stage.delete(member, Network, network_id)
    assert [row["scheduled_at"] for row in await stage.rows(jobs, [str(creating), str(deleting)])] == [None, None]


async def test_only_what_has_failed_is_tried_again(stage: Stage, member: SessionBinding) -> None:
    _, operation_id = await _create_network(stage, member)
    async with stage.wish(member) as session:
        with pytest.raises(Conflict):
            await retry_operation(session, operation_id, "somebody")
    stage.cloud.fail_next("ensure_network", CloudRefused("No."))
    assert (await stage.finish(operation_id))["status"] == "failed"
    async with stage.wish(member) as session:
        again = await retry_operation(session, operation_id, "somebody")
    assert (again.status, again.error, again.attempts, again.finished_at) == ("queued", None, 0, None)
    assert (await stage.finish(operation_id))["status"] == "succeeded"


async def test_another_tenants_operation_is_not_there(stage: Stage, tenant_id: UUID, member: SessionBinding) -> None:
    other = await stage.sign_in(await stage.make_tenant())
    _, operation_id = await _create_network(stage, member)
    async with stage.wish(other) as session:
        with pytest.raises(NotFound):
            await get_operation(session, operation_id)
        with pytest.raises(NotFound):
            await retry_operation(session, operation_id, "somebody")
    async with stage.wish(member) as session:
        assert (await get_operation(session, operation_id)).id == operation_id


async def test_an_operation_and_its_job_are_written_together_or_not_at_all(
    stage: Stage, member: SessionBinding
) -> None:
    network = Network(name="never")
    jobs = "SELECT id FROM jobs.procrastinate_jobs ORDER BY id"
    before = await stage.rows(jobs)

    async def wish_and_fail() -> None:
        async with stage.wish(member) as session:
            session.add(network)
            await request_operation(session, action="network.create", resource=network, requested_by="member")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await wish_and_fail()
    assert await stage.rows(jobs) == before
    assert not await stage.rows("SELECT 1 FROM operations WHERE resource_id = %s", network.id)


async def test_each_plane_carries_out_its_own(stage: Stage, member: SessionBinding) -> None:
    """The provisioner's role opens no operation of the tenants' plane, nor the worker's the other way round."""
    _, operation_id = await _create_network(stage, member)
    await stage.engine(Plane.PLATFORM).reconcile(operation_id)
    assert (await stage.operation(operation_id))["status"] == "queued"
    tenant_id = await stage.make_tenant(onboard=False)
    onboarding = await stage.row("SELECT id FROM operations WHERE tenant_id = %s", tenant_id)
    await stage.engine(Plane.TENANT).reconcile(onboarding["id"])
    assert (await stage.operation(onboarding["id"]))["status"] == "queued"


async def test_a_cloud_that_says_yes_and_does_nothing_is_not_asked_for_ever(
    stage: Stage, tenant_id: UUID, member: SessionBinding
) -> None:
    """The operation fails with what it has waited for, and can be tried again."""
    (operation_id,) = await stage.create(member, SecurityGroup(name="web"))
    idle = True

    class Idle(SecurityGroupReconciler):
        def step(self, view: Any, cloud: Any) -> Step:
            return again(1, "Waiting for the group") if idle else super().step(view, cloud)

    engine = stage.engine(reconcilers=Reconcilers([Idle()]))
    for _ in range(4):
        await engine.reconcile(operation_id)
        stage.clock.go(stage.settings.longest_operation_seconds / 3 - 60)
    assert (await stage.operation(operation_id))["status"] == "running"
    stage.clock.go(300)
    await engine.reconcile(operation_id)
    failed = await stage.operation(operation_id)
    assert (failed["status"], failed["claim"]) == ("failed", None)
    assert failed["error"]["type"].endswith("took-too-long")
    assert "Waiting for the group" in failed["error"]["detail"]
    row = await stage.row("SELECT status, status_reason FROM security_groups WHERE id = %s", failed["resource_id"])
    assert (row["status"], " minutes it has come no further" in row["status_reason"]) == ("error", True)
    idle = False
    async with stage.wish(member) as session:
        await retry_operation(session, operation_id, "somebody")
    assert (await stage.finish(operation_id))["status"] == "succeeded"
