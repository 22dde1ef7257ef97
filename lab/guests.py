"""Guests: network namespaces that are plugged into ports as a hypervisor plugs servers."""

import threading
from dataclasses import dataclass
from typing import Any

from lab import hypervisors
from lab.captures import Wire
from lab.frames import Packet, Protocol
from lab.layout import PRIVATE_V4, PRIVATE_V6, bridge_of, tap_of


@dataclass(frozen=True)
class Guest:
    """A guest at its port."""

    namespace: str
    name: str
    host: str
    port_id: str
    network_id: str
    mac: str
    v4: str
    v6: str
    wire: Wire

    def address(self, family: int) -> str:
        """Return its address of a family."""
        return self.v4 if family == 4 else self.v6

    def packet(self, protocol: Protocol, target: str, target_mac: str, source: str | None = None) -> Packet:
        """Return a packet from this guest."""
        own = source or self.address(6 if ":" in target else 4)
        return Packet(own, target, self.mac, target_mac, protocol)


class Guests:
    """All guests, by their names."""

    def __init__(self) -> None:
        self._by_name: dict[str, Guest] = {}
        self._lock = threading.Lock()

    def plug(self, namespace: str, name: str, host: str, port: dict[str, Any]) -> Guest:
        """Plug a guest into a port of Neutron's, with the addresses that the port has."""
        with self._lock:
            tap, bridge = tap_of(port["id"]), bridge_of(port["network_id"])
            hypervisors.plug(namespace, host, tap=tap, bridge=bridge, mac=port["mac_address"])
            own = {6 if ":" in each["ip_address"] else 4: each["ip_address"] for each in port["fixed_ips"]}
            with_gateway = [
                (own[version], cidr.prefixlen, str(cidr[1]))
                for version, cidr in ((4, PRIVATE_V4), (6, PRIVATE_V6))
                if version in own
            ]
            hypervisors.address(namespace, *with_gateway)
            guest = Guest(
                namespace,
                name,
                host,
                port["id"],
                port["network_id"],
                port["mac_address"],
                own.get(4, ""),
                own.get(6, ""),
                Wire(namespace),
            )
            self._by_name[name] = guest
            return guest

    def unplug(self, guest: Guest) -> None:
        """Take a guest away."""
        with self._lock:
            guest.wire.close()
            hypervisors.unplug(guest.namespace, guest.host, tap_of(guest.port_id))
            self._by_name.pop(guest.name, None)

    def find(self, name: str) -> Guest:
        """Return a guest."""
        return self._by_name[name]
