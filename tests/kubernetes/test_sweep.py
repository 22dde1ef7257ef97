"""What is changed in a namespace behind our back is found by the sweep, with evidence, and mended."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from platforma.clouds.errors import CloudUnavailable
from platforma.clouds.kubernetes import namespace_name
from platforma.sweep.kinds import DriftKind
from tests.api_client import Json, Member
from tests.kubernetes.conftest import Connected, make_namespace
from tests.sweep.test_sweep import findings, sweep


def in_cluster(cluster: Connected, made: Json) -> Any:
    return cluster.fake.namespaces[namespace_name(UUID(made["id"]))]


async def test_a_changed_namespace_is_found_and_mended(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    assert await sweep(a) == []
    found = in_cluster(cluster, made)
    wanted = found.spec
    found.spec = replace(wanted, quota=replace(wanted.quota, pods=999))
    (row,) = await sweep(a)
    assert (row["kind"], row["subject"], row["status"]) == (DriftKind.NAMESPACE_CHANGED, "namespace web", "mending")
    assert row["evidence"]["drift"] == ["It is not as specified."]
    assert await a.settle() == []
    assert found.spec == wanted
    assert await sweep(a) == []
    assert [row["status"] for row in await findings(a)] == ["mended"]


async def test_a_missing_namespace_is_told_and_not_made_anew(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    del cluster.fake.namespaces[namespace_name(UUID(made["id"]))]
    (row,) = await sweep(a)
    assert (row["kind"], row["status"]) == (DriftKind.NAMESPACE_MISSING, "open")
    assert cluster.fake.namespaces == {}


async def test_a_cluster_that_is_away_ends_no_finding_and_holds_nothing_up(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    found = in_cluster(cluster, made)
    wanted = found.spec
    found.spec = replace(wanted, display_name="other")
    cluster.fake.fail_next("ensure_namespace", CloudUnavailable(), times=3)
    (first,) = await sweep(a)
    cluster.fake.fail_next("observe_namespace", CloudUnavailable())
    (again,) = await sweep(a)
    assert again["id"] == first["id"]
    (row,) = await a.stage.rows("SELECT * FROM sweeps WHERE tenant_id = %s", a.tenant_id)
    assert row["trouble"] is None


async def test_what_is_being_worked_on_is_no_finding(a: Member, cluster: Connected) -> None:
    made = await make_namespace(a)
    await a.wish("PATCH", f"/namespaces/{made['id']}", {"pods": 9})
    assert await sweep(a) == []
    assert await a.settle() == []
    assert await sweep(a) == []
    assert in_cluster(cluster, made).spec.quota.pods == 9
