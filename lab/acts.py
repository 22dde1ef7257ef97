"""Proofs with an act in the middle: a rule that is closed, a wall that somebody opens behind Platforma's back."""

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Literal

from lab.attacks import GROUP, PLACES, one_rule
from lab.captures import Wire, inside
from lab.errors import LabError
from lab.frames import SERVICE_PORT, Packet, new_token
from lab.guests import Guest
from lab.layout import OUTSIDE_V4, OUTSIDE_V6
from lab.measuring import Shot, Trial, hear, measure, packet_shot, until_silent
from lab.processes import wait_until
from lab.product import SWEEP_SECONDS
from lab.run import Lab
from lab.verdicts import Count, Measured, Proof

CLOSED_SECONDS = 30.0
"""How long an agent may take to shut on the wire what was shut in the API, on a busy machine."""
SWEPT_SECONDS = SWEEP_SECONDS + 60.0
"""How long the sweep may take until it has shut on the wire what was opened behind its back."""
SWEEP = "the sweep"
_ANSWER_SECONDS = 20.0


class Flow:
    """A connection of TCP or UDP from one guest to another, through whatever is between."""

    def __init__(self, client: socket.socket, server: socket.socket, end: Wire) -> None:
        self._client, self._server, self._end = client, server, end

    @property
    def ends(self) -> list[Wire]:
        """Where what is sent must come in."""
        return [self._end]

    def send(self, token: bytes) -> int:
        """Send a token on the connection."""
        try:
            self._client.send(token)
        except BlockingIOError:
            return 0
        return 1

    def is_heard(self) -> bool:
        """Say whether what is sent now comes in."""
        token = new_token()
        self.send(token)
        try:
            wait_until("it is heard", 3, lambda: self._end.count(token) > 0, 0.05)
        except TimeoutError:
            return False
        return True


@contextmanager
def flow(source: Guest, target: Guest, address: str, protocol: Literal["tcp", "udp"]) -> Iterator[Flow]:
    """Open a connection with an answer, so that every firewall on the way takes it for established."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with ExitStack() as stack:
        with inside(target.namespace):
            server = stack.enter_context(socket.socket(socket.AF_INET, kind))
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("", SERVICE_PORT))
        with inside(source.namespace):
            client = stack.enter_context(socket.socket(socket.AF_INET, kind))
        server.settimeout(_ANSWER_SECONDS)
        client.settimeout(_ANSWER_SECONDS)
        if protocol == "tcp":
            server.listen(1)
            client.connect((address, SERVICE_PORT))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answerer, _ = server.accept()
            stack.enter_context(answerer)
            answerer.send(b"ready")
        else:
            client.connect((address, SERVICE_PORT))
            client.send(b"hello")
            _, sender = server.recvfrom(100)
            server.sendto(b"ready", sender)
        client.recv(100)
        client.setblocking(False)
        yield Flow(client, server, target.wire)


def opened_and_closed(lab: Lab) -> list[Measured]:
    """N02: B opens one port and closes it again: nothing else was open, and connections that are open end too."""
    a, b = lab.a, lab.b
    path = f"/security-groups/{b.groups['default']['id']}/rules"
    wanted = {"port_range_min": SERVICE_PORT, "port_range_max": SERVICE_PORT}
    source = a.guests["a1"]
    rules = [b.tenant.make(path, {**wanted, "protocol": "tcp"})]
    measured = measure(list(one_rule(a, b)))
    rules.append(b.tenant.make(path, {**wanted, "protocol": "udp"}))
    for name in ("b1", "b2"):
        shot = packet_shot(source.wire, source.packet("udp", b.floating[name], a.gateway_mac), b.guests[name].wire)
        if not hear(shot):
            raise LabError(f"B's rule for UDP does not open {name} on the wire.")
    with ExitStack() as stack:
        flows: dict[tuple[str, str], Flow] = {}
        protocols: tuple[Literal["tcp", "udp"], ...] = ("tcp", "udp")
        for name in ("b1", "b2", "open1"):
            for protocol in protocols:
                opened = flow(source, b.guests[name], b.floating[name], protocol)
                flows[name, protocol] = stack.enter_context(opened)
        before = {key: each.is_heard() for key, each in flows.items()}
        for rule in rules:
            b.tenant.settle(b.tenant.api.do("DELETE", f"{path}/{rule['id']}"), "rules")
        for name, place in (("b1", PLACES[0]), ("b2", PLACES[1])):
            for protocol in protocols:
                one = flows[name, protocol]
                seconds, attack = until_silent(one.send, one.ends, CLOSED_SECONDS)
                kept = flows["open1", protocol].is_heard()
                proof = Proof(
                    f"established-{name}-{protocol}",
                    "N02",
                    "IPv4",
                    protocol,
                    f"B closes a rule, and A goes on sending on the connection that it has, {place}",
                    "the connection before, and one to a guest whose rule stays",
                    GROUP,
                )
                control = Count(2, 2 if before[name, protocol] and kept else 0)
                measured.append(Measured(proof, attack, control, seconds, CLOSED_SECONDS))
    return measured


_ODD_RULES: tuple[dict[str, Any], ...] = (
    {"protocol": "icmp", "port_range_min": 255, "port_range_max": 255},
    {"protocol": "icmp", "port_range_min": 0},
    {"protocol": "ipv6-icmp", "ethertype": "IPv6", "port_range_min": 0, "port_range_max": 0},
    {"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535, "remote_ip_prefix": "0.0.0.0/0"},
    {"protocol": "udp", "port_range_min": 65535, "port_range_max": 65535, "remote_ip_prefix": "255.255.255.255/32"},
    {"ethertype": "IPv6", "remote_ip_prefix": "::/0"},
)
"""What the API takes and an agent may stumble over."""


def odd_rules(lab: Lab) -> list[Measured]:
    """N05: A has the oddest rules that can be asked for; the agents still carry out what B asks for after that."""
    a, b = lab.a, lab.b
    source, victim = a.guests["a1"], b.guests["b2"]
    group = a.tenant.make("/security-groups", {"name": "odd", "rules": list(_ODD_RULES)})
    server = {"name": "odd-h2", "security_group_ids": [group["id"]], "network_ids": [a.network["id"]]}
    for name, path in (("flavor_id", "/flavors"), ("image_id", "/images")):
        server[name] = a.tenant.list(path)[0]["id"]
    a.tenant.make("/servers", server)
    path = f"/security-groups/{b.groups['default']['id']}/rules"
    rule = b.tenant.make(path, {"protocol": "udp", "port_range_min": 4000, "port_range_max": 4000})
    control = replace(source.packet("udp", b.floating["b2"], a.gateway_mac), port=4000)
    proof = Proof(
        "odd-rules-v4-udp",
        "N05",
        "IPv4",
        "udp",
        "A has rules that agents may stumble over on the host of B's guest; A tries a port beside the one that B opens",
        "the port that B has opened since",
        GROUP,
    )
    shots = (packet_shot(source.wire, each, victim.wire) for each in (replace(control, port=4001), control))
    measured = measure([Trial(proof, *shots)])
    b.tenant.settle(b.tenant.api.do("DELETE", f"{path}/{rule['id']}"), "rules")
    return measured


def behind_our_back(lab: Lab) -> Iterator[Measured]:
    """N09 and N10: an administrator opens a wall in Neutron; frames come in until the sweep has shut it."""
    a, b = lab.a, lab.b
    source, victim = a.guests["a1"], b.guests["b1"]
    ping = source.packet("icmp", b.floating["b1"], a.gateway_mac)
    from_outside = Packet(str(OUTSIDE_V6[1]), victim.v6, lab.world_mac, b.external_mac, "tcp")
    seen = lab.cloud.port(victim.port_id)
    group, project = seen["security_groups"][0], seen["project_id"]
    open_group = lab.cloud.port(b.guests["open1"].port_id)["security_groups"]

    def admit(**rule: str) -> Callable[[], object]:
        wanted = {"security_group_id": group, "direction": "ingress", "project_id": project, **rule}
        return lambda: lab.cloud.post("network", "/v2.0/security-group-rules", {"security_group_rule": wanted})

    def change(port: str, **changes: Any) -> Callable[[], object]:
        return lambda: lab.cloud.put("network", f"/v2.0/ports/{port}", {"port": changes})

    routed = source.packet("icmp", b.guests["open1"].v4, a.gateway_mac)
    spoof = source.packet("udp", str(OUTSIDE_V4[1]), a.gateway_mac, source="10.10.0.254")
    yield _swept(
        "rule-v4",
        "N09",
        "IPv4",
        "icmp",
        "a rule is added to B's group in Neutron; A to B's floating IP",
        admit(ethertype="IPv4", protocol="icmp"),
        _flows(source.wire, ping, victim.wire),
    )
    yield _swept(
        "rule-v6",
        "N09",
        "IPv6",
        "tcp",
        "a rule is added to B's group in Neutron; from outside to B's address",
        admit(ethertype="IPv6", protocol="tcp"),
        _flows(lab.world, from_outside, victim.wire),
    )
    yield _swept(
        "groups",
        "N09",
        "IPv4",
        "icmp",
        "B's port is given an open group in Neutron; A to B's floating IP",
        change(victim.port_id, security_groups=open_group),
        _flows(source.wire, ping, victim.wire),
    )
    yield _swept(
        "port-security",
        "N09",
        "IPv4",
        "icmp",
        "B's port security is switched off; A to B's floating IP",
        change(victim.port_id, port_security_enabled=False, security_groups=[]),
        _flows(source.wire, ping, victim.wire),
    )
    yield _swept(
        "pair",
        "N04",
        "IPv4",
        "udp",
        "A's port is allowed 0.0.0.0/0 in Neutron; A sends from another address to the world",
        change(source.port_id, allowed_address_pairs=[{"ip_address": "0.0.0.0/0"}]),
        _flows(source.wire, spoof, lab.world),
    )
    yield _swept(
        "route",
        "N10",
        "IPv4",
        "icmp",
        "A's router is given a route to a private address of B that is open to the internet",
        lambda: _route(lab, "open1"),
        _flows(source.wire, routed, b.guests["open1"].wire),
    )


def route_to_closed(lab: Lab) -> list[Measured]:
    """N10: a route by way of B's router leads to B's guests, and their security group stands; nobody sweeps."""
    a, b = lab.a, lab.b
    source = a.guests["a1"]
    choose(lab, "route", "report")
    _route(lab, "b1", "open1")
    aimed, control = (source.packet("icmp", b.guests[name].v4, a.gateway_mac) for name in ("b1", "open1"))
    proof = Proof(
        "route-v4-icmp",
        "N10",
        "IPv4",
        "icmp",
        "A's router has a route to B's private address by way of B's router, set by an administrator",
        "the same to a guest of B that is open to all",
        GROUP,
    )
    shots = (
        packet_shot(source.wire, aimed, b.guests["b1"].wire),
        packet_shot(source.wire, control, b.guests["open1"].wire),
    )
    measured = measure([Trial(proof, *shots)])
    _route(lab)
    choose(lab, "route", "mend")
    return measured


def choose(lab: Lab, kind: str, mode: Literal["mend", "report"]) -> None:
    """Choose, as the operator, what the sweep does about a kind of finding."""
    lab.operator.do("PUT", f"/sweeps/choices/{kind}", {"mode": mode})


def _swept(
    name: str, threat: str, family: str, protocol: str, what: str, open_: Callable[[], object], shot: Shot
) -> Measured:
    proof = Proof(f"sweep-{name}", threat, family, protocol, what, "the same until the sweep has shut it", SWEEP)
    open_()
    hear(shot, SWEPT_SECONDS)
    seconds, attack = until_silent(lambda token: _send(shot, token), shot.ends, SWEPT_SECONDS)
    return Measured(proof, attack, shot.count, seconds, SWEPT_SECONDS)


def _flows(sender: Wire, packet: Packet, end: Wire) -> Shot:
    """Return the shot of a packet that begins a flow of its own each time: those that are known may last longer."""
    ports = itertools.count(41000)
    return Shot(sender, lambda token: [replace(packet, source_port=next(ports)).frame(token)], [end])


def _send(shot: Shot, token: bytes) -> int:
    made = shot.frames(token)
    shot.sender.send(*made)
    return len(made)


def _route(lab: Lab, *targets: str) -> None:
    """Give A's router routes to guests of B by way of B's router, or none."""
    nexthop = lab.b.external[4]
    routes = [{"destination": f"{lab.b.guests[name].v4}/32", "nexthop": nexthop} for name in targets]
    lab.cloud.put("network", f"/v2.0/routers/{lab.a.router_cloud_id}", {"router": {"routes": routes}})
