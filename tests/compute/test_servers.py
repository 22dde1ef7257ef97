"""Servers over HTTP, with a worker behind them."""

import pytest

from platforma.clouds.openstack.resources import CloudKind
from tests.api_client import Member


async def test_a_server_from_the_wish_to_its_end(a: Member) -> None:
    server = await a.make_server(description="the first")
    assert (server["status"], server["power_state"], server["desired_power"]) == ("active", "running", "running")
    assert server["flavor"]["name"] == "m1.nano"
    assert server["image"]["name"] == "debian-12"
    assert [network["name"] for network in server["networks"]] == ["web"]
    assert server["networks"][0]["addresses"] == ["10.7.0.2"]
    assert [group["name"] for group in server["security_groups"]] == ["default"]
    assert server["volumes"] == []
    assert server["key_pair"] is None

    deleting = await a.wish("DELETE", f"/servers/{server['id']}")
    assert deleting["status"] == "deleting"
    assert await a.settle() == []
    assert (await a.problem("GET", f"/servers/{server['id']}"))["status"] == 404
    assert a.in_cloud(CloudKind.SERVER) == []
    assert a.in_cloud(CloudKind.PORT) == []


async def test_start_stop_and_reboot(a: Member) -> None:
    path = f"/servers/{(await a.make_server())['id']}"
    await a.wish("POST", f"{path}/stop")
    assert await a.settle() == []
    assert (await a.get(path))["power_state"] == "stopped"

    assert (await a.problem("POST", f"{path}/reboot", {}))["type"].endswith("server-not-running")

    await a.wish("POST", f"{path}/start")
    assert await a.settle() == []
    assert (await a.get(path))["power_state"] == "running"

    await a.wish("POST", f"{path}/reboot", {"hard": True})
    assert await a.settle() == []
    assert (await a.get(path))["status"] == "active"
    assert a.calls("reboot_server") == 1
    (call,) = [call for call in a.stage.cloud.calls if call.method == "reboot_server"]
    assert call.keywords == {"hard": True}


async def test_console_output_is_fetched_by_the_worker(a: Member) -> None:
    path = f"/servers/{(await a.make_server())['id']}"
    assert await a.get(f"{path}/console-output") == {"output": None, "fetched_at": None}
    await a.wish("POST", f"{path}/console-output")
    assert await a.settle() == []
    fetched = await a.get(f"{path}/console-output")
    assert fetched["output"].endswith("web-1 line 999")
    assert fetched["fetched_at"] is not None


async def test_a_server_that_is_being_made_cannot_be_switched(a: Member) -> None:
    network = await a.make_network()
    server = await a.wish("POST", "/servers", a.server_body(network["id"]))
    for action, body in (("start", None), ("stop", None), ("reboot", {}), ("console-output", None)):
        problem = await a.problem("POST", f"/servers/{server['id']}/{action}", body)
        assert problem["status"] == 409
        assert "still being made" in problem["detail"]


async def test_renaming(a: Member) -> None:
    server = await a.make_server()
    changed = await a.wish("PATCH", f"/servers/{server['id']}", {"name": "Ünïcode 名前", "description": "x"})
    assert (changed["name"], changed["description"]) == ("Ünïcode 名前", "x")
    assert await a.settle() == []
    assert len(a.in_cloud(CloudKind.SERVER)) == 1
    assert (await a.problem("PATCH", f"/servers/{server['id']}", {}))["status"] == 422


async def test_a_deletion_detaches_volumes_and_keeps_them(a: Member) -> None:
    server, volume = await a.make_server(), await a.make_volume()
    await a.wish("POST", f"/volumes/{volume['id']}/attach", {"server_id": server["id"]})
    assert await a.settle() == []
    (seen,) = (await a.get(f"/servers/{server['id']}"))["volumes"]
    assert (seen["id"], seen["status"]) == (volume["id"], "attached")

    await a.wish("DELETE", f"/servers/{server['id']}")
    assert await a.settle() == []
    kept = await a.get(f"/volumes/{volume['id']}")
    assert kept["attachment"] is None
    assert a.cloud_object(CloudKind.VOLUME, volume["id"]).status == "available"
    assert a.calls("detach_volume") >= 1


async def test_a_network_needs_a_subnet(a: Member) -> None:
    empty = await a.make_network(subnets=[])
    problem = await a.problem("POST", "/servers", a.server_body(empty["id"]))
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:network-without-subnet")
    assert (await a.get("/servers"))["items"] == []


async def test_an_image_that_needs_more_than_the_flavour_has(a: Member, administrator: object) -> None:
    await a.stage.databases.administrator.execute(
        b"UPDATE images SET minimum_disk_gib = 5 WHERE id = %s", (a.catalogue.image_id,)
    )
    try:
        network = await a.make_network()
        problem = await a.problem("POST", "/servers", a.server_body(network["id"]))
        assert (problem["status"], problem["type"]) == (422, "urn:platforma:problem:flavor-too-small")
        await a.wish("POST", "/servers", a.server_body(network["id"], flavor_id=a.catalogue.small_id))
    finally:
        await a.stage.databases.administrator.execute(
            b"UPDATE images SET minimum_disk_gib = 0 WHERE id = %s", (a.catalogue.image_id,)
        )


@pytest.mark.parametrize(("resource", "maximum"), [("servers", 1), ("vcpus", 1), ("ram_mib", 127), ("ports", 1)])
async def test_quotas(a: Member, resource: str, maximum: int) -> None:
    await a.stage.databases.administrator.execute(
        b"UPDATE quotas SET maximum = %s WHERE tenant_id = %s AND resource = %s", (maximum, a.tenant_id, resource)
    )
    network = await a.make_network()
    await a.wish("POST", "/servers", a.server_body(network["id"]))
    problem = await a.problem("POST", "/servers", a.server_body(network["id"]))
    assert (problem["status"], problem["resource"]) == (409, resource)
    assert len((await a.get("/servers"))["items"]) == 1


async def test_filters_sorting_and_pages(a: Member) -> None:
    one, two = await a.make_network(name="one"), await a.make_network(name="two")
    for name, network in (("beta", one), ("alpha", one), ("gamma", two)):
        await a.wish("POST", "/servers", a.server_body(network["id"], name=name))
    assert await a.settle() == []

    async def names(**query: object) -> list[str]:
        return [item["name"] for item in (await a.get("/servers", **query))["items"]]

    assert await names(sort="name") == ["alpha", "beta", "gamma"]
    assert await names(sort="-name") == ["gamma", "beta", "alpha"]
    assert await names(network_id=one["id"], sort="name") == ["alpha", "beta"]
    assert await names(name="AMM") == ["gamma"]
    assert await names(flavor_id=a.catalogue.small_id) == []
    assert len(await names(power_state="running", status="active")) == 3
    first = await a.get("/servers", sort="name", limit=2)
    rest = await a.get("/servers", sort="name", limit=2, cursor=first["next"])
    assert [item["name"] for item in first["items"] + rest["items"]] == ["alpha", "beta", "gamma"]
    assert rest["next"] is None


BAD = [
    {"name": ""},
    {"name": "a\x00b"},
    {"name": "x" * 256},
    {"name": 7},
    {"network_ids": []},
    {"network_ids": "all"},
    {"flavor_id": "m1.nano"},
    {"flavor_id": None},
    {"security_group_ids": []},
    {"tenant_id": "00000000-0000-0000-0000-000000000000"},
    {"power_state": "running"},
    {"key_pair_id": 10**400},
    {"description": "\ud800"},
]


@pytest.mark.parametrize("change", BAD, ids=lambda change: ",".join(change))
async def test_bad_input_is_refused(a: Member, change: dict[str, object]) -> None:
    network = (await a.get("/networks"))["items"][0]
    problem = await a.problem("POST", "/servers", a.server_body(network["id"]) | change)
    assert problem["status"] == 422
    assert (await a.get("/servers"))["items"] == []


async def test_each_network_only_once(a: Member) -> None:
    network = (await a.get("/networks"))["items"][0]
    problem = await a.problem("POST", "/servers", a.server_body(network["id"], network["id"]))
    assert problem["errors"] == [{"where": "body.network_ids", "detail": "Name each only once."}]
