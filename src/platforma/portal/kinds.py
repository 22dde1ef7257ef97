"""The kinds of resources that members have pages of: for the dashboard and for the search."""

from collections.abc import Iterator
from dataclasses import dataclass

from platforma.authentication.permissions import Permission
from platforma.authentication.principals import Principal
from platforma.compute.models import KeyPair, Server
from platforma.kubernetes.models import Kubeconfig, Namespace
from platforma.network.models import FloatingIp, Network, Port, Router, SecurityGroup
from platforma.operations.models import Resource
from platforma.storage.models import Snapshot, Volume


@dataclass(frozen=True)
class Kind:
    """A kind of resource. `path` is its list's, and with an id behind it that of one; `quota` is the quota's name."""

    model: type[Resource]
    permission: Permission
    title: str
    word: str
    path: str
    icon: str
    quota: str
    has_tile: bool = False
    needs_kubernetes: bool = False
    address: str | None = None
    """The column with the addresses by which members know it."""


KINDS = (
    Kind(Server, Permission.SERVERS_READ, "Servers", "Server", "/servers", "server", "servers", has_tile=True),
    Kind(Volume, Permission.VOLUMES_READ, "Volumes", "Volume", "/volumes", "hard-drive", "volumes", has_tile=True),
    Kind(Snapshot, Permission.VOLUMES_READ, "Snapshots", "Snapshot", "/snapshots", "copy", "snapshots"),
    Kind(Network, Permission.NETWORKS_READ, "Networks", "Network", "/networks", "network", "networks", has_tile=True),
    Kind(
        Router,
        Permission.NETWORKS_READ,
        "Routers",
        "Router",
        "/routers",
        "router",
        "routers",
        address="external_address",
    ),
    Kind(
        FloatingIp,
        Permission.NETWORKS_READ,
        "Floating IPs",
        "Floating IP",
        "/floating-ips",
        "globe",
        "floating_ips",
        address="address",
    ),
    Kind(Port, Permission.NETWORKS_READ, "Ports", "Port", "/ports", "plug", "ports", address="addresses"),
    Kind(
        SecurityGroup,
        Permission.SECURITY_GROUPS_READ,
        "Security groups",
        "Security group",
        "/security-groups",
        "shield",
        "security_groups",
        has_tile=True,
    ),
    Kind(KeyPair, Permission.SERVERS_READ, "Key pairs", "Key pair", "/key-pairs", "key-round", "key_pairs"),
    Kind(
        Namespace,
        Permission.NAMESPACES_READ,
        "Namespaces",
        "Namespace",
        "/namespaces",
        "boxes",
        "namespaces",
        has_tile=True,
        needs_kubernetes=True,
    ),
    Kind(
        Kubeconfig,
        Permission.KUBECONFIGS_READ,
        "Kubeconfigs",
        "Kubeconfig",
        "/kubeconfigs",
        "file-key",
        "kubeconfigs",
        needs_kubernetes=True,
    ),
)


def kinds_for(principal: Principal, *, has_kubernetes: bool) -> Iterator[Kind]:
    """Return the kinds that there are, as far as the member's role may see them."""
    for kind in KINDS:
        if principal.may(kind.permission) and (has_kubernetes or not kind.needs_kubernetes):
            yield kind
