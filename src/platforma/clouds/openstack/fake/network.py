"""Networks, subnets, routers, floating IPs, security groups and ports of the fake cloud."""

import ipaddress
from collections.abc import Sequence
from uuid import UUID, uuid4

from platforma.clouds.openstack.errors import CloudConflict, CloudNotFound, CloudQuotaExceeded, CloudRefused
from platforma.clouds.openstack.fake.parts import FakeProjectPart
from platforma.clouds.openstack.fake.state import FakeObject, cloud_call, refuse_if
from platforma.clouds.openstack.resources import (
    CloudFloatingIp,
    CloudId,
    CloudKind,
    CloudNetwork,
    CloudPort,
    CloudRouter,
    CloudSecurityGroup,
    CloudSubnet,
    FixedAddress,
    Ipv6Mode,
    Reference,
    RuleSpec,
)
from platforma.clouds.openstack.rules import wanted_traffic

DEFAULT_GROUP = "default"


class FakeNetworkPart(FakeProjectPart):
    """As `NetworkCloud`."""

    @cloud_call
    def ensure_network(self, id_: UUID, *, description: str) -> CloudNetwork:
        item, _ = self._ensure(CloudKind.NETWORK, id_)
        item.attributes |= {"description": description, "secured": True, "shares": {}}
        return CloudNetwork(cloud_id=item.cloud_id, status="ACTIVE", mtu=1450)

    @cloud_call
    def delete_network(self, reference: Reference) -> bool:
        def delete(network: FakeObject) -> None:
            refuse_if(
                bool(self._ports_on(network.cloud_id)), "There are one or more ports still in use on the network."
            )
            for subnet in self._list(CloudKind.SUBNET):
                if subnet.attributes["network"] == network.cloud_id:
                    self._refuse_if_attached(subnet)
                    self.state.remove(subnet)
            self.state.remove(network)

        return self._delete(CloudKind.NETWORK, reference, delete)

    @cloud_call
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
        network = self._get(CloudKind.NETWORK, network_cloud_id)
        addresses = ipaddress.ip_network(cidr)
        if addresses.version != ip_version:
            raise CloudRefused(f"{cidr} is not of IP version {ip_version}.")
        gateway = gateway_ip or str(addresses.network_address + 1)
        item, is_new = self._ensure(CloudKind.SUBNET, id_, network=network.cloud_id, cidr=cidr, used=1)
        item.attributes.setdefault("ipv6_mode", ipv6_mode if ip_version == 6 and has_dhcp else None)
        if is_new and self._overlaps(item):
            self.state.remove(item)
            raise CloudRefused(f"{cidr} overlaps with another subnet of the network.")
        item.attributes |= {
            "gateway": gateway,
            "has_dhcp": has_dhcp,
            "dns_nameservers": list(dns_nameservers),
            "description": description,
            "host_routes": (),
        }
        return CloudSubnet(cloud_id=item.cloud_id, cidr=item.attributes["cidr"], gateway_ip=gateway)

    @cloud_call
    def delete_subnet(self, reference: Reference) -> bool:
        def delete(subnet: FakeObject) -> None:
            self._refuse_if_attached(subnet)
            is_used = any(
                address.subnet_cloud_id == subnet.cloud_id
                for port in self._list(CloudKind.PORT)
                for address in port.attributes["fixed_ips"]
            )
            refuse_if(is_used, "One or more ports have an IP allocation from this subnet.")
            self.state.remove(subnet)

        return self._delete(CloudKind.SUBNET, reference, delete)

    @cloud_call
    def ensure_router(self, id_: UUID, *, has_external_gateway: bool, description: str) -> CloudRouter:
        item, _ = self._ensure(CloudKind.ROUTER, id_, subnets=set(), address=None)
        if not has_external_gateway:
            item.attributes["address"] = None
        elif item.attributes["address"] is None:
            item.attributes["address"] = f"203.0.113.{10 + len(self.state.objects) % 200}"
        item.attributes |= {"description": description, "routes": ()}
        return CloudRouter(cloud_id=item.cloud_id, status="ACTIVE", external_address=item.attributes["address"])

    @cloud_call
    def delete_router(self, reference: Reference) -> bool:
        return self._delete(CloudKind.ROUTER, reference, self.state.remove)

    @cloud_call
    def list_router_subnets(self, router_cloud_id: CloudId) -> set[CloudId]:
        return set(self._get(CloudKind.ROUTER, router_cloud_id).attributes["subnets"])

    @cloud_call
    def attach_subnet(self, router_cloud_id: CloudId, subnet_cloud_id: CloudId) -> None:
        router = self._get(CloudKind.ROUTER, router_cloud_id)
        subnet = self._get(CloudKind.SUBNET, subnet_cloud_id)
        if subnet_cloud_id not in router.attributes["subnets"]:
            self._refuse_if_attached(subnet)
            router.attributes["subnets"].add(subnet_cloud_id)

    @cloud_call
    def detach_subnet(self, router_cloud_id: CloudId, subnet_cloud_id: CloudId) -> None:
        self._get(CloudKind.ROUTER, router_cloud_id).attributes["subnets"].discard(subnet_cloud_id)

    @cloud_call
    def ensure_floating_ip(self, id_: UUID, *, port_cloud_id: CloudId | None) -> CloudFloatingIp:
        port = None if port_cloud_id is None else self._get(CloudKind.PORT, port_cloud_id)
        item, is_new = self._ensure(CloudKind.FLOATING_IP, id_, status="DOWN", port=None)
        if is_new:
            item.attributes["address"] = f"198.51.100.{10 + len(self.state.objects) % 200}"
        if port is not None and item.attributes["port"] != port_cloud_id:
            self._refuse_without_way(port)
            others = [each for each in self._list(CloudKind.FLOATING_IP) if each is not item]
            refuse_if(any(each.attributes["port"] == port_cloud_id for each in others), "It has a floating IP.")
        item.attributes["port"] = port_cloud_id
        return CloudFloatingIp(cloud_id=item.cloud_id, address=item.attributes["address"], port_cloud_id=port_cloud_id)

    @cloud_call
    def delete_floating_ip(self, reference: Reference) -> bool:
        return self._delete(CloudKind.FLOATING_IP, reference, self.state.remove)

    def _refuse_without_way(self, port: FakeObject) -> None:
        """Raise as Neutron does if no router leads outside from the port's first IPv4 subnet, or it has none."""
        fixed = [address for address in port.attributes["fixed_ips"] if ":" not in address.address]
        if not fixed:
            raise CloudRefused("The port has no IPv4 address.")
        routers = self._list(CloudKind.ROUTER)
        subnet = fixed[0].subnet_cloud_id
        if not any(subnet in each.attributes["subnets"] and each.attributes["address"] for each in routers):
            raise CloudNotFound("External network is not reachable from the subnet.")

    def _ports_on(self, network_cloud_id: CloudId) -> list[FakeObject]:
        return [port for port in self._list(CloudKind.PORT) if port.attributes["network"] == network_cloud_id]

    def _overlaps(self, subnet: FakeObject) -> bool:
        cidr = ipaddress.ip_network(subnet.attributes["cidr"])
        return any(
            other is not subnet
            and other.attributes["network"] == subnet.attributes["network"]
            and cidr.overlaps(ipaddress.ip_network(other.attributes["cidr"]))
            for other in self._list(CloudKind.SUBNET)
        )

    def _refuse_if_attached(self, subnet: FakeObject) -> None:
        routers = self._list(CloudKind.ROUTER)
        is_attached = any(subnet.cloud_id in router.attributes["subnets"] for router in routers)
        refuse_if(is_attached, "A router has an interface on this subnet.")


class FakeSecurityPart(FakeProjectPart):
    """As `SecurityCloud`. A group's rules are a dictionary from cloud id to the rule as it was asked for.

    Its `foreign_rules` are an administrator's, and nothing that the tenant's credential may do takes them away.
    """

    @cloud_call
    def find_default_security_group(self) -> CloudSecurityGroup | None:
        groups = [item for item in self._list(CloudKind.SECURITY_GROUP) if item.name == DEFAULT_GROUP]
        return CloudSecurityGroup(groups[0].cloud_id, DEFAULT_GROUP) if groups else None

    @cloud_call
    def ensure_security_group(self, id_: UUID, *, description: str) -> CloudSecurityGroup:
        item, _ = self._ensure(CloudKind.SECURITY_GROUP, id_, status=None, rules={})
        item.attributes["description"] = description
        return CloudSecurityGroup(cloud_id=item.cloud_id, name=item.name)

    @cloud_call
    def replace_rules(self, group_cloud_id: CloudId, rules: Sequence[RuleSpec]) -> dict[UUID, CloudId]:
        group = self._get(CloudKind.SECURITY_GROUP, group_cloud_id)
        for rule in rules:
            if rule.remote_group_cloud_id is not None:
                self._get(CloudKind.SECURITY_GROUP, rule.remote_group_cloud_id)
        quota = self.state.quotas.get(self.project_id, {}).get("security_group_rules")
        if quota is not None and len(rules) > quota:
            raise CloudQuotaExceeded(f"security_group_rules: {quota}.")
        present = {wanted_traffic(rule): cloud_id for cloud_id, rule in group.attributes["rules"].items()}
        ids = {wanted_traffic(rule): present.get(wanted_traffic(rule)) or str(uuid4()) for rule in rules}
        group.attributes["rules"] = {ids[wanted_traffic(rule)]: rule for rule in rules}
        return {rule.id: ids[wanted_traffic(rule)] for rule in rules}

    @cloud_call
    def delete_security_group(self, reference: Reference) -> bool:
        def delete(group: FakeObject) -> None:
            ports = self._list(CloudKind.PORT)
            refuse_if(any(group.cloud_id in port.attributes["groups"] for port in ports), "Security Group is in use.")
            refuse_if(group.name == DEFAULT_GROUP, "Removing default security group not allowed.")
            self.state.remove(group)

        return self._delete(CloudKind.SECURITY_GROUP, reference, delete)

    @cloud_call
    def ensure_port(
        self,
        id_: UUID,
        *,
        network_cloud_id: CloudId,
        security_group_cloud_ids: Sequence[CloudId],
        allowed_addresses: Sequence[str] = (),
        fixed_addresses: Sequence[str] = (),
    ) -> CloudPort:
        network = self._get(CloudKind.NETWORK, network_cloud_id)
        for address in (*allowed_addresses, *fixed_addresses):
            self._subnet_of(network, address)
        for group in security_group_cloud_ids:
            self._get(CloudKind.SECURITY_GROUP, group)
        item, is_new = self._ensure(CloudKind.PORT, id_, status="DOWN", network=network.cloud_id, fixed_ips=[])
        if is_new:
            item.attributes["server"] = None
        if is_new or not set(fixed_addresses) <= {each.address for each in item.attributes["fixed_ips"]}:
            self._refuse_taken(network, item, fixed_addresses)
            item.attributes["fixed_ips"] = self._allocate(network, fixed_addresses)
        if is_new:
            item.attributes["mac"] = f"fa:16:3e:{int(item.cloud_id[:2], 16):02x}:{len(self.state.objects) % 256:02x}:01"
        item.attributes["groups"] = set(security_group_cloud_ids)
        item.attributes |= {"allowed": list(allowed_addresses), "secured": True, "dhcp_options": ()}
        return _port(item)

    @cloud_call
    def get_port(self, cloud_id: CloudId) -> CloudPort:
        return _port(self._get(CloudKind.PORT, cloud_id))

    @cloud_call
    def delete_port(self, reference: Reference) -> bool:
        def delete(port: FakeObject) -> None:
            for floating in self._list(CloudKind.FLOATING_IP):
                if floating.attributes.get("port") == port.cloud_id:
                    floating.attributes["port"] = None
            self.state.remove(port)

        return self._delete(CloudKind.PORT, reference, delete)

    def _ports_of(self, network: FakeObject) -> list[FakeObject]:
        return [each for each in self._list(CloudKind.PORT) if each.attributes["network"] == network.cloud_id]

    def _subnets_on(self, network: FakeObject) -> list[FakeObject]:
        return [each for each in self._list(CloudKind.SUBNET) if each.attributes["network"] == network.cloud_id]

    def _subnet_of(self, network: FakeObject, address: str) -> FakeObject:
        """Return the subnet that an address or range lies in; raises CloudRefused if there is none."""
        wanted = ipaddress.ip_network(address)
        for subnet in self._subnets_on(network):
            own = ipaddress.ip_network(subnet.attributes["cidr"])
            if wanted.version == own.version and wanted.subnet_of(own):  # type: ignore[arg-type]
                return subnet
        raise CloudRefused(f"{address} is in none of the network's subnets.")

    def _refuse_taken(self, network: FakeObject, port: FakeObject, addresses: Sequence[str]) -> None:
        """Raise CloudRefused if another port of the network has one of these addresses. The port goes."""
        taken = {
            fixed.address
            for other in self._ports_of(network)
            if other is not port
            for fixed in other.attributes["fixed_ips"]
        }
        for address in addresses:
            if address in taken:
                if not port.attributes["fixed_ips"]:
                    self.state.remove(port)
                raise CloudRefused(f"IP address {address} already allocated in subnet.")

    def _allocate(self, network: FakeObject, chosen: Sequence[str] = ()) -> list[FixedAddress]:
        """Return the chosen addresses, and one of each subnet of an IP version that none is of."""
        addresses = [FixedAddress(self._subnet_of(network, each).cloud_id, each) for each in chosen]
        versions = {":" in each for each in chosen}
        taken = {each.address for port in self._ports_of(network) for each in port.attributes["fixed_ips"]}
        for subnet in self._subnets_on(network):
            if (":" in subnet.attributes["cidr"]) in versions:
                continue
            first = ipaddress.ip_network(subnet.attributes["cidr"]).network_address
            while True:
                subnet.attributes["used"] += 1
                address = str(first + subnet.attributes["used"])
                if address == subnet.attributes["gateway"]:
                    raise CloudConflict("No more IP addresses available.")
                if address not in taken:
                    break
            addresses.append(FixedAddress(subnet_cloud_id=subnet.cloud_id, address=address))
        return addresses


def _port(item: FakeObject) -> CloudPort:
    return CloudPort(
        cloud_id=item.cloud_id,
        mac=item.attributes["mac"],
        fixed_ips=tuple(item.attributes["fixed_ips"]),
        status=str(item.status),
        server_cloud_id=item.attributes["server"],
    )
