"""Walls that are taken away, one at a time: still nothing of A reaches B, and the proofs of that wall turn red."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lab import attacks, hypervisors
from lab.acts import choose
from lab.layout import bridge_of, tap_of
from lab.measuring import Trial, measure
from lab.processes import wait_until
from lab.run import Lab
from lab.verdicts import KnockOut, Measured

_KINDS = ("port-security-off", "port-groups", "rule-added", "rule-missing")
_WIRED_SECONDS = 60.0


def knock_out(lab: Lab) -> Iterator[KnockOut]:
    """Take away each wall, and put it back."""
    for kind in _KINDS:
        choose(lab, kind, "report")
    yield _port_security(lab)
    yield _groups_of_a(lab, "emptied", [])
    yield _groups_of_a(lab, "opened", None)
    yield _group_of_b(lab)
    yield _overlay(lab)
    for kind in _KINDS:
        choose(lab, kind, "mend")


def _port_security(lab: Lab) -> KnockOut:
    ports = [guest.port_id for guest in lab.a.guests.values()]
    off = {"port_security_enabled": False, "security_groups": []}
    with _changed(lab, ports, off):
        spoofed = list(attacks.spoofed(lab.a))
        red = _until_red(spoofed)
        return KnockOut("port-security", "A's port security", _private(lab, forged=True), red)


def _groups_of_a(lab: Lab, how: str, groups: list[str] | None) -> KnockOut:
    """A's security groups say what A's guests receive and send; nothing of B depends on them."""
    ports = [guest.port_id for guest in lab.a.guests.values()]
    made: list[str] = []
    if groups is None:
        project = lab.cloud.port(ports[0])["project_id"]
        body = {"security_group": {"name": "knocked-out", "project_id": project}}
        group = lab.cloud.post("network", "/v2.0/security-groups", body)["security_group"]["id"]
        made.append(group)
        for ethertype in ("IPv4", "IPv6"):
            rule = {"security_group_id": group, "direction": "ingress", "ethertype": ethertype}
            lab.cloud.post("network", "/v2.0/security-group-rules", {"security_group_rule": rule})
        groups = [group]
    try:
        with _changed(lab, ports, {"security_groups": groups}):
            # With no group nothing comes in and nothing goes out: there is no control to be heard within A.
            held = _to_b(lab) if made else measure(list(attacks.private(lab.a, lab.b, is_mute=True)))
            return KnockOut(f"group-of-a-{how}", f"A's security group, {how}", held)
    finally:
        for group in made:
            lab.cloud.delete("network", f"/v2.0/security-groups/{group}")


def _group_of_b(lab: Lab) -> KnockOut:
    """B opens itself to all: A's guests still cannot send to it but as anybody on the internet can."""
    ports = [lab.b.guests[name].port_id for name in ("b1", "b2")]
    open_group = lab.cloud.port(lab.b.guests["open1"].port_id)["security_groups"]
    with _changed(lab, ports, {"security_groups": open_group}):
        trials = [
            *attacks.floating(lab.a, lab.b),
            *attacks.routed(lab.b, lab.world, lab.world_mac),
            *attacks.fragmented(lab.a, lab.b, lab.world, lab.world_mac),
        ]
        red = _until_red(trials)
        return KnockOut("group-of-b-opened", "B's security group", _private(lab), red)


def _overlay(lab: Lab) -> KnockOut:
    """Plug B's open guests into A's bridges, as a broken hypervisor might: the proofs of the overlay must see it."""
    moved = [lab.b.guests[name] for name in ("open1", "open2")]
    bridge = bridge_of(lab.a.guests["a1"].network_id)
    for guest in moved:
        hypervisors.move(tap_of(guest.port_id), guest.host, bridge)
    try:
        return KnockOut("overlay", attacks.OVERLAY, [], _until_red(list(attacks.private(lab.a, lab.b))))
    finally:
        for guest in moved:
            hypervisors.move(tap_of(guest.port_id), guest.host, bridge_of(guest.network_id))


def _private(lab: Lab, *, forged: bool = False) -> list[Measured]:
    trials = [*attacks.private(lab.a, lab.b), *attacks.broadcast(lab.a, lab.b)]
    if forged:
        trials += attacks.private(lab.a, lab.b, forged=True)
    return measure(trials)


def _to_b(lab: Lab) -> list[Measured]:
    return [*_private(lab), *measure(list(attacks.floating(lab.a, lab.b)))]


def _until_red(trials: list[Trial]) -> list[Measured]:
    """Wait until the agents have taken the wall away, and measure then."""

    def is_down() -> bool:
        for trial in trials:
            if not trial.attack.arrived:
                trial.attack.send()
        return all(trial.attack.arrived for trial in trials)

    with suppress(TimeoutError):
        wait_until("the wall is down", _WIRED_SECONDS, is_down, 0.5)
    return measure(trials)


@contextmanager
def _changed(lab: Lab, ports: list[str], changes: dict[str, Any]) -> Iterator[None]:
    """Change ports behind Platforma's back, and change them back."""
    before = {port: lab.cloud.port(port) for port in ports}
    for port in ports:
        lab.cloud.put("network", f"/v2.0/ports/{port}", {"port": changes})
    try:
        yield
    finally:
        for port in ports:
            kept = {name: before[port][name] for name in ("port_security_enabled", "security_groups")}
            lab.cloud.put("network", f"/v2.0/ports/{port}", {"port": kept})
