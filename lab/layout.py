"""Where everything of the lab is: files, addresses, names."""

from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Network
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
OVERLAID = ("usr", "etc", "var")
"""The machine's directories that Debian's packages write to. The lab sees them through an overlay of its own."""

HOSTS = ("h1", "h2")
"""The hypervisors: each a network namespace with its own agent."""
WORLD = "world"
"""The network namespace that is the internet."""
UNDERLAY = IPv4Network("198.18.0.0/24")  # RFC 2544
OUTSIDE_V4 = IPv4Network("203.0.113.0/24")  # RFC 5737
OUTSIDE_V6 = IPv6Network("2001:db8:113::/64")  # RFC 3849
PRIVATE_V4 = IPv4Network("10.10.0.0/24")
PRIVATE_V6 = IPv6Network("fd10::/64")
"""The ranges of both tenants' networks, which are the same."""

EXTERNAL_NETWORK = "outside"
PHYSICAL_NETWORK = "ext"
EXTERNAL_BRIDGE = "br-ext"
MANAGEMENT_BRIDGE = "br-mgmt"
REGION = "RegionOne"

KEYSTONE_PORT = 5000
NEUTRON_PORT = 9696
RABBIT_PORT = 5672
EPMD_PORT = 4369
COMPUTE_PORT = 8774
PORTAL_PORT = 8080
OPERATOR_PORT = 8081


@dataclass(frozen=True)
class Layout:
    """The lab's directories: what stays between runs is in the checkout, what a run needs ends with it."""

    state: Path
    runtime: Path = Path("/run/platforma-lab")
    """On a file system of the lab's own, in memory."""

    @property
    def overlay(self) -> Path:
        """What Debian's packages have written: the upper sides of the overlays."""
        return self.state / "root"

    @property
    def installed(self) -> Path:
        """The list of packages that the overlay holds, written when all of them are there."""
        return self.state / "installed"

    @property
    def logs(self) -> Path:
        """What each process of the last run wrote."""
        return self.state / "log"

    @property
    def result(self) -> Path:
        """The last result."""
        return self.state.parent / "lab.json"

    def log(self, name: str) -> Path:
        """What one process of the last run wrote."""
        return self.logs / f"{name}.log"

    def etc(self, name: str) -> Path:
        """A file of configuration."""
        return self.runtime / "etc" / name


def host_address(host: str) -> IPv4Interface:
    """Return a hypervisor's address on the underlay."""
    return IPv4Interface((UNDERLAY[11 + HOSTS.index(host)], UNDERLAY.prefixlen))


def controller_address() -> IPv4Interface:
    """Return the address of the services on the underlay."""
    return IPv4Interface((UNDERLAY[1], UNDERLAY.prefixlen))


def tap_of(port_id: str) -> str:
    """Return the interface's name by which Neutron's agent knows a port."""
    return f"tap{port_id[:11]}"


def bridge_of(network_id: str) -> str:
    """Return the bridge's name by which Neutron's agent knows a network."""
    return f"brq{network_id[:11]}"


def host_of(server_name: str) -> str:
    """Return the hypervisor that a server's name asks for, as in `b1-h2`; the first if it asks for none."""
    host = server_name.rpartition("-")[2]
    return host if host in HOSTS else HOSTS[0]
