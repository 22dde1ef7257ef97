"""Ports of their own and servers' interfaces over HTTP, with a worker behind them."""

from typing import Any

import pytest

from platforma.clouds.openstack import CloudConflict, CloudUnavailable
from platforma.clouds.openstack.resources import CloudKind
from tests.api_client import Json, Member, unknown_id
from tests.network.test_floating_ips import make_reachable_server


def at_server(a: Member, port_id: str) -> str | None:
    """Return the cloud id of what a port is at in the cloud."""
    found: str | None = a.cloud_object(CloudKind.PORT, port_id).attributes["server"]
    return found


async def make_port(a: Member, network: Json, **body: Any) -> Json:
    return await a.make("/ports", **{"name": "vip", "network_id": network["id"], **body})


async def test_a_port_from_the_wish_to_its_end(a: Member) -> None:
    network, group = await a.make_network(), await a.make("/security-groups", name="web")
    port = await make_port(a, network, fixed_addresses=["10.7.0.77"], description="for two", allowed_addresses=[])
    assert (port["status"], port["addresses"], port["fixed_addresses"]) == ("active", ["10.7.0.77"], ["10.7.0.77"])
    assert (port["server_id"], port["goes_with_server"], port["description"]) == (None, False, "for two")
    (default,) = [item["id"] for item in (await a.get("/security-groups"))["items"] if item["is_default"]]
    assert port["security_group_ids"] == [default]

    path = f"/ports/{port['id']}"
    change = {"name": "vip-2", "security_group_ids": [group["id"]], "allowed_addresses": ["10.7.0.200/32"]}
    changed = await a.wish("PATCH", path, change)
    assert {name: changed[name] for name in change} == change
    assert await a.settle() == []
    seen = a.cloud_object(CloudKind.PORT, port["id"]).attributes
    assert seen["groups"] == {a.cloud_object(CloudKind.SECURITY_GROUP, group["id"]).cloud_id}
    assert seen["allowed"] == ["10.7.0.200/32"]
    problem = await a.problem("DELETE", f"/security-groups/{group['id']}")
    assert "ports vip-2" in problem["detail"]
    problem = await a.problem("DELETE", f"/networks/{network['id']}")
    assert "ports vip-2" in problem["detail"]
    problem = await a.problem("DELETE", f"/networks/{network['id']}/subnets/{network['subnets'][0]['id']}")
    assert "ports vip-2" in problem["detail"]

    await a.wish("DELETE", path)
    assert await a.settle() == []
    assert (await a.problem("GET", path))["status"] == 404
    assert a.in_cloud(CloudKind.PORT) == []
    lines = await a.stage.rows("SELECT action FROM audit_events WHERE tenant_id = %s", a.tenant_id)
    assert {"port.create", "port.change", "port.delete"} <= {line["action"] for line in lines}


async def test_addresses_that_no_port_can_have(a: Member) -> None:
    network = await a.make_network(subnets=[{"cidr": "10.7.0.0/24"}, {"cidr": "fd00:7::/64"}])
    await make_port(a, network, fixed_addresses=["10.7.0.77"])
    for addresses, status, kind, words in (
        (["10.8.0.9"], 422, "outside-subnets", "10.8.0.9 is in none of the subnets of network web"),
        (["10.7.0.77"], 409, "address-taken", "Port vip has 10.7.0.77"),
        (["10.7.0.1"], 409, "address-taken", "gateway"),
        (["10.7.0.255"], 422, "invalid-request", "end of 10.7.0.0/24"),
        (["10.7.0.8", "10.7.0.9"], 422, "invalid-request", "at most one address of each subnet"),
        (["fd00:7::9"], 422, "invalid-request", "make their addresses themselves"),
    ):
        body = {"name": "x", "network_id": network["id"], "fixed_addresses": addresses}
        problem = await a.problem("POST", "/ports", body)
        assert (problem["status"], problem["type"].rpartition(":")[2]) == (status, kind), problem
        assert words in str(problem), problem
    for malformed in (["10.7.0.0/24"], ["web"], "10.7.0.9", ["10.7.0.9", "10.7.0.9"], [7]):
        body = {"name": "x", "network_id": network["id"], "fixed_addresses": malformed}
        assert (await a.problem("POST", "/ports", body))["status"] == 422, malformed
    assert len((await a.get("/ports"))["items"]) == 1


async def test_an_address_that_the_cloud_has_given_away(a: Member) -> None:
    """The database does not know it: the operation fails with the cloud's reason, and the port can be deleted."""
    network = await a.make_network()
    first = await make_port(a, network, fixed_addresses=["10.7.0.77"])
    cloud = a.cloud_object(CloudKind.PORT, first["id"])
    cloud.attributes["fixed_ips"] = [type(cloud.attributes["fixed_ips"][0])("x", "10.7.0.78")]
    port = await a.wish("POST", "/ports", {"name": "b", "network_id": network["id"], "fixed_addresses": ["10.7.0.78"]})
    (failed,) = await a.settle()
    assert "already allocated" in failed["error"]["detail"]
    assert (await a.get(f"/ports/{port['id']}"))["status"] == "error"
    await a.wish("DELETE", f"/ports/{port['id']}")
    await a.settle()
    assert (await a.problem("GET", f"/ports/{port['id']}"))["status"] == 404


async def test_a_port_goes_from_server_to_server(a: Member) -> None:
    network = await a.make_network(name="back")
    port = await make_port(a, network, fixed_addresses=["10.7.0.77"])
    first, second = await a.make_server(name="one"), await a.make_server(name="two")
    attached = await a.wish("POST", f"/ports/{port['id']}/attach", {"server_id": first["id"]})
    assert attached["server_name"] == "one"
    assert await a.settle() == []
    assert at_server(a, port["id"]) == a.cloud_object(CloudKind.SERVER, first["id"]).cloud_id
    seen = await a.get(f"/servers/{first['id']}")
    assert ("back", ["10.7.0.77"]) in [(each["name"], each["addresses"]) for each in seen["networks"]]

    problem = await a.problem("DELETE", f"/ports/{port['id']}")
    assert (problem["type"], "server one" in problem["detail"]) == ("urn:platforma:problem:in-use", True)
    problem = await a.problem("POST", f"/ports/{port['id']}/attach", {"server_id": second["id"]})
    assert (problem["type"], "server one" in problem["detail"]) == ("urn:platforma:problem:in-use", True)
    await a.wish("POST", f"/ports/{port['id']}/attach", {"server_id": first["id"]})
    assert (await a.problem("DELETE", f"/servers/{second['id']}/interfaces/{port['id']}"))["status"] == 404

    await a.wish("DELETE", f"/servers/{first['id']}/interfaces/{port['id']}")
    await a.wish("POST", f"/ports/{port['id']}/attach", {"server_id": second["id"]})
    assert await a.settle() == []
    assert at_server(a, port["id"]) == a.cloud_object(CloudKind.SERVER, second["id"]).cloud_id

    await a.wish("DELETE", f"/servers/{second['id']}")
    assert await a.settle() == []
    assert at_server(a, port["id"]) is None
    assert (await a.get(f"/ports/{port['id']}"))["addresses"] == ["10.7.0.77"]


async def test_a_network_attached_and_detached(a: Member) -> None:
    server = await a.make_server()
    back = await a.make_network(name="back", subnets=[{"cidr": "10.8.0.0/24"}])
    path = f"/servers/{server['id']}/interfaces"
    port = await a.wish("POST", path, {"network_id": back["id"], "fixed_addresses": ["10.8.0.9"]})
    assert await a.settle() == []
    port = await a.get(f"/ports/{port['id']}")
    assert (port["addresses"], port["goes_with_server"], port["status"]) == (["10.8.0.9"], True, "active")
    assert at_server(a, port["id"]) == a.cloud_object(CloudKind.SERVER, server["id"]).cloud_id
    groups = [each.attributes["groups"] for each in a.in_cloud(CloudKind.PORT)]
    assert groups[0] == groups[1] != set()
    problem = await a.problem("POST", path, {"network_id": back["id"]})
    assert problem["type"] == "urn:platforma:problem:on-this-network"

    await a.wish("PATCH", f"/servers/{server['id']}", {"name": "renamed"})
    assert (await a.get(f"/ports/{port['id']}"))["name"] == "renamed"
    await a.wish("DELETE", f"{path}/{port['id']}")
    assert await a.settle() == []
    assert (await a.problem("GET", f"/ports/{port['id']}"))["status"] == 404
    assert len(a.in_cloud(CloudKind.PORT)) == 1
    assert (await a.problem("POST", path, {"network_id": unknown_id()}))["status"] == 404


async def test_a_floating_ip_holds_a_port(a: Member) -> None:
    port = await make_reachable_server(a)
    await a.make("/floating-ips", name="web", port_id=port["id"])
    problem = await a.problem("DELETE", f"/servers/{port['server_id']}/interfaces/{port['id']}")
    assert (problem["type"], "floating IP web" in problem["detail"]) == ("urn:platforma:problem:in-use", True)
    free = await make_port(a, {"id": port["network_id"]})
    floating = await a.make("/floating-ips", name="vip", port_id=free["id"])
    assert (floating["port"]["id"], floating["port"]["server_id"]) == (free["id"], None)
    problem = await a.problem("DELETE", f"/ports/{free['id']}")
    assert (problem["type"], "floating IP vip" in problem["detail"]) == ("urn:platforma:problem:in-use", True)


async def test_a_server_with_addresses_that_were_chosen(a: Member) -> None:
    front = await a.make_network(name="front")
    back = await a.make_network(name="back", subnets=[{"cidr": "10.8.0.0/24"}, {"cidr": "fd00:8::/64"}])
    wanted = a.server_body(front["id"], back["id"], fixed_addresses=["10.8.0.9"])
    server = await a.make("/servers", **wanted)
    addresses = [each["addresses"] for each in server["networks"]]
    assert addresses == [["10.7.0.2"], ["10.8.0.9", "fd00:8::2"]]
    problem = await a.problem("POST", "/servers", wanted | {"fixed_addresses": ["10.9.0.9"]})
    assert problem["type"] == "urn:platforma:problem:outside-subnets"
    problem = await a.problem("POST", "/servers", wanted)
    assert (problem["type"], "web-1 has 10.8.0.9" in problem["detail"]) == ("urn:platforma:problem:address-taken", True)


async def test_other_security_groups_for_a_server(a: Member) -> None:
    server, group = await a.make_server(), await a.make("/security-groups", name="web")
    await a.wish("PATCH", f"/servers/{server['id']}", {"security_group_ids": [group["id"]]})
    assert await a.settle() == []
    (port,) = a.in_cloud(CloudKind.PORT)
    assert port.attributes["groups"] == {a.cloud_object(CloudKind.SECURITY_GROUP, group["id"]).cloud_id}
    assert (await a.problem("PATCH", f"/servers/{server['id']}", {"security_group_ids": [unknown_id()]}))[
        "status"
    ] == 404


async def test_the_quota_of_ports(a: Member) -> None:
    server = await a.make_server()
    back = await a.make_network(name="back", subnets=[{"cidr": "10.8.0.0/24"}])
    await a.stage.databases.administrator.execute(
        b"UPDATE quotas SET maximum = 1 WHERE tenant_id = %s AND resource = 'ports'", (a.tenant_id,)
    )
    for path in ("/ports", f"/servers/{server['id']}/interfaces"):
        body = {"network_id": back["id"]} | ({"name": "x"} if path == "/ports" else {})
        assert (await a.problem("POST", path, body))["resource"] == "ports"


@pytest.mark.parametrize("method", ["ensure_port", "attach_port", "detach_port", "get_port", "delete_port"])
async def test_a_lost_answer_doubles_and_orphans_nothing(a: Member, method: str) -> None:
    """As if the worker were killed after the cloud has done what it was asked for."""
    server = await a.make_server()
    back = await a.make_network(name="back", subnets=[{"cidr": "10.8.0.0/24"}])
    a.stage.cloud.lose_answer(method, CloudUnavailable())
    path = f"/servers/{server['id']}/interfaces"
    port = await a.wish("POST", path, {"network_id": back["id"]})
    assert await a.settle() == []
    assert at_server(a, port["id"]) == a.cloud_object(CloudKind.SERVER, server["id"]).cloud_id
    assert len(a.in_cloud(CloudKind.PORT)) == 2
    await a.wish("DELETE", f"{path}/{port['id']}")
    assert await a.settle() == []
    assert len(a.in_cloud(CloudKind.PORT)) == 1


async def test_a_server_in_transition_is_waited_for(a: Member) -> None:
    server = await a.make_server()
    back = await a.make_network(name="back", subnets=[{"cidr": "10.8.0.0/24"}])
    a.stage.cloud.fail_next("attach_port", CloudConflict("The instance is in transition."), times=3)
    port = await a.wish("POST", f"/servers/{server['id']}/interfaces", {"network_id": back["id"]})
    assert await a.settle() == []
    assert at_server(a, port["id"]) is not None


async def test_a_port_deleted_behind_our_back_is_made_and_attached_again(a: Member) -> None:
    server = await a.make_server()
    (port,) = (await a.get("/ports", server_id=server["id"]))["items"]
    a.stage.cloud.remove(a.cloud_object(CloudKind.PORT, port["id"]))
    await a.wish("PATCH", f"/ports/{port['id']}", {"description": "again"})
    assert await a.settle() == []
    assert at_server(a, port["id"]) == a.cloud_object(CloudKind.SERVER, server["id"]).cloud_id
