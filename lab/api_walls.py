"""The same walls at Platforma's API: what a tenant may not even ask for, each beside a control that is accepted."""

from lab.run import Lab
from lab.scene import Side
from lab.verdicts import Count, Measured, Proof
from platforma.network.walls import ALSO_PAST_THE_WALL, WALLS, fill

_ACCEPTED = 400


def ask(lab: Lab) -> list[Measured]:
    """N03 to N05, N08 and N10: what A asks for with its own ids and with B's.

    Counted are requests: those that were let through, of the attack and of its control.
    """
    a, b = lab.a, lab.b
    free = {side.tenant.name: _free_port(side) for side in (a, b)}
    ids = {
        "network_id": _network(a, "default"),
        "router_id": a.router["id"],
        "server_id": a.servers["a3"]["id"],
        "port_id": a.port_id("a3"),
        "port_network_id": a.network["id"],
        "free_port_id": free["A"],
        "security_group_id": a.groups["default"]["id"],
        "flavor_id": a.tenant.list("/flavors")[0]["id"],
        "image_id": a.tenant.list("/images")[0]["id"],
        "own_address": "10.10.0.253",
        "their_network_id": b.network["id"],
        "their_router_id": b.router["id"],
        "their_server_id": b.servers["b1"]["id"],
        "their_free_port_id": free["B"],
        "their_port_id": b.port_id("b1"),
        "their_security_group_id": b.groups["default"]["id"],
    }
    measured = []
    for wall in WALLS:
        attacked = a.tenant.api.ask(wall.method, fill(wall.path, ids), fill(wall.body, ids))
        own = {name.replace("their_", ""): value for name, value in ids.items() if not name.startswith("their_")}
        path = fill(wall.path.replace("their_", ""), own)
        control = a.tenant.api.ask(wall.method, path, fill(wall.control, own))
        kind = "" if control.status_code < _ACCEPTED else str(control.json().get("type", ""))
        passed = control.status_code < _ACCEPTED or kind.rpartition("/")[2].rpartition(":")[2] in ALSO_PAST_THE_WALL
        proof = Proof(
            f"api {wall.id}", wall.threat, "API", "http", f"A asks to {wall.attack}", "A asks with its own", "the API"
        )
        measured.append(
            Measured(
                proof,
                Count(1, int(attacked.status_code != wall.expected)),
                Count(1, int(passed)),
                note=f"{attacked.status_code}, control {control.status_code} {kind}".strip(),
            )
        )
    return measured


def _free_port(side: Side) -> str:
    """Make a port of the member's own, at no server, and return its id."""
    made = side.tenant.make("/ports", {"name": "free", "network_id": side.network["id"]})
    return str(made["id"])


def _network(side: Side, name: str) -> str:
    return next(str(each["id"]) for each in side.tenant.list("/networks") if each["name"] == name)
