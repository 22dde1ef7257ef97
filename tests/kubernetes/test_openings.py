"""What is open between a tenant's namespaces, and that it never leads to another tenant's."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import ForeignKeyViolation

from platforma.clouds.kubernetes import OpeningSpec, namespace_name
from platforma.kit.ids import new_id
from tests.api_client import Json, Member
from tests.kubernetes.conftest import Connected, connect, make_namespace


def openings_in(cluster: Connected, made: Json) -> tuple[OpeningSpec, ...]:
    found = cluster.fake.namespaces[namespace_name(UUID(made["id"]))]
    return found.spec.openings


def wanted(source: Json, **body: Any) -> Json:
    return {"from_namespace_id": source["id"], "port": 5432, **body}


async def test_traffic_is_opened_and_closed(a: Member, cluster: Connected) -> None:
    web, db = await make_namespace(a, "web"), await make_namespace(a, "db")
    made = await a.wish("POST", f"/namespaces/{db['id']}/openings", wanted(web, pod_labels={"app": "postgres"}))
    assert await a.settle() == []
    (opening,) = openings_in(cluster, db)
    assert opening == OpeningSpec(UUID(made["id"]), UUID(web["id"]), "TCP", 5432, 5432, {"app": "postgres"})
    assert openings_in(cluster, web) == ()
    assert [item["id"] for item in (await a.get(f"/namespaces/{db['id']}"))["openings"]] == [made["id"]]
    listed = {item["name"]: item["openings"] for item in (await a.get("/namespaces"))["items"]}
    assert [len(listed["web"]), len(listed["db"])] == [0, 1]
    await a.wish("DELETE", f"/namespaces/{db['id']}/openings/{made['id']}")
    assert await a.settle() == []
    assert openings_in(cluster, db) == ()


async def test_the_same_is_not_opened_twice(a: Member, cluster: Connected) -> None:
    web, db = await make_namespace(a, "web"), await make_namespace(a, "db")
    path = f"/namespaces/{db['id']}/openings"
    await a.wish("POST", path, wanted(web))
    assert (await a.problem("POST", path, wanted(web, end_port=5432)))["type"].endswith(":opening-exists")
    await a.wish("POST", path, wanted(web, protocol="UDP"))
    await a.wish("POST", path, wanted(web, end_port=5433))


@pytest.mark.parametrize(
    "change",
    [
        {"port": 0},
        {"port": 65536},
        {"port": 10, "end_port": 9},
        {"protocol": "ICMP"},
        {"protocol": "tcp"},
        {"pod_labels": {"": "x"}},
        {"pod_labels": {"app": "a b"}},
        {"pod_labels": {"a/b/c": "x"}},
        {"pod_labels": {"app": "x" * 64}},
        {"pod_labels": {f"l{n}": "x" for n in range(9)}},
        {"pod_labels": "app=web"},
        {"namespace_selector": {}},
        {"ip_block": "0.0.0.0/0"},
        {"tenant_id": "x"},
    ],
    ids=str,
)
async def test_bad_input_is_refused(a: Member, cluster: Connected, change: Json) -> None:
    """K02: nothing but another namespace can be named."""
    web, db = await make_namespace(a, "web"), await make_namespace(a, "db")
    assert (await a.problem("POST", f"/namespaces/{db['id']}/openings", wanted(web, **change)))["status"] == 422
    assert (await a.get(f"/namespaces/{db['id']}"))["openings"] == []


async def test_a_namespace_is_not_opened_to_itself_or_across_clusters(a: Member, cluster: Connected) -> None:
    web = await make_namespace(a, "web")
    problem = await a.problem("POST", f"/namespaces/{web['id']}/openings", wanted(web))
    assert problem["type"].endswith(":same-namespace")
    other = await connect(a.stage, a.stage.databases.operator, "other")
    assert await other.examine()
    far = await make_namespace(a, "far", cluster_id=str(other.id))
    problem = await a.problem("POST", f"/namespaces/{web['id']}/openings", wanted(far))
    assert problem["type"].endswith(":other-cluster")


async def test_nothing_is_opened_to_another_tenant(a: Member, b: Member, cluster: Connected) -> None:
    """The twin of opening: one fact differs, whose namespace it is. By API both ways, and past it in SQL."""
    mine, theirs = await make_namespace(a, "mine"), await make_namespace(b, "theirs")
    for path, body in (
        (f"/namespaces/{mine['id']}/openings", wanted(theirs)),
        (f"/namespaces/{theirs['id']}/openings", wanted(mine)),
    ):
        assert (await a.problem("POST", path, body))["status"] == 404
    administrator: psycopg.AsyncConnection[Any] = a.stage.databases.administrator
    for namespace, source in ((mine, theirs), (theirs, mine)):
        with pytest.raises(ForeignKeyViolation):
            await administrator.execute(
                b"INSERT INTO openings (tenant_id, id, namespace_id, from_namespace_id, protocol, port, end_port)"
                b" VALUES (%s, %s, %s, %s, 'TCP', 1, 1)",
                (a.tenant_id, new_id(), namespace["id"], source["id"]),
            )
    assert await a.settle() == []
    assert await b.settle() == []
    assert openings_in(cluster, mine) == openings_in(cluster, theirs) == ()


async def test_an_opening_of_another_namespace_is_unknown(a: Member, cluster: Connected) -> None:
    web, db = await make_namespace(a, "web"), await make_namespace(a, "db")
    made = await a.wish("POST", f"/namespaces/{db['id']}/openings", wanted(web))
    assert (await a.problem("DELETE", f"/namespaces/{web['id']}/openings/{made['id']}"))["status"] == 404
    assert len((await a.get(f"/namespaces/{db['id']}"))["openings"]) == 1


async def test_deleting_a_namespace_closes_what_it_was_let_into(a: Member, cluster: Connected) -> None:
    web, db = await make_namespace(a, "web"), await make_namespace(a, "db")
    await a.wish("POST", f"/namespaces/{db['id']}/openings", wanted(web))
    await a.wish("POST", f"/namespaces/{web['id']}/openings", wanted(db))
    assert await a.settle() == []
    await a.wish("DELETE", f"/namespaces/{web['id']}")
    assert await a.settle() == []
    assert openings_in(cluster, db) == ()
    assert not await a.stage.rows("SELECT 1 FROM openings")
    assert list(cluster.fake.namespaces) == [db["cloud_id"]]


async def test_the_quota_of_openings(a: Member, cluster: Connected) -> None:
    web, db = await make_namespace(a, "web"), await make_namespace(a, "db")
    await a.stage.databases.administrator.execute(
        b"UPDATE quotas SET maximum = 1 WHERE tenant_id = %s AND resource = 'openings'", (a.tenant_id,)
    )
    path = f"/namespaces/{db['id']}/openings"
    await a.wish("POST", path, wanted(web))
    assert (await a.problem("POST", path, wanted(web, port=1)))["resource"] == "openings"
