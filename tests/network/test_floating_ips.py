"""Floating IPs and ports over HTTP, with a worker behind them."""

from typing import Any

import pytest

from platforma.clouds.openstack import CloudUnavailable
from platforma.clouds.openstack.resources import CloudKind
from tests.api_client import Json, Member, unknown_id


async def make_reachable_server(a: Member, name: str = "web-1", **network: Any) -> Json:
    """Make a server on a network that a router leads outside; return its port."""
    router = await a.make("/routers", name=f"edge of {name}")
    subnets = network.pop("subnets", [{"cidr": "10.7.0.0/24", "router_id": router["id"]}])
    made = await a.make("/networks", name=f"net of {name}", subnets=subnets)
    server = await a.make("/servers", **a.server_body(made["id"], name=name))
    (port,) = (await a.get("/ports", server_id=server["id"]))["items"]
    return dict(port)


async def test_a_floating_ip_from_the_wish_to_its_end(a: Member) -> None:
    port = await make_reachable_server(a)
    made = await a.make("/floating-ips", name="web")
    path = f"/floating-ips/{made['id']}"
    assert made["address"] == a.cloud_object(CloudKind.FLOATING_IP, made["id"]).attributes["address"]
    assert made["port"] is None

    pending = await a.wish("POST", f"{path}/attach", {"port_id": port["id"]})
    assert pending["port"]["server_name"] == "web-1"
    assert await a.settle() == []
    floating = a.cloud_object(CloudKind.FLOATING_IP, made["id"])
    (cloud_port,) = a.in_cloud(CloudKind.PORT)
    assert floating.attributes["port"] == cloud_port.cloud_id
    assert (await a.get(f"/ports/{port['id']}"))["floating_ip_id"] == made["id"]

    problem = await a.problem("DELETE", path)
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:in-use")
    assert "web-1 on net of web-1" in problem["detail"]

    await a.wish("POST", f"{path}/detach")
    assert await a.settle() == []
    assert floating.attributes["port"] is None
    assert (await a.problem("POST", f"{path}/detach"))["type"] == "urn:platforma:problem:floating-ip-not-attached"
    await a.wish("DELETE", path)
    assert await a.settle() == []
    assert (await a.problem("GET", path))["status"] == 404
    assert a.in_cloud(CloudKind.FLOATING_IP) == []


async def test_what_stands_in_the_way_is_named(a: Member) -> None:
    port = await make_reachable_server(a)
    floating = await a.make("/floating-ips", name="web", port_id=port["id"])
    network = await a.get(f"/networks/{port['network_id']}")
    (subnet,) = network["subnets"]
    for method, path, body in (
        ("PATCH", f"/routers/{subnet['router_id']}", {"has_external_gateway": False}),
        ("PATCH", f"/networks/{network['id']}/subnets/{subnet['id']}", {"router_id": None}),
    ):
        problem = await a.problem(method, path, body)
        assert problem["type"] == "urn:platforma:problem:in-use"
        assert "floating IPs web" in problem["detail"]
    second = await a.make("/floating-ips", name="second")
    problem = await a.problem("POST", f"/floating-ips/{second['id']}/attach", {"port_id": port["id"]})
    assert problem["type"] == "urn:platforma:problem:has-floating-ip"
    other = await make_reachable_server(a, "web-2")
    problem = await a.problem("POST", f"/floating-ips/{floating['id']}/attach", {"port_id": other["id"]})
    assert "web-1 on net of web-1" in problem["detail"]
    await a.wish("POST", f"/floating-ips/{floating['id']}/detach")
    await a.wish("PATCH", f"/routers/{subnet['router_id']}", {"has_external_gateway": False})
    assert await a.settle() == []


async def test_a_network_without_a_way_outside(a: Member) -> None:
    server = await a.make_server()
    (port,) = (await a.get("/ports", server_id=server["id"]))["items"]
    problem = await a.problem("POST", "/floating-ips", {"name": "web", "port_id": port["id"]})
    assert problem["type"] == "urn:platforma:problem:no-way-outside"
    assert (await a.get("/floating-ips"))["items"] == []


async def test_a_deleted_server_lets_its_floating_ip_go(a: Member) -> None:
    port = await make_reachable_server(a)
    floating = await a.make("/floating-ips", name="web", port_id=port["id"])
    await a.wish("DELETE", f"/servers/{port['server_id']}")
    assert (await a.problem("POST", f"/floating-ips/{floating['id']}/attach", {"port_id": port["id"]}))["status"] == 409
    assert await a.settle() == []
    assert (await a.get(f"/floating-ips/{floating['id']}"))["port"] is None
    assert a.cloud_object(CloudKind.FLOATING_IP, floating["id"]).attributes["port"] is None


async def test_ports_of_another_are_unknown(a: Member, b: Member) -> None:
    port, mine = await make_reachable_server(b), await a.make("/floating-ips", name="mine")
    for port_id in (port["id"], unknown_id()):
        problem = await a.problem("POST", f"/floating-ips/{mine['id']}/attach", {"port_id": port_id})
        assert problem == {"status": 404, "title": "There is nothing here", "type": "urn:platforma:problem:not-found"}
    assert (await b.get(f"/ports/{port['id']}"))["floating_ip_id"] is None
    assert (await a.get("/ports"))["items"] == []


async def test_quota_and_meter(a: Member) -> None:
    await a.stage.databases.administrator.execute(
        b"INSERT INTO quotas (tenant_id, id, resource, maximum) VALUES (%s, gen_random_uuid(), 'floating_ips', 1)"
        b" ON CONFLICT (tenant_id, resource) DO UPDATE SET maximum = 1",
        (a.tenant_id,),
    )
    made = await a.make("/floating-ips", name="one")
    assert (await a.problem("POST", "/floating-ips", {"name": "two"}))["resource"] == "floating_ips"
    events = await a.stage.rows("SELECT item, quantity FROM usage_events WHERE resource_id = %s", made["id"])
    assert [(event["item"], int(event["quantity"])) for event in events] == [("floating_ip", 1)]


@pytest.mark.parametrize("method", ["ensure_floating_ip", "delete_floating_ip"])
async def test_an_answer_that_is_lost(a: Member, method: str) -> None:
    a.stage.cloud.lose_answer(method, CloudUnavailable())
    made = await a.make("/floating-ips", name="web")
    assert len(a.in_cloud(CloudKind.FLOATING_IP)) == 1
    await a.wish("DELETE", f"/floating-ips/{made['id']}")
    assert await a.settle() == []
    assert a.in_cloud(CloudKind.FLOATING_IP) == []


async def test_allowed_addresses_stay_within_the_networks_subnets(a: Member) -> None:
    port = await make_reachable_server(a)
    path = f"/ports/{port['id']}"
    assert port["allowed_addresses"] == []
    await a.wish("PATCH", path, {"allowed_addresses": ["10.7.0.100", "10.7.0.128/25"]})
    assert await a.settle() == []
    (cloud_port,) = a.in_cloud(CloudKind.PORT)
    assert cloud_port.attributes["allowed"] == ["10.7.0.100/32", "10.7.0.128/25"]
    for bad in ("0.0.0.0/0", "10.8.0.1", "10.0.0.0/8", "::/0", "10.7.0.0/23", "fe80::1"):
        problem = await a.problem("PATCH", path, {"allowed_addresses": [bad]})
        assert problem["status"] == 422, bad
        assert problem["type"] == "urn:platforma:problem:outside-subnets" or bad == "10.7.0.0/23", bad
    for malformed in (["nonsense"], ["10.7.0.1", "10.7.0.1"], "10.7.0.1", None, [None], ["10.7.0.1/24"]):
        assert (await a.problem("PATCH", path, {"allowed_addresses": malformed}))["status"] == 422, malformed
    assert (await a.problem("PATCH", path, {"port_security_enabled": False}))["status"] == 422
    await a.wish("PATCH", path, {"allowed_addresses": []})
    assert await a.settle() == []
    assert cloud_port.attributes["allowed"] == []


async def test_a_subnet_stays_while_a_server_may_send_from_it(a: Member) -> None:
    port = await make_reachable_server(a)
    added = await a.wish("POST", f"/networks/{port['network_id']}/subnets", {"cidr": "10.8.0.0/24"})
    assert await a.settle() == []
    await a.wish("PATCH", f"/ports/{port['id']}", {"allowed_addresses": ["10.8.0.9"]})
    problem = await a.problem("DELETE", f"/networks/{port['network_id']}/subnets/{added['id']}")
    assert problem["type"] == "urn:platforma:problem:in-use"
    assert "web-1" in problem["detail"]
    await a.wish("PATCH", f"/ports/{port['id']}", {"allowed_addresses": []})
    await a.wish("DELETE", f"/networks/{port['network_id']}/subnets/{added['id']}")
    assert await a.settle() == []


async def test_ipv6_modes(a: Member) -> None:
    network = await a.make(
        "/networks",
        name="six",
        subnets=[{"cidr": "fd00:1::/64", "ipv6_mode": "dhcpv6-stateful"}, {"cidr": "fd00:2::/64"}],
    )
    assert [subnet["ipv6_mode"] for subnet in network["subnets"]] == ["dhcpv6-stateful", "slaac"]
    modes = {each.attributes["cidr"]: each.attributes["ipv6_mode"] for each in a.in_cloud(CloudKind.SUBNET)}
    assert (modes["fd00:1::/64"], modes["fd00:2::/64"]) == ("dhcpv6-stateful", "slaac")
    for bad in (
        {"cidr": "10.1.0.0/24", "ipv6_mode": "slaac"},
        {"cidr": "fd00:3::/64", "ipv6_mode": "slaac", "has_dhcp": False},
        {"cidr": "fd00:3::/64", "ipv6_mode": "magic"},
        {"cidr": "fd00:3::/56"},
    ):
        assert (await a.problem("POST", f"/networks/{network['id']}/subnets", bad))["status"] == 422, bad
