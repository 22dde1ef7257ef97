"""Each wall refuses, beside a control that differs in one fact; and nothing of anybody changes."""

from typing import Any

import pytest

from platforma.clouds.openstack.resources import CloudKind
from platforma.network import ports
from platforma.network.walls import ALSO_PAST_THE_WALL, WALLS, Wall, fill
from tests.api_client import Member
from tests.network.test_floating_ips import make_reachable_server

COLLECTIONS = ("/networks", "/routers", "/ports", "/security-groups", "/floating-ips", "/servers")


async def ids_of(member: Member) -> dict[str, str]:
    """Return the ids of a network with a way outside, of a server there, and of a security group."""
    port = await make_reachable_server(member)
    network = await member.get(f"/networks/{port['network_id']}")
    group = await member.make("/security-groups", name="group")
    free = await member.make("/ports", name="free", network_id=network["id"])
    return {
        "server_id": port["server_id"],
        "free_port_id": free["id"],
        "port_id": port["id"],
        "network_id": network["id"],
        "port_network_id": network["id"],
        "router_id": network["subnets"][0]["router_id"],
        "security_group_id": group["id"],
    }


async def state_of(member: Member) -> list[Any]:
    return [(await member.get(path))["items"] for path in COLLECTIONS]


@pytest.mark.parametrize("threat", sorted({probe.threat for probe in WALLS}))
async def test_every_wall_refuses(a: Member, b: Member, threat: str) -> None:
    theirs = {f"their_{name}": id_ for name, id_ in (await ids_of(b)).items()}
    ids = (
        await ids_of(a)
        | theirs
        | {"own_address": "10.7.0.200"}
        | {"flavor_id": a.catalogue.nano_id, "image_id": a.catalogue.image_id}
    )
    before = [await state_of(a), await state_of(b)]
    probes = [probe for probe in WALLS if probe.threat == threat]
    for probe in probes:
        response = await a.ask(probe.method, fill(probe.path, ids), fill(probe.body, ids))
        assert response.status_code == probe.expected, f"{probe.id}: {response.text}"
        assert [await state_of(a), await state_of(b)] == before, probe.id
    for probe in probes:
        await check_control(a, probe, ids)
    assert await a.settle() == []
    assert await state_of(b) == before[1]


async def check_control(a: Member, probe: Wall, ids: dict[str, str]) -> None:
    """The same request with one's own ids and fields that exist is accepted, unless it was accepted before."""
    path = fill(probe.path.replace("their_", ""), ids)
    response = await a.ask(probe.method, path, fill(probe.control, ids))
    is_repeated = response.status_code == 409 and response.json()["type"].rpartition(":")[2] in ALSO_PAST_THE_WALL
    assert response.status_code in (201, 202) or is_repeated, f"{probe.id}: {response.text}"


def test_every_attack_is_one_fact_from_its_control() -> None:
    assert len({probe.id for probe in WALLS}) == len(WALLS)
    for probe in WALLS:
        different = [name for name in {*probe.body, *probe.control} if probe.body.get(name) != probe.control.get(name)]
        assert len(different) == 1 or (not different and "their_" in probe.path), probe.id


async def test_behind_the_wall_stands_another(a: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the service's own check the cloud's client refuses, and the port stays as it was."""
    ids = await ids_of(a)
    monkeypatch.setattr(ports, "lies_within", lambda *_: True)
    await a.wish("PATCH", f"/ports/{ids['port_id']}", {"allowed_addresses": ["0.0.0.0/0"]})
    (failed,) = await a.settle()
    assert "none of the network's subnets" in failed["error"]["detail"]
    port = a.cloud_object(CloudKind.PORT, ids["port_id"])
    assert port.attributes["allowed"] == []
