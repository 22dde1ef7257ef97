"""When two rules of security groups are the same rule to the cloud."""

from dataclasses import dataclass
from ipaddress import ip_network

from platforma.clouds.openstack.resources import CloudId, RuleSpec

_PROTOCOL_NAMES = {"1": "icmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp", "icmpv6": "ipv6-icmp"}
_ALL_PROTOCOLS = {None, "any", "0"}
_ALL_PORTS = (1, 65535)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a rule admits, in one spelling. Of two rules with the same traffic, Neutron refuses the second.

    `address_group` is an address group at the remote end. We make no such rules, so one that has it is a stranger's.
    """

    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_cloud_id: CloudId | None
    address_group: str | None = None


def admitted_traffic(
    *,
    direction: str,
    ethertype: str,
    protocol: str | None,
    port_range_min: int | None,
    port_range_max: int | None,
    remote_ip_prefix: str | None,
    remote_group_cloud_id: CloudId | None,
    address_group: str | None = None,
) -> Traffic:
    """Return the traffic in Neutron's own spelling; raises ValueError for a prefix that is none.

    Names stand for protocol numbers, ICMP on IPv6 is `ipv6-icmp`, all ports are no range, anywhere is no prefix.
    """
    name = None if protocol is None else _PROTOCOL_NAMES.get(protocol.lower(), protocol.lower())
    if name == "icmp" and ethertype == "IPv6":
        name = "ipv6-icmp"
    is_every_port = (port_range_min, port_range_max) == _ALL_PORTS
    prefix = None if remote_ip_prefix is None else ip_network(remote_ip_prefix, strict=False)
    return Traffic(
        direction=direction,
        ethertype=ethertype,
        protocol=None if name in _ALL_PROTOCOLS else name,
        port_range_min=None if is_every_port else port_range_min,
        port_range_max=None if is_every_port else port_range_max,
        remote_ip_prefix=None if prefix is None or prefix.prefixlen == 0 else str(prefix),
        remote_group_cloud_id=remote_group_cloud_id,
        address_group=address_group,
    )


def wanted_traffic(rule: RuleSpec) -> Traffic:
    """Return the traffic of a rule as it is asked for."""
    return admitted_traffic(
        direction=rule.direction,
        ethertype=rule.ethertype,
        protocol=rule.protocol,
        port_range_min=rule.port_range_min,
        port_range_max=rule.port_range_max,
        remote_ip_prefix=rule.remote_ip_prefix,
        remote_group_cloud_id=rule.remote_group_cloud_id,
    )
