"""Security groups over HTTP, with a worker behind them."""

from typing import Any

import pytest

from platforma.clouds.openstack.resources import CloudKind
from tests.api_client import Member

SSH = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


async def test_a_group_from_the_wish_to_its_end(a: Member) -> None:
    group = await a.make("/security-groups", name="web", rules=[SSH])
    assert (group["status"], group["is_default"]) == ("active", False)
    told = [(rule["direction"], rule["ethertype"], rule["protocol"]) for rule in group["rules"]]
    assert told == [("egress", "IPv4", None), ("egress", "IPv6", None), ("ingress", "IPv4", "tcp")]
    in_cloud = a.cloud_object(CloudKind.SECURITY_GROUP, group["id"]).attributes["rules"].values()
    assert len(in_cloud) == 3

    path = f"/security-groups/{group['id']}"
    rule = await a.wish("POST", f"{path}/rules", {**SSH, "port_range_max": 23, "remote_ip_prefix": "192.0.2.0/24"})
    assert await a.settle() == []
    assert len(a.cloud_object(CloudKind.SECURITY_GROUP, group["id"]).attributes["rules"]) == 4
    await a.wish("DELETE", f"{path}/rules/{rule['id']}")
    assert await a.settle() == []
    assert len(a.cloud_object(CloudKind.SECURITY_GROUP, group["id"]).attributes["rules"]) == 3

    await a.wish("PATCH", path, {"name": "www"})
    assert await a.settle() == []
    assert (await a.get(path))["name"] == "www"
    await a.wish("DELETE", path)
    assert await a.settle() == []
    assert (await a.problem("GET", path))["status"] == 404


async def test_a_group_that_servers_use_stays(a: Member) -> None:
    group = await a.make("/security-groups", name="web")
    server = await a.make_server(security_group_ids=[group["id"]])
    problem = await a.problem("DELETE", f"/security-groups/{group['id']}")
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:in-use")
    assert "web-1" in problem["detail"]
    await a.wish("DELETE", f"/servers/{server['id']}")
    assert await a.settle() == []
    await a.wish("DELETE", f"/security-groups/{group['id']}")
    assert await a.settle() == []


async def test_a_group_that_rules_of_others_name_stays(a: Member) -> None:
    inner = await a.make("/security-groups", name="inner")
    outer = await a.make("/security-groups", name="outer", rules=[{**SSH, "remote_group_id": inner["id"]}])
    problem = await a.problem("DELETE", f"/security-groups/{inner['id']}")
    assert problem["status"] == 409
    assert "outer" in problem["detail"]
    await a.wish("DELETE", f"/security-groups/{outer['id']}")
    assert await a.settle() == []
    await a.wish("DELETE", f"/security-groups/{inner['id']}")
    assert await a.settle() == []


async def test_a_group_may_name_itself(a: Member) -> None:
    group = await a.make("/security-groups", name="web")
    await a.wish("POST", f"/security-groups/{group['id']}/rules", {"remote_group_id": group["id"]})
    assert await a.settle() == []
    await a.wish("DELETE", f"/security-groups/{group['id']}")
    assert await a.settle() == []


async def test_the_default_group_stays(a: Member) -> None:
    (default,) = [group for group in (await a.get("/security-groups"))["items"] if group["is_default"]]
    path = f"/security-groups/{default['id']}"
    for method, body in (("DELETE", None), ("PATCH", {"name": "mine"})):
        problem = await a.problem(method, path, body)
        assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:default-security-group")
    await a.wish("PATCH", path, {"description": "Ours."})
    await a.wish("POST", f"{path}/rules", SSH)
    assert await a.settle() == []
    assert len((await a.get(path))["rules"]) == len(default["rules"]) + 1


SAME = [
    (SSH, SSH),
    ({**SSH, "description": "one"}, {**SSH, "description": "two"}),
    (SSH, {**SSH, "remote_ip_prefix": "0.0.0.0/0"}),
    ({"ethertype": "IPv6"}, {"ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
]


@pytest.mark.parametrize(("first", "second"), SAME)
async def test_the_same_rule_twice(a: Member, first: dict[str, Any], second: dict[str, Any]) -> None:
    group = await a.make("/security-groups", name="web", rules=[first])
    problem = await a.problem("POST", f"/security-groups/{group['id']}/rules", second)
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:rule-exists")
    problem = await a.problem("POST", "/security-groups", {"name": "twice", "rules": [first, second]})
    assert problem["type"] == "urn:platforma:problem:rule-exists"
    assert len((await a.get(f"/security-groups/{group['id']}"))["rules"]) == 3


async def test_a_rule_of_another_group(a: Member) -> None:
    one = await a.make("/security-groups", name="one", rules=[SSH])
    two = await a.make("/security-groups", name="two")
    problem = await a.problem("DELETE", f"/security-groups/{two['id']}/rules/{one['rules'][-1]['id']}")
    assert problem["status"] == 404
    assert len((await a.get(f"/security-groups/{one['id']}"))["rules"]) == 3


@pytest.mark.parametrize(
    "rule",
    [
        {"remote_ip_prefix": "10.0.0.1/8"},
        {"remote_ip_prefix": "300.0.0.0/8"},
        {"remote_ip_prefix": "10.0.0.0/33"},
        {"remote_ip_prefix": "2001:db8::/32"},
        {"ethertype": "IPv6", "remote_ip_prefix": "10.0.0.0/8"},
        {"ethertype": "IPv6", "remote_ip_prefix": "fe80::1%eth0/64"},
        {"protocol": "tcp", "port_range_min": 80, "port_range_max": 22},
        {"protocol": "tcp", "port_range_min": 0, "port_range_max": 22},
        {"protocol": "tcp", "port_range_min": 22},
        {"protocol": "tcp", "port_range_min": 22, "port_range_max": 10**20},
        {"protocol": "sctp"},
        {"port_range_min": 1, "port_range_max": 2},
        {"protocol": "icmp", "port_range_min": 300},
        {"direction": "sideways"},
        {"remote_group_id": "default"},
        {"description": "\x00"},
        {"security_group_id": "00000000-0000-0000-0000-000000000000"},
    ],
    ids=str,
)
async def test_bad_rules_are_refused(a: Member, rule: dict[str, Any]) -> None:
    group = (await a.get("/security-groups"))["items"][0]
    assert (await a.problem("POST", f"/security-groups/{group['id']}/rules", rule))["status"] == 422
    assert (await a.problem("POST", "/security-groups", {"name": "x", "rules": [rule]}))["status"] == 422
    assert len((await a.get("/security-groups"))["items"]) == 1


async def test_quotas(a: Member) -> None:
    change = b"UPDATE quotas SET maximum = %s WHERE tenant_id = %s AND resource = %s"
    administrator = a.stage.databases.administrator
    await administrator.execute(change, (7, a.tenant_id, "security_group_rules"))
    assert (await a.problem("POST", "/security-groups", {"name": "x", "rules": [SSH, {"protocol": "udp"}]}))[
        "used"
    ] == 4
    group = await a.wish("POST", "/security-groups", {"name": "x", "rules": [SSH]})
    problem = await a.problem("POST", f"/security-groups/{group['id']}/rules", {"protocol": "udp"})
    assert problem["resource"] == "security_group_rules"
    await administrator.execute(change, (2, a.tenant_id, "security_groups"))
    assert (await a.problem("POST", "/security-groups", {"name": "y"}))["resource"] == "security_groups"
