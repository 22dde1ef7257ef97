"""Networks, subnets, routers and floating IPs of the tenant's project."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from platforma.clouds.openstack.errors import CloudRefused
from platforma.clouds.openstack.kinds import FLOATING_IPS, NETWORKS, PORTS, ROUTERS, SUBNETS, required
from platforma.clouds.openstack.ownership import ProjectPart
from platforma.clouds.openstack.resources import (
    CloudFloatingIp,
    CloudId,
    CloudNetwork,
    CloudRouter,
    CloudSubnet,
    Ipv6Mode,
    Reference,
    cloud_name,
)
from platforma.clouds.openstack.translation import at_border

ROUTER_INTERFACES = (
    "network:router_interface",
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
)
"""Owners of the ports by which a router is on a subnet (Neutron's plain, distributed and HA routers)."""


class NetworkPart(ProjectPart):
    """As `NetworkCloud`."""

    _external_network_id: CloudId | None = None

    @at_border
    def ensure_network(self, id_: UUID, *, description: str) -> CloudNetwork:
        item = self._find(NETWORKS, id_)
        if item is None:
            made = self._connection.network.create_network(name=cloud_name(id_), description=description)
            item = self._accept(NETWORKS, made)
        else:
            self._unshare(item.id)
        changes = _differences(item, {"description": description, "is_admin_state_up": True})
        if item.is_port_security_enabled is False:
            changes["is_port_security_enabled"] = True
        if changes:
            item = self._connection.network.update_network(item.id, **changes)
        self._accept(NETWORKS, item)
        return CloudNetwork(cloud_id=required(item.id, "id"), status=required(item.status, "status"), mtu=item.mtu)

    @at_border
    def delete_network(self, reference: Reference) -> bool:
        return self._delete(NETWORKS, reference)

    @at_border
    def ensure_subnet(
        self,
        id_: UUID,
        *,
        network_cloud_id: CloudId,
        cidr: str,
        ip_version: int,
        gateway_ip: str | None,
        has_dhcp: bool,
        dns_nameservers: Sequence[str],
        description: str,
        ipv6_mode: Ipv6Mode = "slaac",
    ) -> CloudSubnet:
        wanted: dict[str, Any] = {
            "description": description,
            "is_dhcp_enabled": has_dhcp,
            "dns_nameservers": [str(ip_address(each)) for each in dns_nameservers],
            "gateway_ip": str(ip_address(gateway_ip) if gateway_ip else ip_network(cidr).network_address + 1),
        }
        item = self._find(SUBNETS, id_)
        if item is None:
            self._read(NETWORKS, network_cloud_id)
            if ip_version == 6 and has_dhcp:
                wanted |= {"ipv6_address_mode": ipv6_mode, "ipv6_ra_mode": ipv6_mode}
            item = self._connection.network.create_subnet(
                name=cloud_name(id_), network_id=network_cloud_id, cidr=cidr, ip_version=ip_version, **wanted
            )
        elif changes := _differences(item, {**wanted, "host_routes": []}):
            item = self._connection.network.update_subnet(item.id, **changes)
        self._accept(SUBNETS, item)
        return CloudSubnet(
            cloud_id=required(item.id, "id"), cidr=required(item.cidr, "range"), gateway_ip=item.gateway_ip
        )

    @at_border
    def delete_subnet(self, reference: Reference) -> bool:
        return self._delete(SUBNETS, reference)

    @at_border
    def ensure_router(self, id_: UUID, *, has_external_gateway: bool, description: str) -> CloudRouter:
        gateway = {"network_id": self._external_network()} if has_external_gateway else {}
        item = self._find(ROUTERS, id_)
        if item is None:
            wanted = {"external_gateway_info": gateway} if gateway else {}
            item = self._connection.network.create_router(name=cloud_name(id_), description=description, **wanted)
        else:
            changes = _differences(item, {"description": description, "is_admin_state_up": True})
            if (item.external_gateway_info or {}).get("network_id") != gateway.get("network_id"):
                changes["external_gateway_info"] = gateway
            if item.routes:
                changes["routes"] = []
            if changes:
                item = self._connection.network.update_router(item.id, **changes)
        self._accept(ROUTERS, item)
        return CloudRouter(
            cloud_id=required(item.id, "id"),
            status=required(item.status, "status"),
            external_address=_external_address(item),
        )

    @at_border
    def delete_router(self, reference: Reference) -> bool:
        def delete(router: Any) -> bool:
            if router.routes:
                self._connection.network.update_router(router.id, routes=[])
            for subnet in self._subnets_of(router.id):
                self._connection.network.remove_interface_from_router(router.id, subnet=subnet)
            return self._delete_at_once(ROUTERS, router)

        return self._delete(ROUTERS, reference, delete)

    @at_border
    def list_router_subnets(self, router_cloud_id: CloudId) -> set[CloudId]:
        self._read(ROUTERS, router_cloud_id)
        return self._subnets_of(router_cloud_id)

    @at_border
    def attach_subnet(self, router_cloud_id: CloudId, subnet_cloud_id: CloudId) -> None:
        self._read(ROUTERS, router_cloud_id)
        self._read(SUBNETS, subnet_cloud_id)
        if subnet_cloud_id not in self._subnets_of(router_cloud_id):
            self._connection.network.add_interface_to_router(router_cloud_id, subnet=subnet_cloud_id)

    @at_border
    def detach_subnet(self, router_cloud_id: CloudId, subnet_cloud_id: CloudId) -> None:
        self._read(ROUTERS, router_cloud_id)
        if subnet_cloud_id in self._subnets_of(router_cloud_id):
            self._connection.network.remove_interface_from_router(router_cloud_id, subnet=subnet_cloud_id)

    @at_border
    def ensure_floating_ip(self, id_: UUID, *, port_cloud_id: CloudId | None) -> CloudFloatingIp:
        port = None if port_cloud_id is None else self._read(PORTS, port_cloud_id)
        item = self._find(FLOATING_IPS, id_)
        if item is None:
            item = self._connection.network.create_ip(
                floating_network_id=self._external_network(), description=cloud_name(id_)
            )
            self._accept(FLOATING_IPS, item)
        if (item.port_id or None) != port_cloud_id:
            wanted = {"port_id": port_cloud_id}
            if port is not None:
                wanted["fixed_ip_address"] = _first_ipv4(port)
            item = self._accept(FLOATING_IPS, self._connection.network.update_ip(item.id, **wanted))
        return CloudFloatingIp(
            cloud_id=required(item.id, "id"),
            address=required(item.floating_ip_address, "address"),
            port_cloud_id=item.port_id or None,
        )

    @at_border
    def delete_floating_ip(self, reference: Reference) -> bool:
        return self._delete(FLOATING_IPS, reference)

    def _subnets_of(self, router_cloud_id: CloudId) -> set[CloudId]:
        ports = self._connection.network.ports(device_id=router_cloud_id, project_id=self.project_id)
        return {
            str(address["subnet_id"])
            for port in ports
            if port.device_owner in ROUTER_INTERFACES and self._owns(PORTS, port)
            for address in port.fixed_ips or []
        }

    def _external_network(self) -> CloudId:
        """Return the id of the network that leads outside. It is the operator's, and the only one that is not ours."""
        name = self._opened.settings.external_network
        if name is None:
            raise CloudRefused("No external network is configured.")
        if self._external_network_id is None:
            found = list(self._connection.network.networks(name=name, is_router_external=True))
            if not found:
                raise CloudRefused("The external network is not there.")
            self._external_network_id = str(required(found[0].id, "id"))
        return self._external_network_id

    def _unshare(self, network_cloud_id: CloudId) -> None:
        """Take back whatever grants others access to the network."""
        for policy in self._connection.network.rbac_policies(object_id=network_cloud_id):
            if policy.project_id == self.project_id:
                self._connection.network.delete_rbac_policy(policy.id)


def _differences(item: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if (getattr(item, name) or None) != (value or None)}


def _first_ipv4(port: Any) -> str:
    for each in port.fixed_ips or []:
        if ip_address(each["ip_address"]).version == 4:
            return str(each["ip_address"])
    raise CloudRefused("The port has no IPv4 address.")


def _external_address(router: Any) -> str | None:
    """Return the router's address outside; of several the IPv4 one, which is what people look for."""
    addresses = [
        str(each["ip_address"])
        for each in (router.external_gateway_info or {}).get("external_fixed_ips", [])
        if each.get("ip_address")
    ]
    return min(addresses, key=lambda address: ip_address(address).version, default=None)
