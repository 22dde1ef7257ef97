"""The walls of tenants' networks, and what is tried against each: requests of one tenant that would open a wall.

Placeholders name what is attacked with: `{network_id}` is the attacker's own, `{their_network_id}` another tenant's,
`{own_address}` an address in a subnet of `{port_network_id}`, the network of the attacker's `{port_id}`.
Each attack stands beside a control that differs in one fact and succeeds, so that no refusal is for another reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REFUSED = 422
"""What cannot even be said: there is no such field, or no such value of it."""
NEVER_EXISTED = 404


@dataclass(frozen=True)
class Wall:
    """One attack over the API, and what the wall answers."""

    id: str
    threat: str
    """As in the catalogue of attacks."""
    attack: str
    method: str
    path: str
    body: Mapping[str, Any]
    expected: int
    control: Mapping[str, Any]


ALSO_PAST_THE_WALL = frozenset(
    {"rule-exists", "has-floating-ip", "address-overlap", "no-way-outside", "on-this-network", "address-taken"}
)
"""Conflicts of a control with what is there already: for them what it names had to be found."""


def fill(value: Any, ids: Mapping[str, str]) -> Any:
    """Return a path or body with the ids in place of their names."""
    if isinstance(value, str):
        return value.format_map(ids)
    if isinstance(value, Mapping):
        return {name: fill(item, ids) for name, item in value.items()}
    return [fill(item, ids) for item in value] if isinstance(value, list) else value


_PORT = "/ports/{port_id}"
_ROUTER = "/routers/{router_id}"
_NEW_PORT: Mapping[str, Any] = {"name": "p", "network_id": "{network_id}"}
_AT: Mapping[str, Any] = {"name": "p", "network_id": "{port_network_id}", "fixed_addresses": ["{own_address}"]}
_RULES = "/security-groups/{security_group_id}/rules"
_SUBNET = {"cidr": "10.77.0.0/24"}
_NETWORK: Mapping[str, Any] = {"name": "probe", "subnets": [_SUBNET]}
_ALLOWED: Mapping[str, Any] = {"allowed_addresses": ["{own_address}"]}
_SSH: Mapping[str, Any] = {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}


def _field(threat: str, what: str, method: str, path: str, control: Mapping[str, Any], **fields: Any) -> Wall:
    """Return the attack with a field that must not exist."""
    (name,) = fields
    return Wall(f"{method} {path} {name}", threat, what, method, path, {**control, **fields}, REFUSED, control)


def _value(threat: str, what: str, path: str, control: Mapping[str, Any], method: str = "POST", **fields: Any) -> Wall:
    """Return the attack with a value that must not be taken."""
    id_ = f"{method} {path} {' '.join(f'{name}={value}' for name, value in fields.items())}"
    return Wall(id_, threat, what, method, path, {**control, **fields}, REFUSED, control)


WALLS: tuple[Wall, ...] = (
    Wall(
        "subnet at another's router",
        "N03",
        "attach a subnet of one's own to another tenant's router",
        "POST",
        "/networks",
        {"name": "probe", "subnets": [{**_SUBNET, "router_id": "{their_router_id}"}]},
        NEVER_EXISTED,
        {"name": "probe", "subnets": [{**_SUBNET, "router_id": "{router_id}"}]},
    ),
    Wall(
        "subnet on another's network",
        "N03",
        "put an address range on another tenant's network",
        "POST",
        "/networks/{their_network_id}/subnets",
        _SUBNET,
        NEVER_EXISTED,
        _SUBNET,
    ),
    Wall(
        "server on another's network",
        "N03",
        "make a server on another tenant's network",
        "POST",
        "/servers",
        {"name": "p", "flavor_id": "{flavor_id}", "image_id": "{image_id}", "network_ids": ["{their_network_id}"]},
        NEVER_EXISTED,
        {"name": "p", "flavor_id": "{flavor_id}", "image_id": "{image_id}", "network_ids": ["{network_id}"]},
    ),
    Wall(
        "interface on another's network",
        "N03",
        "put a server of one's own on another tenant's network",
        "POST",
        "/servers/{server_id}/interfaces",
        {"network_id": "{their_network_id}"},
        NEVER_EXISTED,
        {"network_id": "{network_id}"},
    ),
    Wall(
        "interface of another's server",
        "N03",
        "put another tenant's server on a network of one's own",
        "POST",
        "/servers/{their_server_id}/interfaces",
        {"network_id": "{network_id}"},
        NEVER_EXISTED,
        {"network_id": "{network_id}"},
    ),
    Wall(
        "port on another's network",
        "N03",
        "make a port on another tenant's network",
        "POST",
        "/ports",
        {"name": "p", "network_id": "{their_network_id}"},
        NEVER_EXISTED,
        _NEW_PORT,
    ),
    Wall(
        "another's port at one's server",
        "N03",
        "attach another tenant's port to a server of one's own",
        "POST",
        "/ports/{their_free_port_id}/attach",
        {"server_id": "{server_id}"},
        NEVER_EXISTED,
        {"server_id": "{server_id}"},
    ),
    Wall(
        "one's port at another's server",
        "N03",
        "attach a port of one's own to another tenant's server",
        "POST",
        "/ports/{free_port_id}/attach",
        {"server_id": "{their_server_id}"},
        NEVER_EXISTED,
        {"server_id": "{server_id}"},
    ),
    Wall(
        "another's group on one's port",
        "N08",
        "put another tenant's security group on a port of one's own",
        "PATCH",
        _PORT,
        {"security_group_ids": ["{their_security_group_id}"]},
        NEVER_EXISTED,
        {"security_group_ids": ["{security_group_id}"]},
    ),
    Wall(
        "floating IP to another's port",
        "N03",
        "lead a floating IP to another tenant's server",
        "POST",
        "/floating-ips",
        {"name": "p", "port_id": "{their_port_id}"},
        NEVER_EXISTED,
        {"name": "p", "port_id": "{port_id}"},
    ),
    Wall(
        "another's port",
        "N04",
        "let another tenant's port send from elsewhere",
        "PATCH",
        "/ports/{their_port_id}",
        _ALLOWED,
        NEVER_EXISTED,
        _ALLOWED,
    ),
    Wall(
        "remote group of another",
        "N08",
        "admit the servers of another tenant's security group",
        "POST",
        _RULES,
        {"remote_group_id": "{their_security_group_id}"},
        NEVER_EXISTED,
        {"remote_group_id": "{security_group_id}"},
    ),
    _value("N04", "send from every address", _PORT, _ALLOWED, "PATCH", allowed_addresses=["0.0.0.0/0"]),
    _value("N04", "send from every IPv6 address", _PORT, _ALLOWED, "PATCH", allowed_addresses=["::/0"]),
    _value("N04", "send from another network's range", _PORT, _ALLOWED, "PATCH", allowed_addresses=["10.99.0.0/24"]),
    _value("N04", "send from more than one's subnet", _PORT, _ALLOWED, "PATCH", allowed_addresses=["10.6.0.0/15"]),
    _value("N04", "have an address of nobody's", "/ports", _AT, fixed_addresses=["10.99.0.9"]),
    _field("N04", "make a port without security", "POST", "/ports", _NEW_PORT, port_security_enabled=False),
    _field("N04", "choose the MAC address", "POST", "/ports", _NEW_PORT, mac_address="fa:16:3e:00:00:01"),
    _field("N04", "make a router's port", "POST", "/ports", _NEW_PORT, device_owner="network:router_gateway"),
    _field("N04", "switch port security off", "PATCH", _PORT, _ALLOWED, port_security_enabled=False),
    _field("N04", "take another MAC address", "PATCH", _PORT, _ALLOWED, mac_address="fa:16:3e:00:00:01"),
    _field("N04", "tell servers more by DHCP", "PATCH", _PORT, _ALLOWED, extra_dhcp_opts=[{"opt_name": "router"}]),
    _field("N04", "be a router's port", "PATCH", _PORT, _ALLOWED, device_owner="network:router_interface"),
    _field("N04", "switch a network's port security off", "POST", "/networks", _NETWORK, port_security_enabled=False),
    _field("N03", "share a network with everybody", "POST", "/networks", _NETWORK, shared=True),
    _field("N03", "make a provider network", "POST", "/networks", _NETWORK, provider_physical_network="physnet1"),
    _field("N03", "make an external network", "POST", "/networks", _NETWORK, router_external=True),
    _field(
        "N03", "make a network in another's project", "POST", "/networks", _NETWORK, project_id="{their_network_id}"
    ),
    _field("N10", "route to another's subnet", "PATCH", _ROUTER, {"name": "p"}, routes=[{"nexthop": "203.0.113.1"}]),
    _field("N10", "choose the external network", "PATCH", _ROUTER, {"name": "p"}, external_network_id="{network_id}"),
    _field("N10", "tell servers routes", "POST", "/networks/{network_id}/subnets", _SUBNET, host_routes=[]),
    _value("N05", "a port range without a protocol", _RULES, _SSH, protocol=None),
    _value("N05", "a range from high to low", _RULES, _SSH, port_range_min=23),
    _value("N05", "ports beyond the last", _RULES, _SSH, port_range_max=65536),
    _value("N05", "a protocol with words in it", _RULES, _SSH, protocol="tcp -j ACCEPT"),
    _value("N05", "an IPv6 prefix in an IPv4 rule", _RULES, _SSH, remote_ip_prefix="::/0"),
    _value("N05", "a prefix with host bits", _RULES, _SSH, remote_ip_prefix="10.0.0.1/8"),
    _value("N05", "IPv6's ICMP in an IPv4 rule", _RULES, _SSH, protocol="ipv6-icmp"),
    _value("N05", "a description with a zero byte", _RULES, _SSH, description="a\x00b"),
)
