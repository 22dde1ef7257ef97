"""How a canary tenant comes to own networks and what belongs to them, and the attacks on the walls between networks."""

import ipaddress
from collections.abc import AsyncIterator

from platforma.kit.probes import Belonging, Layer, NotHere, Observation, Outcome, Party, Probe, Reply, Scene
from platforma.network.walls import ALSO_PAST_THE_WALL, WALLS, fill

_API = "/api/v1"


async def _network(party: Party) -> str | None:
    body = {"name": f"network {party.mark}", "subnets": [{"cidr": "10.77.0.0/24"}]}
    return await party.settle(await party.ask("POST", f"{_API}/networks", body=body))


async def _subnet(party: Party) -> str | None:
    network = (await party.ask("GET", f"{_API}/networks/{party.ids['network_id']}")).json()
    return str(network["subnets"][0]["id"]) if network["subnets"] else None


async def _router(party: Party) -> str | None:
    body = {"name": f"router {party.mark}", "has_external_gateway": False}
    return await party.settle(await party.ask("POST", f"{_API}/routers", body=body))


async def _group(party: Party) -> str | None:
    body = {"name": f"group {party.mark}"}
    return await party.settle(await party.ask("POST", f"{_API}/security-groups", body=body))


async def _rule(party: Party) -> str | None:
    path = f"{_API}/security-groups/{party.ids['security_group_id']}"
    body = {
        "protocol": "tcp",
        "port_range_min": 4433,
        "port_range_max": 4433,
        "remote_ip_prefix": "198.51.100.0/24",
        "description": party.mark,
    }
    await party.settle(await party.ask("POST", f"{path}/rules", body=body))
    rules = (await party.ask("GET", path)).json()["rules"]
    return next((str(rule["id"]) for rule in rules if rule["description"] == party.mark), None)


async def _port(party: Party) -> str | None:
    """Return a port of the server's; one of its own where a control has taken the server's away."""
    ports = (await party.ask("GET", f"{_API}/ports?server_id={party.ids['server_id']}")).json().get("items")
    return str(ports[0]["id"]) if ports else await _free_port(party)


async def _free_port(party: Party) -> str | None:
    body = {"name": f"port {party.mark}", "network_id": party.ids["network_id"]}
    return await party.settle(await party.ask("POST", f"{_API}/ports", body=body))


async def _floating_ip(party: Party) -> str | None:
    asked = await party.ask("POST", f"{_API}/floating-ips", body={"name": f"address {party.mark}"})
    id_ = await party.settle(asked)
    if id_ is None and asked.status < 300:
        operation = (await party.ask("GET", f"{_API}/operations/{asked.json()['operation']['id']}")).json()
        if "external network" in str(operation.get("error")):
            raise NotHere("The cloud has no external network.")
    return id_


BELONGINGS = (
    Belonging("network_id", _network, Layer.NETWORK, aliases=("resource_id",), threats=("N03",)),
    Belonging("subnet_id", _subnet, Layer.NETWORK, needs=("network_id",), threats=("N03",)),
    Belonging("router_id", _router, Layer.NETWORK, threats=("N03",)),
    Belonging("security_group_id", _group, Layer.NETWORK, aliases=("remote_group_id",), threats=("N08",)),
    Belonging("free_port_id", _free_port, Layer.NETWORK, needs=("network_id", "subnet_id"), threats=("N03",)),
    Belonging("rule_id", _rule, Layer.NETWORK, needs=("security_group_id",), threats=("N08",)),
)
LATER_BELONGINGS = (
    Belonging("port_id", _port, Layer.NETWORK, needs=("network_id", "subnet_id"), threats=("N03",)),
    Belonging("floating_ip_id", _floating_ip, Layer.NETWORK, threats=("N03",)),
)
"""What needs a server first."""


async def _attack_walls(scene: Scene) -> AsyncIterator[Observation]:
    """Try each wall with what B has, and beside it the same with what A has, which has to work."""
    ids = {**scene.a.ids, **{f"their_{name}": id_ for name, id_ in scene.b.ids.items()}}
    ids |= await _port_place(scene.a)
    for wall in WALLS:
        if wall.path == "/servers":
            continue  # the matrix tries it, and a control would take a server's time
        try:
            path, body, control = fill(wall.path, ids), fill(wall.body, ids), fill(wall.control, ids)
        except KeyError as error:
            yield Observation(wall.id, Outcome.NOT_PROVEN, f"There is no {error.args[0]}.")
            continue
        reply = await scene.a.ask(wall.method, f"{_API}{path}", body=body)
        shown = f"{wall.method} {path} {body}: {reply.status}"
        if reply.status < 300:
            yield Observation(wall.id, Outcome.BYPASSED, shown)
            continue
        own = await scene.a.ask(wall.method, f"{_API}{fill(wall.path.replace('their_', ''), ids)}", body=control)
        if reply.status != wall.expected or not _is_past_the_wall(own):
            yield Observation(wall.id, Outcome.NOT_PROVEN, f"{shown}; the control: {own.status} {own.text[:200]}")
            continue
        if own.status < 300:
            await scene.a.settle(own)
        yield Observation(wall.id, Outcome.HELD)


async def _port_place(party: Party) -> dict[str, str]:
    """Return the network of the canary's port and an address in a subnet of it; what is nowhere if it has no port."""
    port = (await party.ask("GET", f"{_API}/ports/{party.ids.get('port_id', '-')}")).json()
    network = (await party.ask("GET", f"{_API}/networks/{port.get('network_id', '-')}")).json()
    subnets = network.get("subnets") or [{"cidr": "192.0.2.0/24"}]
    address = str(ipaddress.ip_network(subnets[0]["cidr"])[200])
    return {"own_address": address, "port_network_id": str(port.get("network_id", "-"))}


def _is_past_the_wall(reply: Reply) -> bool:
    return reply.status < 300 or (
        reply.status == 409 and str(reply.json().get("type")).rpartition(":")[2] in ALSO_PAST_THE_WALL
    )


PROBES = (
    Probe(
        "network walls",
        Layer.NETWORK,
        "Routers, networks, ports and groups of B, shares, spoofed addresses, routes, and rules that break agents",
        tuple(sorted({wall.threat for wall in WALLS})),
        _attack_walls,
    ),
)
