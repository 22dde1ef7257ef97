"""Two hypervisors and the outside world: network namespaces, joined by an underlay and by a provider's network."""

import json
from pathlib import Path

from lab.layout import (
    EXTERNAL_BRIDGE,
    HOSTS,
    MANAGEMENT_BRIDGE,
    OUTSIDE_V4,
    OUTSIDE_V6,
    PRIVATE_V6,
    WORLD,
    controller_address,
    host_address,
)
from lab.processes import run


def build() -> None:
    """Make them, within the lab's own network namespace."""
    _ip("link set lo up")
    _ip(f"link add {MANAGEMENT_BRIDGE} type bridge")
    _ip(f"addr add {controller_address()} dev {MANAGEMENT_BRIDGE}")
    _ip(f"link set {MANAGEMENT_BRIDGE} up")
    for host in HOSTS:
        _ip(f"netns add {host}")
        _ip(f"link add to-{host} type veth peer name mg0 netns {host}")
        _ip(f"link set to-{host} master {MANAGEMENT_BRIDGE} up")
        _ip(f"-n {host} link set lo up")
        _ip(f"-n {host} addr add {host_address(host)} dev mg0")
        _ip(f"-n {host} link set mg0 up")
        _ip(f"-n {host} link add {EXTERNAL_BRIDGE} type bridge")
        _ip(f"-n {host} link set {EXTERNAL_BRIDGE} up")
    first, second = HOSTS
    _ip(f"-n {first} link add ext0 type veth peer name ext0 netns {second}")
    for host in HOSTS:
        _ip(f"-n {host} link set ext0 master {EXTERNAL_BRIDGE} up")
    _ip(f"netns add {WORLD}")
    _ip(f"-n {WORLD} link set lo up")
    _ip(f"-n {first} link add world0 type veth peer name eth0 netns {WORLD}")
    _ip(f"-n {first} link set world0 master {EXTERNAL_BRIDGE} up")
    _ip(f"-n {WORLD} addr add {OUTSIDE_V4[1]}/{OUTSIDE_V4.prefixlen} dev eth0")
    _ip(f"-n {WORLD} addr add {OUTSIDE_V6[1]}/{OUTSIDE_V6.prefixlen} dev eth0 nodad")
    _ip(f"-n {WORLD} link set eth0 up")


def on_host(host: str, *command: str) -> list[str]:
    """Return the command that runs another on a hypervisor: its network, its /sys, the lab's /run/netns."""
    inner = 'mount --make-private /sys; mount -t sysfs sysfs /sys; exec "$@"'
    enter = ["nsenter", f"--net={namespace_path(host)}", "unshare", "--mount", "--propagation", "unchanged"]
    return [*enter, "sh", "-c", inner, "sh", *command]


def namespace_path(name: str) -> Path:
    """Return where a network namespace is."""
    return Path("/run/netns") / name


def plug(name: str, host: str, *, tap: str, bridge: str, mac: str) -> None:
    """Give a guest its cable into a hypervisor's bridge, as Nova does: Neutron's agent does the rest."""
    _ip(f"netns add {name}")
    _ip(f"-n {name} link set lo up")
    _ip(f"-n {host} link add {tap} type veth peer name eth0 netns {name}")
    if bridge not in run("ip", "-n", host, "-br", "link"):
        run("ip", "-n", host, "link", "add", bridge, "type", "bridge", "forward_delay", "0", "stp_state", "0")
    _ip(f"-n {host} link set {bridge} up")
    _ip(f"-n {host} link set {tap} master {bridge}")
    _ip(f"-n {name} link set eth0 address {mac} mtu 1450")
    run("ip", "netns", "exec", name, "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra")
    _ip(f"-n {name} link set eth0 up")
    _ip(f"-n {host} link set {tap} up")


def address(name: str, *addresses: tuple[str, int, str | None]) -> None:
    """Give a guest its addresses, each with the length of its prefix and its gateway."""
    for own, prefix, gateway in addresses:
        nodad = " nodad" if ":" in own else ""
        _ip(f"-n {name} addr add {own}/{prefix} dev eth0{nodad}")
        if gateway is not None:
            _ip(f"-n {name} route add default via {gateway} dev eth0")


def lead_back(router: str) -> None:
    """Let the outside world answer guests behind a router, whose IPv6 addresses are not translated."""
    _ip(f"-n {WORLD} route add {PRIVATE_V6} via {router}")


def mac_of(name: str) -> str:
    """Return the hardware address of a namespace's interface."""
    found: list[dict[str, str]] = json.loads(run("ip", "-n", name, "-json", "link", "show", "eth0"))
    return found[0]["address"]


def move(tap: str, host: str, bridge: str) -> None:
    """Put a guest's cable into another bridge, as a broken hypervisor might."""
    _ip(f"-n {host} link set {tap} master {bridge}")


def unplug(name: str, host: str, tap: str) -> None:
    """Take a guest away."""
    if tap in run("ip", "-n", host, "-br", "link"):
        _ip(f"-n {host} link del {tap}")
    if namespace_path(name).exists():
        _ip(f"netns del {name}")


def _ip(words: str) -> None:
    run("ip", *words.split())
