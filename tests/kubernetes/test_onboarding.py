"""Clusters are examined before anybody can use them, and again and again."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from platforma.clouds.errors import CloudNotFound, CloudRefused, CloudThrottled, CloudUnavailable
from platforma.clouds.findings import Finding
from platforma.clouds.kubernetes import NetworkVerdict
from platforma.database.database import Database
from platforma.kubernetes import onboarding
from platforma.kubernetes.onboarding import examine, keep_clusters, record, take_due
from tests.api_client import Member
from tests.kubernetes.conftest import Connected, connect
from tests.operations.stage import Stage


async def test_a_fit_cluster_is_ready_and_its_worker_has_a_credential(connected: Connected) -> None:
    assert (await connected.row())["status"] == "checking"
    assert await connected.examine()
    row = await connected.row()
    assert (row["status"], row["status_reason"], row["version"]) == ("ready", None, "1.33")
    assert row["check_requested_at"] is None
    assert row["findings"]["network"] == "Network policies: enforced"
    assert connected.fake.installed is not None
    (access,) = await connected.stage.rows("SELECT * FROM cluster_access")
    assert b"worker-0" not in bytes(access["sealed"])
    assert connected.fake.worker_tokens == ["worker-0"]


async def test_an_unfit_cluster_is_refused_with_the_reasons(connected: Connected, a: Member) -> None:
    findings = (
        Finding("version", False, "It is 1.29, and must be 1.30 or newer."),
        Finding("network", False, "It does not enforce network policies."),
        Finding("storage", True, "It is fine."),
    )
    connected.fake.examination = replace(
        connected.fake.examination, network=NetworkVerdict.NOT_ENFORCED, findings=findings
    )
    assert await connected.examine()
    row = await connected.row()
    assert row["status"] == "refused"
    assert row["status_reason"] == "It is 1.29, and must be 1.30 or newer. It does not enforce network policies."
    assert not await connected.stage.rows("SELECT 1 FROM cluster_access")
    assert not connected.fake.worker_tokens
    problem = await a.problem("POST", "/namespaces", {"name": "web"})
    assert problem["type"] == "urn:platforma:problem:no-cluster"
    problem = await a.problem("POST", "/namespaces", {"name": "web", "cluster_id": str(connected.id)})
    assert problem["type"] == "urn:platforma:problem:cluster-not-ready"


@pytest.mark.parametrize("error", [CloudRefused("no such resource"), CloudNotFound()])
async def test_one_that_cannot_take_our_policies_is_examined_all_the_same(
    connected: Connected, error: CloudRefused
) -> None:
    connected.fake.fail_next("install", error)
    connected.fake.examination = replace(
        connected.fake.examination, findings=(Finding("version", False, "It is 1.29."),)
    )
    assert await connected.examine()
    assert (await connected.row())["status_reason"] == "It is 1.29."


async def test_one_that_refuses_our_policies_for_no_known_reason_is_refused(connected: Connected) -> None:
    connected.fake.fail_next("install", CloudRefused("because"))
    assert await connected.examine()
    row = await connected.row()
    assert row["status"] == "refused"
    assert "because" in row["status_reason"]


async def test_a_cluster_that_is_away_is_tried_again_later_and_later(connected: Connected) -> None:
    connected.fake.fail_next("install", CloudUnavailable(), times=2)
    connected.fake.fail_next("examine", CloudThrottled(retry_after=300.0))
    waits = []
    for _ in range(3):
        assert await connected.examine()
        row = await connected.row()
        assert row["status"] == "unavailable"
        assert row["status_reason"]
        waits.append((row["check_due_at"] - row["updated_at"]).total_seconds())
        assert await take_due(connected.stage.databases.provisioner) is None
        await connected.make_due()
    assert waits[0] < waits[1] < waits[2]
    assert waits[2] >= 299
    assert await connected.examine()
    row = await connected.row()
    assert (row["status"], row["check_attempts"]) == ("ready", 0)


async def test_a_wrong_credential_says_so(connected: Connected) -> None:
    connected.fake.administrator_token = "another"
    assert await connected.examine()
    row = await connected.row()
    assert (row["status"], row["status_reason"]) == ("unavailable", "The cloud does not accept the credential.")


async def test_the_workers_credential_is_renewed_in_time(cluster: Connected) -> None:
    await cluster.make_due()
    assert await cluster.examine()
    assert cluster.fake.worker_tokens == ["worker-0"]
    old = b"UPDATE cluster_access SET expires_at = now() + interval '11 hours'"
    await cluster.stage.databases.administrator.execute(old)
    await cluster.make_due()
    assert await cluster.examine()
    assert cluster.fake.worker_tokens == ["worker-0", "worker-1"]
    assert len(await cluster.stage.rows("SELECT 1 FROM cluster_access")) == 1


async def test_a_simulated_network_is_shown_as_such(connected: Connected, a: Member) -> None:
    connected.fake.examination = replace(
        connected.fake.examination, is_simulated=True, network=NetworkVerdict.SIMULATED
    )
    assert await connected.examine()
    row = await connected.row()
    assert (row["status"], row["findings"]["network"]) == ("ready", "Network policies: simulated")
    assert (await a.get("/clusters"))["items"][0]["is_simulated"] is True


async def test_two_provisioners_examine_a_cluster_once(connected: Connected) -> None:
    provisioner = connected.stage.databases.provisioner
    taken = await asyncio.gather(*[take_due(provisioner) for _ in range(4)])
    assert len([each for each in taken if each is not None]) == 1


async def test_whose_lease_was_taken_over_records_nothing(connected: Connected) -> None:
    provisioner, access = connected.stage.databases.provisioner, connected.stage.access
    frozen = await take_due(provisioner)
    assert frozen is not None
    verdict = examine(frozen, access)
    await connected.make_due()
    connected.fake.examination = replace(connected.fake.examination, version="1.34")
    assert await connected.examine()
    assert not await record(provisioner, access, frozen, verdict)
    assert (await connected.row())["version"] == "1.34"


async def test_a_cluster_that_was_removed_meanwhile_is_let_be(
    connected: Connected, operator_database: Database
) -> None:
    provisioner, access = connected.stage.databases.provisioner, connected.stage.access
    examinee = await take_due(provisioner)
    assert examinee is not None
    await connected.stage.databases.administrator.execute(b"DELETE FROM clusters")
    assert not await record(provisioner, access, examinee, examine(examinee, access))
    assert not await connected.stage.rows("SELECT 1 FROM cluster_access")


async def test_a_sealed_kubeconfig_opens_for_its_own_cluster_only(
    connected: Connected, stage: Stage, operator_database: Database
) -> None:
    other = await connect(stage, operator_database, "other")
    await stage.databases.administrator.execute(
        b"UPDATE cluster_administrators SET sealed = (SELECT sealed FROM cluster_administrators WHERE cluster_id = %s)"
        b" WHERE cluster_id = %s",
        (other.id, connected.id),
    )
    assert await connected.examine()
    assert (await connected.row())["status"] == "unavailable"
    assert not connected.fake.calls


async def test_a_provisioner_keeps_clusters_and_hands_back_what_it_has_not_finished(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = connected.stage
    monkeypatch.setattr(onboarding, "POLL_SECONDS", 0.01)
    keeping = asyncio.create_task(keep_clusters(stage.databases.provisioner, stage.access, stage.executor))
    async with asyncio.timeout(10):
        while (await connected.row())["status"] != "ready":  # noqa: ASYNC110 (a row has no event)
            await asyncio.sleep(0.01)
    began = asyncio.Event()
    loop = asyncio.get_running_loop()
    go_on = asyncio.Event()
    take = connected.fake.take

    def slow(tenant_id: UUID | None, method: str, work: Callable[[], Any]) -> Any:
        loop.call_soon_threadsafe(began.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(10)
        return take(tenant_id, method, work)

    connected.fake.take = slow  # type: ignore[method-assign]
    await connected.make_due()
    await asyncio.wait_for(began.wait(), 10)
    assert await take_due(stage.databases.provisioner) is None
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    go_on.set()
    assert await take_due(stage.databases.provisioner) is not None
