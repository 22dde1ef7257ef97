"""Namespaces, from the wish to the cluster and back."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from platforma.clouds.errors import (
    CloudConflict,
    CloudForeignObject,
    CloudRefused,
    CloudThrottled,
    CloudUnavailable,
)
from platforma.clouds.kubernetes import ClusterEvent, NamespaceQuota, QuotaUse, Workload, namespace_name
from tests.api_client import Json, Member, unknown_id
from tests.kubernetes.conftest import Connected, connect, make_namespace
from tests.operations.stage import Crash


def in_cluster(cluster: Connected, made: Json) -> Any:
    """Return the namespace as the cluster has it."""
    return cluster.fake.namespaces.get(namespace_name(UUID(made["id"])))


async def test_a_namespace_is_made_changed_and_deleted(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a, vcpus=3, ram_mib=2048, pods=7)
    assert (made["status"], made["cluster_id"]) == ("active", str(cluster.id))
    assert made["cloud_id"] == namespace_name(UUID(made["id"]))
    found = in_cluster(cluster, made)
    assert found.tenant_id == a.tenant_id
    assert found.spec.display_name == "web"
    assert found.spec.quota == NamespaceQuota(vcpus=3, ram_mib=2048, pods=7)

    await a.wish("PATCH", f"/namespaces/{made['id']}", {"vcpus": 4, "description": "front"})
    assert await a.settle() == []
    changed = await a.get(f"/namespaces/{made['id']}")
    assert (changed["vcpus"], changed["pods"], changed["description"]) == (4, 7, "front")
    assert found.spec.quota.vcpus == 4

    await a.wish("DELETE", f"/namespaces/{made['id']}")
    assert (await a.get(f"/namespaces/{made['id']}"))["status"] == "deleting"
    assert await a.settle() == []
    assert cluster.fake.namespaces == {}
    assert (await a.problem("GET", f"/namespaces/{made['id']}"))["status"] == 404
    await make_namespace(a)


async def test_what_differs_in_the_cluster_is_mended(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    found = in_cluster(cluster, made)
    wanted = found.spec
    found.spec = type(wanted)(wanted.id, wanted.tenant_id, "other", NamespaceQuota(99, 99, 99))
    await a.wish("POST", f"/namespaces/{made['id']}/read")
    assert await a.settle() == []
    assert found.spec == wanted
    del cluster.fake.namespaces[namespace_name(UUID(made["id"]))]
    await a.wish("POST", f"/namespaces/{made['id']}/read")
    assert await a.settle() == []
    assert in_cluster(cluster, made).spec == wanted


async def test_a_name_is_taken_once_and_by_each_tenant(a: Member, b: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    assert (await a.problem("POST", "/namespaces", {"name": "web"}))["type"].endswith(":namespace-exists")
    await make_namespace(b)
    await a.wish("DELETE", f"/namespaces/{made['id']}")
    assert "being deleted" in (await a.problem("POST", "/namespaces", {"name": "web"}))["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Web"},
        {"name": "1web"},
        {"name": "web-"},
        {"name": "web_1"},
        {"name": "x" * 31},
        {"name": ""},
        {"name": "kube-system\n"},
        {"vcpus": 0},
        {"vcpus": 1.5},
        {"ram_mib": 1},
        {"pods": 0},
        {"pods": 10**9},
        {"cloud_id": "kube-system"},
        {"labels": {"platforma.internal/tenant": "x"}},
        {"status": "active"},
        {"cluster_id": "main"},
    ],
    ids=str,
)
async def test_bad_input_is_refused(a: Member, cluster: Connected, change: dict[str, Any]) -> None:
    assert (await a.problem("POST", "/namespaces", {"name": "web"} | change))["status"] == 422
    assert (await a.get("/namespaces"))["items"] == []


async def test_a_name_cannot_be_changed(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    path = f"/namespaces/{made['id']}"
    assert (await a.problem("PATCH", path, {"name": "other"}))["status"] == 422
    assert (await a.problem("PATCH", path, {}))["status"] == 422


async def test_quotas(a: Member, cluster: Connected) -> None:
    async def limit(resource: str, maximum: int) -> None:
        await a.stage.databases.administrator.execute(
            b"UPDATE quotas SET maximum = %s WHERE tenant_id = %s AND resource = %s", (maximum, a.tenant_id, resource)
        )

    made = await make_namespace(a, vcpus=2, ram_mib=1024, pods=5)
    for resource, field in (("namespace_vcpus", "vcpus"), ("namespace_ram_mib", "ram_mib"), ("namespace_pods", "pods")):
        await limit(resource, made[field] + 200)
        body = {"name": "more", field: 201} if field != "ram_mib" else {"name": "more", field: 300}
        problem = await a.problem("POST", "/namespaces", body)
        assert (problem["type"], problem["resource"]) == ("urn:platforma:problem:quota-exceeded", resource)
        problem = await a.problem("PATCH", f"/namespaces/{made['id']}", {field: made[field] + 201})
        assert problem["resource"] == resource
        await a.wish("PATCH", f"/namespaces/{made['id']}", {field: made[field]})
        await limit(resource, 10**6)
    await limit("namespaces", 1)
    assert (await a.problem("POST", "/namespaces", {"name": "more"}))["resource"] == "namespaces"


async def test_without_a_choice_there_must_be_one_cluster(a: Member, cluster: Connected) -> None:
    other = await connect(a.stage, a.stage.databases.operator, "other")
    assert await other.examine()
    problem = await a.problem("POST", "/namespaces", {"name": "web"})
    assert (problem["type"], "main, other" in problem["detail"]) == ("urn:platforma:problem:no-cluster", True)
    assert (await a.problem("POST", "/namespaces", {"name": "web", "cluster_id": unknown_id()}))["status"] == 404
    made = await make_namespace(a, cluster_id=str(other.id))
    assert in_cluster(other, made)
    assert not in_cluster(cluster, made)


async def test_without_a_cluster_there_is_nothing_to_make(a: Member) -> None:
    assert (await a.get("/clusters"))["items"] == []
    assert (await a.problem("POST", "/namespaces", {"name": "web"}))["type"].endswith(":no-cluster")
    assert (await a.get("/namespaces"))["items"] == []


async def test_a_queued_namespace_waits_for_its_cluster(a: Member, cluster: Connected) -> None:
    made = await a.wish("POST", "/namespaces", {"name": "web"})
    administrator = a.stage.databases.administrator
    await administrator.execute(b"UPDATE clusters SET status = 'refused'")
    operation = (await a.get("/operations", resource_id=made["id"]))["items"][0]
    await a.stage.engine().reconcile(UUID(operation["id"]))
    assert (await a.get(f"/operations/{operation['id']}"))["step"] == "Waiting until cluster main is ready"
    assert not cluster.fake.namespaces
    await administrator.execute(b"UPDATE clusters SET status = 'ready'")
    assert await a.settle() == []
    assert in_cluster(cluster, made)


async def test_a_refused_cluster_still_lets_go(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    await a.stage.databases.administrator.execute(b"UPDATE clusters SET status = 'refused'")
    await a.wish("PATCH", f"/namespaces/{made['id']}", {"pods": 3})
    assert await a.settle() == []
    assert in_cluster(cluster, made).spec.quota.pods == 3
    await a.wish("DELETE", f"/namespaces/{made['id']}")
    assert await a.settle() == []
    assert not cluster.fake.namespaces


@pytest.mark.parametrize(
    "error", [CloudUnavailable(), CloudConflict("it changed meanwhile"), CloudThrottled(retry_after=7.0)], ids=repr
)
async def test_a_cluster_in_trouble_loses_nothing(a: Member, cluster: Connected, error: CloudUnavailable) -> None:
    made = await a.wish("POST", "/namespaces", {"name": "web"})
    operation_id = UUID((await a.get("/operations", resource_id=made["id"]))["items"][0]["id"])
    cluster.fake.fail_next("ensure_namespace", error, times=3)
    for attempt in range(1, 4):
        await a.stage.take_jobs_away(operation_id)
        await a.stage.engine().reconcile(operation_id)
        operation = await a.stage.operation(operation_id)
        assert (operation["status"], operation["attempts"]) == ("running", attempt)
        assert "trying again in" in operation["step"]
        assert "trying again in" in (await a.get(f"/namespaces/{made['id']}"))["status_reason"]
        delay = await a.stage.row(
            "SELECT extract(epoch FROM scheduled_at - now()) AS s FROM jobs.procrastinate_jobs"
            " WHERE queueing_lock LIKE 'operation:' || %s || ':%%' AND status = 'todo'",
            str(operation_id),
        )
        least = max(2 ** (attempt - 1) * 2 / 3, error.retry_after or 0)
        assert least - 1 < float(delay["s"]) < 60
    assert await a.settle() == []
    assert len(cluster.fake.namespaces) == 1
    assert (await a.get(f"/namespaces/{made['id']}"))["status_reason"] is None


async def test_a_cluster_that_stays_away_fails_the_operation_and_it_can_be_tried_again(
    a: Member, cluster: Connected
) -> None:
    made = await a.wish("POST", "/namespaces", {"name": "web"})
    operation_id = UUID((await a.get("/operations", resource_id=made["id"]))["items"][0]["id"])
    cluster.fake.fail_next("ensure_namespace", CloudUnavailable(), times=2)
    await a.stage.engine().reconcile(operation_id)
    a.stage.clock.go(a.stage.settings.give_up_after_seconds + 1)
    await a.stage.engine().reconcile(operation_id)
    assert (await a.get(f"/namespaces/{made['id']}"))["status"] == "error"
    response = await a.ask("POST", f"/operations/{operation_id}/retry")
    assert response.status_code == 202
    assert await a.settle() == []
    assert (await a.get(f"/namespaces/{made['id']}"))["status"] == "active"


async def test_what_the_cluster_refuses_is_told(a: Member, cluster: Connected) -> None:
    cluster.fake.fail_next("ensure_namespace", CloudRefused("the label is not allowed"))
    made = await a.wish("POST", "/namespaces", {"name": "web"})
    (failed,) = await a.settle()
    assert "the label is not allowed" in failed["error"]["detail"]
    assert (await a.get(f"/namespaces/{made['id']}"))["status"] == "error"
    await a.wish("DELETE", f"/namespaces/{made['id']}")
    assert [row["id"] for row in await a.settle()] == [failed["id"]]
    assert (await a.problem("GET", f"/namespaces/{made['id']}"))["status"] == 404


@pytest.mark.parametrize("method", ["ensure_namespace", "delete_namespace"])
async def test_a_lost_answer_doubles_nothing(a: Member, cluster: Connected, method: str) -> None:
    cluster.fake.lose_answer(method, CloudUnavailable())
    made = await make_namespace(a)
    assert len(cluster.fake.namespaces) == 1
    await a.wish("DELETE", f"/namespaces/{made['id']}")
    assert await a.settle() == []
    assert not cluster.fake.namespaces


@pytest.mark.parametrize("seam", ["claimed", "stepped", "recording", "recorded"])
@pytest.mark.parametrize("occurrence", [1, 2, 3])
async def test_a_worker_may_die_anywhere(a: Member, cluster: Connected, seam: str, occurrence: int) -> None:
    made = await a.wish("POST", "/namespaces", {"name": "web"})
    with a.stage.crash_at(seam, occurrence), suppress(Crash):
        await a.settle()
    assert await a.settle() == []
    assert list(cluster.fake.namespaces) == [namespace_name(UUID(made["id"]))]
    assert (await a.get(f"/namespaces/{made['id']}"))["status"] == "active"


async def test_a_second_look_writes_nothing(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    before = cluster.fake.count("ensure_namespace")
    await a.wish("PATCH", f"/namespaces/{made['id']}", {"description": "only here"})
    assert await a.settle() == []
    assert cluster.fake.count("ensure_namespace") == before + 1


async def test_a_namespace_that_is_anothers_is_not_touched(a: Member, b: Member, cluster: Connected) -> None:
    """K09: somebody who speaks SQL as the portal writes B's namespace into A's row; its name is not believed."""
    theirs = await make_namespace(b, "theirs")
    mine = await make_namespace(a, "mine")
    before = in_cluster(cluster, theirs).spec
    await a.stage.databases.administrator.execute(
        b"UPDATE namespaces SET cloud_id = %s WHERE id = %s", (theirs["cloud_id"], mine["id"])
    )
    await a.wish("POST", f"/namespaces/{mine['id']}/read")
    assert await a.settle() == []
    assert (await a.get(f"/namespaces/{mine['id']}"))["cloud_id"] == mine["cloud_id"]
    await a.wish("DELETE", f"/namespaces/{mine['id']}")
    assert await a.settle() == []
    assert in_cluster(cluster, theirs).spec == before


async def test_a_name_that_the_cluster_gave_to_another_is_not_taken_over(a: Member, cluster: Connected) -> None:
    """K08: a namespace of our name that does not bear the tenant's label."""
    cluster.fake.fail_next("ensure_namespace", CloudForeignObject())
    await a.wish("POST", "/namespaces", {"name": "web"})
    (failed,) = await a.settle()
    assert failed["status"] == "failed"


async def test_what_runs_is_read_on_demand(a: Member, b: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    path = f"/namespaces/{made['id']}"
    assert await a.get(f"{path}/workloads") == {"read_at": None, "workloads": [], "events": [], "used": None}
    name = made["cloud_id"]
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    cluster.fake.workloads[name] = [Workload("Deployment", "front\x00", 1, 2, "progressing", ("nginx:1.29",), at)]
    cluster.fake.events[name] = [ClusterEvent("Warning", "Failed", "Pod/front-0", "x" * 5000, 3, None)]
    cluster.fake.use = QuotaUse(0.25, 512, 2)
    await a.wish("POST", f"{path}/read")
    assert await a.settle() == []
    seen = await a.get(f"{path}/workloads")
    assert seen["read_at"] is not None
    (workload,) = seen["workloads"]
    assert (workload["name"], workload["ready"], workload["images"]) == ("front", 1, ["nginx:1.29"])
    assert len(seen["events"][0]["message"]) == 1000
    assert seen["used"] == {"vcpus": 0.25, "ram_mib": 512, "pods": 2}
    cluster.fake.workloads[name] = []
    assert (await a.get(f"{path}/workloads"))["workloads"] == [workload]
    await a.wish("POST", f"{path}/read")
    assert await a.settle() == []
    assert (await a.get(f"{path}/workloads"))["workloads"] == []
    assert (await b.problem("GET", f"{path}/workloads"))["status"] == 404


async def test_a_look_that_failed_is_not_taken_by_the_next_change(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    path = f"/namespaces/{made['id']}"
    cluster.fake.fail_next("list_workloads", CloudRefused("no"))
    await a.wish("POST", f"{path}/read")
    assert len(await a.settle()) == 1
    await a.wish("POST", f"{path}/read")
    assert len(await a.settle()) == 1
    assert cluster.fake.count("list_workloads") == 2
    row = await a.stage.row("SELECT readings_requested, readings_done FROM namespaces")
    assert row == {"readings_requested": 1, "readings_done": 1}


async def test_one_that_is_not_made_cannot_be_looked_into(a: Member, cluster: Connected) -> None:
    made = await a.wish("POST", "/namespaces", {"name": "web"})
    problem = await a.problem("POST", f"/namespaces/{made['id']}/read")
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:not-made-yet")
