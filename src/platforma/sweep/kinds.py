"""What the sweep can find, and whether it is mended or only told."""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What is done about a kind of finding."""

    MEND = "mend"
    REPORT = "report"


class DriftKind(StrEnum):
    """The kinds of findings."""

    RULE_ADDED = "rule-added"
    RULE_MISSING = "rule-missing"
    SHARE = "share"
    PORT_SECURITY_OFF = "port-security-off"
    ADDRESS_PAIR = "address-pair"
    PORT_GROUPS = "port-groups"
    DHCP_OPTION = "dhcp-option"
    ROUTE = "route"
    GATEWAY = "gateway"
    FLOATING_IP = "floating-ip"
    ATTACHMENT = "attachment"
    UNKNOWN = "unknown"
    MISSING = "missing"
    NAMESPACE_CHANGED = "namespace-changed"
    NAMESPACE_MISSING = "namespace-missing"
    METERED_IN_VAIN = "metered-in-vain"
    UNMETERED = "unmetered"
    METERED_OTHERWISE = "metered-otherwise"


OPENINGS = frozenset(
    {
        DriftKind.RULE_ADDED,
        DriftKind.SHARE,
        DriftKind.PORT_SECURITY_OFF,
        DriftKind.ADDRESS_PAIR,
        DriftKind.PORT_GROUPS,
        DriftKind.DHCP_OPTION,
        DriftKind.ROUTE,
        DriftKind.ATTACHMENT,
    }
)
"""What opens a wall. It counts at a resource in error, too, and at one that is worked on without end."""


@dataclass(frozen=True)
class Meaning:
    """What a kind is called, and what is done about it unless an operator chose."""

    title: str
    default: Mode
    is_mendable: bool = True
    """Whether the sweep can do something about it."""


MEANINGS: dict[DriftKind, Meaning] = {
    DriftKind.RULE_ADDED: Meaning("A security group admits more than it should", Mode.MEND),
    DriftKind.RULE_MISSING: Meaning("A security group lacks a rule", Mode.MEND),
    DriftKind.SHARE: Meaning("Something is shared with other projects", Mode.MEND),
    DriftKind.PORT_SECURITY_OFF: Meaning("Port security is off", Mode.MEND),
    DriftKind.ADDRESS_PAIR: Meaning("A port may send from addresses that are not its own", Mode.MEND),
    DriftKind.PORT_GROUPS: Meaning("A port has other security groups than it should", Mode.MEND),
    DriftKind.DHCP_OPTION: Meaning("A port is told more by DHCP than it should", Mode.MEND),
    DriftKind.ROUTE: Meaning("A route was added", Mode.MEND),
    DriftKind.GATEWAY: Meaning("A router's way outside is not as it should be", Mode.MEND),
    DriftKind.FLOATING_IP: Meaning("A floating IP leads elsewhere than it should", Mode.MEND),
    DriftKind.ATTACHMENT: Meaning("A volume is not at the server where it should be, or at another", Mode.MEND),
    DriftKind.UNKNOWN: Meaning("Something is in the project that Platforma did not make", Mode.REPORT),
    DriftKind.MISSING: Meaning("Something that Platforma made is gone", Mode.REPORT),
    DriftKind.NAMESPACE_CHANGED: Meaning("A namespace is not closed, confined or limited as it should be", Mode.MEND),
    DriftKind.NAMESPACE_MISSING: Meaning("A namespace is gone from its cluster", Mode.REPORT),
    DriftKind.METERED_IN_VAIN: Meaning("Something is metered that is not there", Mode.REPORT, is_mendable=False),
    DriftKind.UNMETERED: Meaning("Something is there that is not metered", Mode.REPORT, is_mendable=False),
    DriftKind.METERED_OTHERWISE: Meaning(
        "A server is metered as running and is stopped, or the reverse", Mode.REPORT, is_mendable=False
    ),
}
"""To mend what is unknown is to delete it, and to mend what is missing is to make it anew, empty."""
