"""Requests that come at the same moment: what one takes, the other does not get."""

import asyncio
from collections.abc import Awaitable

import httpx

from tests.api_client import Member


async def statuses(*asked: Awaitable[httpx.Response]) -> list[int]:
    """Return the statuses of answers, sorted."""
    answers = await asyncio.gather(*asked)
    return sorted(answer.status_code for answer in answers)


async def test_a_quota_holds(a: Member) -> None:
    network = await a.make_network()
    await a.stage.databases.administrator.execute(
        b"UPDATE quotas SET maximum = 2 WHERE tenant_id = %s AND resource = 'vcpus'", (a.tenant_id,)
    )
    asked = [a.ask("POST", "/servers", a.server_body(network["id"])) for _ in range(6)]
    assert await statuses(*asked) == [202, 202, 409, 409, 409, 409]
    assert len((await a.get("/servers"))["items"]) == 2


async def test_a_volume_goes_to_one_server(a: Member) -> None:
    network, volume = await a.make_network(), await a.make_volume()
    servers = [await a.wish("POST", "/servers", a.server_body(network["id"], name=name)) for name in ("one", "two")]
    assert await a.settle() == []
    asked = [a.ask("POST", f"/volumes/{volume['id']}/attach", {"server_id": each["id"]}) for each in servers * 2]
    assert await statuses(*asked) == [202, 409, 409, 409]
    assert await a.settle() == []
    assert sum(len(server["volumes"]) for server in (await a.get("/servers"))["items"]) == 1


async def test_a_group_is_not_deleted_under_a_new_server(a: Member) -> None:
    """Whichever comes first, no server is left with a group that goes."""
    network = await a.make_network()
    for name in ("one", "two", "three"):
        group = await a.make("/security-groups", name=name)
        made, deleted = await asyncio.gather(
            a.ask("POST", "/servers", a.server_body(network["id"], security_group_ids=[group["id"]])),
            a.ask("DELETE", f"/security-groups/{group['id']}"),
        )
        assert sorted((made.status_code, deleted.status_code)) == [202, 409], name
        assert await a.settle() == []


async def test_the_same_rule_from_two_sides(a: Member) -> None:
    group = await a.make("/security-groups", name="web")
    rule = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    asked = [a.ask("POST", f"/security-groups/{group['id']}/rules", rule) for _ in range(4)]
    assert await statuses(*asked) == [202, 409, 409, 409]


async def test_groups_that_name_each_other_at_once(a: Member) -> None:
    """Locks are taken in one order, so that neither waits for the other."""
    one, two = await a.make("/security-groups", name="one"), await a.make("/security-groups", name="two")
    for port in range(1, 5):
        ports = {"protocol": "tcp", "port_range_min": port, "port_range_max": port}
        asked = [
            a.ask("POST", f"/security-groups/{mine['id']}/rules", {**ports, "remote_group_id": other["id"]})
            for mine, other in ((one, two), (two, one))
        ]
        assert await statuses(*asked) == [202, 202]
