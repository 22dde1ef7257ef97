"""What the tenants have: identical ranges, guests on both hypervisors, floating IPs, made through Platforma's API."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lab.cloud import Cloud
from lab.errors import LabError
from lab.guests import Guest, Guests
from lab.layout import HOSTS, PRIVATE_V4, PRIVATE_V6
from lab.processes import wait_until
from lab.tenants import Tenant

OPEN = "open"
"""The security group that admits everything, for the controls."""
_OPEN_RULES = [{"direction": "ingress", "ethertype": ethertype} for ethertype in ("IPv4", "IPv6")]
_WIRED_SECONDS = 120.0


@dataclass
class Side:
    """A tenant with its network, guests and floating IPs, each by its name."""

    tenant: Tenant
    network: dict[str, Any]
    router: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    guests: dict[str, Guest] = field(default_factory=dict)
    floating: dict[str, str] = field(default_factory=dict)
    gateway_mac: str = ""
    """Of the tenant's router, inside."""
    router_cloud_id: str = ""
    external_mac: str = ""
    """Of the tenant's router, outside."""
    external: dict[int, str] = field(default_factory=dict)
    """The router's addresses outside, by family."""

    def port_id(self, guest: str) -> str:
        """Return Platforma's id of a guest's port."""
        found: list[Any] = self.tenant.list(f"/ports?server_id={self.servers[guest]['id']}")
        return str(found[0]["id"])


GUESTS = {
    "A": {"a1": (0, "default"), "a2": (1, "default"), "a3": (0, "default")},
    "B": {"b1": (0, "default"), "b2": (1, "default"), "open1": (0, OPEN), "open2": (1, OPEN)},
}
"""Each tenant's guests: on which hypervisor, and in which security group."""
FLOATING = {"A": ("a1",), "B": ("b1", "b2", "open1", "open2")}


def furnish(tenant: Tenant, cloud: Cloud, guests: Guests) -> Side:
    """Make what a tenant has, as its owner."""
    groups = {
        "default": next(each for each in tenant.list("/security-groups") if each["is_default"]),
        OPEN: tenant.make("/security-groups", {"name": OPEN, "rules": _OPEN_RULES}),
    }
    router = tenant.make("/routers", {"name": "lab"})
    subnets = [{"cidr": str(cidr), "router_id": router["id"]} for cidr in (PRIVATE_V4, PRIVATE_V6)]
    network = tenant.make("/networks", {"name": "lab", "subnets": subnets})
    side = Side(tenant, network, tenant.api.get(f"/routers/{router['id']}"), groups)
    flavor, image = tenant.list("/flavors")[0]["id"], tenant.list("/images")[0]["id"]

    def make(name: str) -> None:
        place, group = GUESTS[tenant.name][name]
        called = f"{name}-{HOSTS[place]}"
        body = {
            "name": called,
            "flavor_id": flavor,
            "image_id": image,
            "network_ids": [network["id"]],
            "security_group_ids": [groups[group]["id"]],
        }
        side.servers[name] = tenant.make("/servers", body)
        side.guests[name] = guests.find(called)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, GUESTS[tenant.name]))
    for name in FLOATING[tenant.name]:
        made = tenant.make("/floating-ips", {"name": name, "port_id": side.port_id(name)})
        side.floating[name] = tenant.api.get(f"/floating-ips/{made['id']}")["address"]
    _find_router(side, cloud, next(iter(side.guests.values())).network_id)
    return side


def wait_until_wired(cloud: Cloud, *sides: Side) -> None:
    """Return when Neutron says of all ports that they are active, which alone proves nothing: the controls do."""
    ports = [guest.port_id for side in sides for guest in side.guests.values()]
    wait_until(
        "all ports are active", _WIRED_SECONDS, lambda: all(cloud.port(port)["status"] == "ACTIVE" for port in ports)
    )


def _find_router(side: Side, cloud: Cloud, network_id: str) -> None:
    inner = cloud.get("network", "/v2.0/ports", network_id=network_id, device_owner="network:router_interface")["ports"]
    for port in inner:
        if any(":" not in each["ip_address"] for each in port["fixed_ips"]):
            side.gateway_mac, side.router_cloud_id = port["mac_address"], port["device_id"]
    outer = cloud.get("network", "/v2.0/ports", device_id=side.router_cloud_id, device_owner="network:router_gateway")[
        "ports"
    ]
    if not side.router_cloud_id or not outer:
        raise LabError("The tenant's router is not on its network, or does not lead outside.")
    side.external_mac = outer[0]["mac_address"]
    side.external = {6 if ":" in each["ip_address"] else 4: each["ip_address"] for each in outer[0]["fixed_ips"]}
