"""Volumes over HTTP, with a worker behind them."""

from typing import Any

import pytest

from platforma.clouds.openstack.resources import CloudKind
from tests.api_client import Member


async def test_a_volume_from_the_wish_to_its_end(a: Member) -> None:
    volume = await a.make_volume(description="mine")
    assert (volume["status"], volume["size_gib"], volume["observed_size_gib"]) == ("active", 2, 2)
    assert volume["attachment"] is None
    path = f"/volumes/{volume['id']}"

    await a.wish("PATCH", path, {"name": "archive"})
    assert await a.settle() == []
    assert (await a.get(path))["name"] == "archive"

    await a.wish("POST", f"{path}/extend", {"size_gib": 5})
    assert await a.settle() == []
    assert (await a.get(path))["observed_size_gib"] == 5

    await a.wish("DELETE", path)
    assert await a.settle() == []
    assert (await a.problem("GET", path))["status"] == 404
    assert a.in_cloud(CloudKind.VOLUME) == []


async def test_attach_and_detach(a: Member) -> None:
    server, volume = await a.make_server(), await a.make_volume()
    path = f"/volumes/{volume['id']}"
    pending = await a.wish("POST", f"{path}/attach", {"server_id": server["id"]})
    assert pending["attachment"]["status"] == "pending"
    assert await a.settle() == []
    attached = (await a.get(path))["attachment"]
    assert attached == {
        "server_id": server["id"],
        "server_name": "web-1",
        "device": "/dev/vdb",
        "status": "attached",
    }
    assert [item["id"] for item in (await a.get("/volumes", server_id=server["id"]))["items"]] == [volume["id"]]

    for method, where, body in (("DELETE", path, None), ("POST", f"{path}/attach", {"server_id": server["id"]})):
        problem = await a.problem(method, where, body)
        assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:volume-attached")
        assert "web-1" in problem["detail"]

    await a.wish("POST", f"{path}/extend", {"size_gib": 3})
    assert await a.settle() == []
    assert (await a.get(path))["observed_size_gib"] == 3

    await a.wish("POST", f"{path}/detach")
    assert await a.settle() == []
    assert (await a.get(path))["attachment"] is None
    problem = await a.problem("POST", f"{path}/detach")
    assert problem["type"] == "urn:platforma:problem:volume-not-attached"
    await a.wish("DELETE", path)
    assert await a.settle() == []


async def test_what_is_still_being_made(a: Member) -> None:
    volume = await a.wish("POST", "/volumes", {"name": "new", "size_gib": 1})
    for action, body in (("extend", {"size_gib": 2}), ("attach", {"server_id": volume["id"]})):
        problem = await a.problem("POST", f"/volumes/{volume['id']}/{action}", body)
        assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:not-made-yet")

    made = await a.make_volume()
    network = await a.make_network()
    server = await a.wish("POST", "/servers", a.server_body(network["id"]))
    problem = await a.problem("POST", f"/volumes/{made['id']}/attach", {"server_id": server["id"]})
    assert "still being made" in problem["detail"]
    assert (await a.get(f"/volumes/{made['id']}"))["attachment"] is None


async def test_a_volume_only_grows(a: Member) -> None:
    volume = await a.make_volume()
    for size in (1, 2):
        problem = await a.problem("POST", f"/volumes/{volume['id']}/extend", {"size_gib": size})
        assert (problem["status"], problem["type"]) == (422, "urn:platforma:problem:volume-cannot-shrink")


async def test_quotas(a: Member) -> None:
    volume = await a.make_volume()
    administrator = a.stage.databases.administrator
    change = b"UPDATE quotas SET maximum = %s WHERE tenant_id = %s AND resource = %s"
    await administrator.execute(change, (4, a.tenant_id, "volume_gib"))
    assert (await a.problem("POST", "/volumes", {"name": "x", "size_gib": 3}))["resource"] == "volume_gib"
    assert (await a.problem("POST", f"/volumes/{volume['id']}/extend", {"size_gib": 5}))["used"] == 2
    await a.wish("POST", f"/volumes/{volume['id']}/extend", {"size_gib": 4})
    await administrator.execute(change, (100, a.tenant_id, "volume_gib"))
    await administrator.execute(change, (1, a.tenant_id, "volumes"))
    assert (await a.problem("POST", "/volumes", {"name": "x", "size_gib": 1}))["resource"] == "volumes"


@pytest.mark.parametrize(
    "change",
    [
        {"size_gib": 0},
        {"size_gib": -1},
        {"size_gib": 10**30},
        {"size_gib": 65_537},
        {"size_gib": 1.5},
        {"size_gib": "many"},
        {"size_gib": None},
        {"name": "a\x00b"},
        {"name": " "},
        {"observed_size_gib": 1},
        {"cloud_id": "x"},
        {"description": "\ud800"},
    ],
    ids=str,
)
async def test_bad_input_is_refused(a: Member, change: dict[str, Any]) -> None:
    problem = await a.problem("POST", "/volumes", {"name": "x", "size_gib": 1} | change)
    assert problem["status"] == 422
    assert (await a.get("/volumes"))["items"] == []


async def test_filters_and_sorting(a: Member) -> None:
    for name, size in (("b", 3), ("a", 2), ("c", 1)):
        await a.wish("POST", "/volumes", {"name": name, "size_gib": size})
    by_size = await a.get("/volumes", sort="-size_gib", limit=2)
    rest = await a.get("/volumes", sort="-size_gib", limit=2, cursor=by_size["next"])
    assert [item["name"] for item in by_size["items"] + rest["items"]] == ["b", "a", "c"]
    assert [item["name"] for item in (await a.get("/volumes", name="A"))["items"]] == ["a"]
    assert (await a.get("/volumes", status="active"))["items"] == []
