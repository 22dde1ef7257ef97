"""Security groups with their rules, and ports, of the tenant's project."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from platforma.clouds.openstack.errors import CloudAnswerInvalid, CloudRefused
from platforma.clouds.openstack.kinds import NETWORKS, PORTS, SECURITY_GROUPS, SUBNETS, required
from platforma.clouds.openstack.ownership import ProjectPart
from platforma.clouds.openstack.resources import (
    CloudId,
    CloudPort,
    CloudSecurityGroup,
    FixedAddress,
    Reference,
    RuleSpec,
    cloud_name,
)
from platforma.clouds.openstack.rules import Traffic, admitted_traffic, wanted_traffic
from platforma.clouds.openstack.translation import at_border

DEFAULT_GROUP = "default"


class SecurityPart(ProjectPart):
    """As `SecurityCloud`."""

    @at_border
    def find_default_security_group(self) -> CloudSecurityGroup | None:
        found = self._list(SECURITY_GROUPS, name=DEFAULT_GROUP)
        return _security_group(found[0]) if found else None

    @at_border
    def ensure_security_group(self, id_: UUID, *, description: str) -> CloudSecurityGroup:
        item = self._find(SECURITY_GROUPS, id_)
        if item is None:
            item = self._connection.network.create_security_group(name=cloud_name(id_), description=description)
            self._converge(self._accept(SECURITY_GROUPS, item), [])
        elif item.description != description:
            item = self._connection.network.update_security_group(item.id, description=description)
        return _security_group(self._accept(SECURITY_GROUPS, item))

    @at_border
    def replace_rules(self, group_cloud_id: CloudId, rules: Sequence[RuleSpec]) -> dict[UUID, CloudId]:
        group = self._read(SECURITY_GROUPS, group_cloud_id)
        remote = {rule.remote_group_cloud_id for rule in rules} - {None, group_cloud_id}
        self._require_own(SECURITY_GROUPS, {each for each in remote if each is not None})
        return self._converge(group, rules)

    @at_border
    def delete_security_group(self, reference: Reference) -> bool:
        return self._delete(SECURITY_GROUPS, reference)

    @at_border
    def ensure_port(
        self,
        id_: UUID,
        *,
        network_cloud_id: CloudId,
        security_group_cloud_ids: Sequence[CloudId],
        allowed_addresses: Sequence[str] = (),
        fixed_addresses: Sequence[str] = (),
    ) -> CloudPort:
        subnets = self._subnets_on(network_cloud_id) if allowed_addresses or fixed_addresses else []
        for address in allowed_addresses:
            _subnet_of(address, subnets)
        fixed_ips = _fixed_ips(fixed_addresses, subnets)
        groups = sorted(set(security_group_cloud_ids))
        item = self._find(PORTS, id_)
        if item is None:
            self._read(NETWORKS, network_cloud_id)
            self._require_own(SECURITY_GROUPS, groups)
            chosen = {"fixed_ips": fixed_ips} if fixed_ips else {}
            made = self._connection.network.create_port(
                name=cloud_name(id_), network_id=network_cloud_id, security_group_ids=groups, **chosen
            )
            item = self._accept(PORTS, made)
        changes: dict[str, Any] = {}
        if not {str(ip_address(each)) for each in fixed_addresses} <= {
            each["ip_address"] for each in item.fixed_ips or []
        }:
            changes["fixed_ips"] = fixed_ips
        if item.is_port_security_enabled is False:
            changes["is_port_security_enabled"] = True
        if sorted(map(_range, pairs_of(item))) != sorted(map(_range, allowed_addresses)):
            changes["allowed_address_pairs"] = [{"ip_address": address} for address in allowed_addresses]
        if item.extra_dhcp_opts:
            changes["extra_dhcp_opts"] = [
                {"opt_name": each["opt_name"], "ip_version": each.get("ip_version", 4), "opt_value": None}
                for each in item.extra_dhcp_opts
            ]
        if changes or sorted(item.security_group_ids or []) != groups:
            self._require_own(SECURITY_GROUPS, groups)
            changes["security_group_ids"] = groups
            item = self._connection.network.update_port(item.id, **changes)
        return _port(self._accept(PORTS, item))

    @at_border
    def get_port(self, cloud_id: CloudId) -> CloudPort:
        return _port(self._read(PORTS, cloud_id))

    @at_border
    def delete_port(self, reference: Reference) -> bool:
        return self._delete(PORTS, reference)

    def _subnets_on(self, network_cloud_id: CloudId) -> list[Any]:
        """Return the subnets that the project has on this network."""
        return [each for each in self._list(SUBNETS) if each.network_id == network_cloud_id]

    def _converge(self, group: Any, rules: Sequence[RuleSpec]) -> dict[UUID, CloudId]:
        """Delete the rules that are not wanted, then add those that are missing, in one request for all."""
        wanted = {wanted_traffic(rule): rule for rule in reversed(rules)}
        present: dict[Traffic, CloudId] = {}
        for rule in required(group.security_group_rules, "rules"):
            traffic = present_traffic(rule)
            if traffic in wanted and traffic not in present:
                present[traffic] = rule["id"]
            else:
                self._connection.network.delete_security_group_rule(rule["id"], ignore_missing=True)
        missing = [_body(group.id, traffic, rule) for traffic, rule in wanted.items() if traffic not in present]
        if missing:
            for made in self._connection.network.create_security_group_rules(missing):
                present[present_traffic(made)] = made["id"]
        if set(present) != set(wanted):
            raise CloudAnswerInvalid("The rules that it made are not those that were asked for.")
        return {rule.id: present[wanted_traffic(rule)] for rule in rules}


def _port(item: Any) -> CloudPort:
    return CloudPort(
        cloud_id=required(item.id, "id"),
        mac=required(item.mac_address, "hardware address"),
        fixed_ips=tuple(
            FixedAddress(subnet_cloud_id=each["subnet_id"], address=each["ip_address"]) for each in item.fixed_ips or []
        ),
        status=required(item.status, "status"),
        server_cloud_id=item.device_id or None,
    )


def _subnet_of(address: str, subnets: Sequence[Any]) -> Any:
    """Return the subnet that an address or range lies in; raises CloudRefused if there is none."""
    wanted = ip_network(address)
    for subnet in subnets:
        own = ip_network(subnet.cidr)
        if wanted.version == own.version and wanted.subnet_of(own):  # type: ignore[arg-type]
            return subnet
    raise CloudRefused(f"{address} is in none of the network's subnets.")


def _fixed_ips(addresses: Sequence[str], subnets: Sequence[Any]) -> list[dict[str, str]]:
    """Return the addresses as Neutron is asked for them, and a subnet of each IP version that none is of."""
    if not addresses:
        return []
    chosen = [{"subnet_id": _subnet_of(each, subnets).id, "ip_address": str(ip_address(each))} for each in addresses]
    versions = {ip_address(each).version for each in addresses}
    for subnet in sorted(subnets, key=lambda each: (each.created_at or "", each.id)):
        if subnet.ip_version not in versions:
            versions.add(subnet.ip_version)
            chosen.append({"subnet_id": subnet.id})
    return chosen


def pairs_of(port: Any) -> list[str]:
    """Return what a port may send from besides; a pair with a MAC of its own is never ours."""
    return [
        str(pair["ip_address"]) if pair.get("mac_address") in (None, port.mac_address) else "0.0.0.0/0"
        for pair in port.allowed_address_pairs or []
    ]


def _range(address: str) -> tuple[int, str]:
    network = ip_network(address, strict=False)
    return network.version, str(network)


def _security_group(item: Any) -> CloudSecurityGroup:
    return CloudSecurityGroup(cloud_id=required(item.id, "id"), name=required(item.name, "name"))


def present_traffic(rule: Any) -> Traffic:
    """Return the traffic of a rule as Neutron or the SDK shows it."""
    protocol = rule["protocol"]
    return admitted_traffic(
        direction=rule["direction"],
        ethertype=rule.get("ethertype") or rule.get("ether_type"),
        protocol=None if protocol is None else str(protocol),
        port_range_min=rule["port_range_min"],
        port_range_max=rule["port_range_max"],
        remote_ip_prefix=rule["remote_ip_prefix"],
        remote_group_cloud_id=rule["remote_group_id"],
        address_group=rule.get("remote_address_group_id"),
    )


def _body(group_cloud_id: CloudId, traffic: Traffic, rule: RuleSpec) -> dict[str, Any]:
    return {
        "security_group_id": group_cloud_id,
        "direction": traffic.direction,
        "ethertype": traffic.ethertype,
        "protocol": traffic.protocol,
        "port_range_min": traffic.port_range_min,
        "port_range_max": traffic.port_range_max,
        "remote_ip_prefix": traffic.remote_ip_prefix,
        "remote_group_id": traffic.remote_group_cloud_id,
        "description": rule.description,
    }
