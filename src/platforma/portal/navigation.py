"""The navigation: what a portal has, and who may see which of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from platforma.authentication.permissions import Permission
from platforma.authentication.principals import Principal


@dataclass(frozen=True)
class Entry:
    """One line of the navigation."""

    title: str
    path: str
    icon: str
    permission: Permission
    needs_kubernetes: bool = False
    """Whether it is left out where the operator has connected no cluster."""

    def is_current(self, path: str) -> bool:
        """Say whether a path is this entry's page or below it."""
        return path == self.path or (self.path != "/" and path.startswith(f"{self.path}/"))


@dataclass(frozen=True)
class Group:
    """Lines that belong together."""

    title: str
    entries: tuple[Entry, ...]


NAVIGATION = (
    Group("", (Entry("Dashboard", "/", "layout-dashboard", Permission.TENANT_READ),)),
    Group(
        "Compute",
        (
            Entry("Servers", "/servers", "server", Permission.SERVERS_READ),
            Entry("Key pairs", "/key-pairs", "key-round", Permission.SERVERS_READ),
        ),
    ),
    Group(
        "Kubernetes",
        (
            Entry("Namespaces", "/namespaces", "boxes", Permission.NAMESPACES_READ, needs_kubernetes=True),
            Entry("Kubeconfigs", "/kubeconfigs", "file-key", Permission.KUBECONFIGS_READ, needs_kubernetes=True),
        ),
    ),
    Group(
        "Storage",
        (
            Entry("Volumes", "/volumes", "hard-drive", Permission.VOLUMES_READ),
            Entry("Snapshots", "/snapshots", "copy", Permission.VOLUMES_READ),
            Entry("Erasures", "/erasures", "shield-check", Permission.VOLUMES_READ),
        ),
    ),
    Group(
        "Network",
        (
            Entry("Topology", "/topology", "ship-wheel", Permission.NETWORKS_READ),
            Entry("Networks", "/networks", "network", Permission.NETWORKS_READ),
            Entry("Routers", "/routers", "router", Permission.NETWORKS_READ),
            Entry("Floating IPs", "/floating-ips", "globe", Permission.NETWORKS_READ),
            Entry("Ports", "/ports", "plug", Permission.NETWORKS_READ),
            Entry("Security groups", "/security-groups", "shield", Permission.SECURITY_GROUPS_READ),
        ),
    ),
    Group(
        "Billing",
        (
            Entry("Costs", "/billing", "activity", Permission.BILLING_READ),
            Entry("Invoices", "/invoices", "book-open", Permission.BILLING_READ),
            Entry("Payment methods", "/payment-methods", "lock", Permission.BILLING_READ),
        ),
    ),
    Group(
        "Organisation",
        (
            Entry("Operations", "/operations", "activity", Permission.OPERATIONS_READ),
            Entry("Members", "/members", "users", Permission.MEMBERS_READ),
            Entry("Audit log", "/audit", "book-open", Permission.AUDIT_READ),
            Entry("API", "/api-reference", "code", Permission.TENANT_READ),
        ),
    ),
)


def navigation_for(principal: Principal, *, has_kubernetes: bool) -> Iterator[Group]:
    """Return the navigation with what there is, and what the member's role may see of it."""
    for group in NAVIGATION:
        entries = tuple(
            entry
            for entry in group.entries
            if principal.may(entry.permission) and (has_kubernetes or not entry.needs_kubernetes)
        )
        if entries:
            yield Group(group.title, entries)
