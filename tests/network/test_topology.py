"""The topology: what it says is open is open, and its drawing can be read with few servers and with many."""

import itertools
from typing import Any

import pytest

from platforma.compute.models import Server
from platforma.kit.ids import new_id
from platforma.network.drawing import COLUMNS, Drawing, cut, draw
from platforma.network.models import Network, Router, Subnet
from platforma.network.topology import NetworkNode, ServerNode, Topology
from tests.api_client import Member
from tests.network.test_floating_ips import make_reachable_server
from tests.portal.html import Document


async def show(a: Member) -> str:
    response = await a.client.get(
        f"http://{a.host}/topology", headers={"cookie": f"__Host-platforma={a.token}", "host": a.host}
    )
    assert response.status_code == 200, response.text
    assert Document(response.text).faults == []
    return response.text


async def test_what_is_open_to_the_internet(a: Member, b: Member) -> None:
    port = await make_reachable_server(a)
    groups = (await a.get("/security-groups"))["items"]
    (default,) = [group for group in groups if group["is_default"]]
    rule = {"protocol": "tcp", "port_range_min": 443, "port_range_max": 443}
    await a.wish("POST", f"/security-groups/{default['id']}/rules", rule)
    inside = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefix": "10.0.0.0/8"}
    await a.wish("POST", f"/security-groups/{default['id']}/rules", inside)
    assert await a.settle() == []
    page = await show(a)
    assert "The internet reaches none of your servers." in page
    floating = await a.make("/floating-ips", name="web", port_id=port["id"])
    page = await show(a)
    assert "Open: TCP 443" in page
    assert "TCP 22" not in page
    assert floating["address"] in page
    assert "1 of 1 server open to the internet" in page
    assert "web-1" not in await show(b)
    await a.wish("POST", f"/floating-ips/{floating['id']}/detach")
    assert "The internet reaches none of your servers." in await show(a)


def make_topology(servers: int, networks: int = 2) -> Topology:
    routers = [Router(id=new_id(), name=f"edge {n}", has_external_gateway=n == 0) for n in range(2)]
    nodes = []
    for number in range(networks):
        network = Network(id=new_id(), name=f"network {number} " + "long " * 20)
        subnet = Subnet(
            id=new_id(), network_id=network.id, cidr=f"10.{number}.0.0/24", router_id=routers[number % 2].id
        )
        nodes.append(NetworkNode(network, [subnet]))
    for number in range(servers):
        server = Server(id=new_id(), name=f"server-{number} " + "x" * 60)
        openings = ["TCP 443"] * (number % 3 == 0)
        nodes[number % networks].servers.append(ServerNode(server, [f"10.0.0.{number}"], openings=openings))
    return Topology(routers, nodes, [], [], servers, 0)


def overlapping(drawing: Drawing) -> list[Any]:
    cards = [box for box in drawing.boxes if box.tone != "network"]
    return [
        (one.title, other.title)
        for one, other in itertools.combinations(cards, 2)
        if one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    ]


@pytest.mark.parametrize("servers", [0, 1, 3, 60, 300])
def test_nothing_overlaps_and_nothing_sticks_out(servers: int) -> None:
    drawing = draw(make_topology(servers))
    assert overlapping(drawing) == []
    assert sum(box.tone in ("server", "open") for box in drawing.boxes) == servers
    frames = [box for box in drawing.boxes if box.tone == "network"]
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.x + box.width <= drawing.width
        assert box.y + box.height <= drawing.height
        assert all(len(line) * 6.9 < box.width for line in box.lines), box.lines
        if box.tone in ("server", "open"):
            assert any(frame.y < box.y and box.y + box.height < frame.y + frame.height for frame in frames)
    assert len(drawing.lines) == 3
    assert drawing.height < 260 + servers / COLUMNS * 76 + 2 * 76


def test_long_text_is_cut() -> None:
    assert cut("short", 10) == "short"
    assert cut("much too long", 10) == "much too …"
