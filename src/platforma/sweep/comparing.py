"""The comparison: what is in the project, against what should be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from platforma.clouds.openstack.resources import CloudId, CloudKind
from platforma.clouds.openstack.rules import Traffic
from platforma.clouds.openstack.survey import CloudSurvey, SurveyedPort
from platforma.network.models import Network, Subnet
from platforma.sweep.expecting import Expected, Wanted
from platforma.sweep.kinds import OPENINGS, DriftKind

DEFAULT_GROUP = "default"
_SERVER_ITEMS = {"ACTIVE": "server.running", "SHUTOFF": "server.stopped"}
"""What a server is metered as, by Nova's status; of others nothing is said."""


@dataclass(frozen=True)
class Drift:
    """One difference. It is mended by reconciling `resource`, or else by taking `cloud_id` away."""

    kind: DriftKind
    cloud_id: CloudId
    subject: str
    evidence: dict[str, Any] = field(compare=False)
    resource: Wanted | None = field(default=None, compare=False)
    object_kind: CloudKind | None = field(default=None, compare=False)
    """Of what to take away; None for a share, and for a volume that is at a server."""
    server_cloud_id: CloudId | None = field(default=None, compare=False)
    """The server that the volume `cloud_id` is to be taken away from."""

    is_under_way: bool = field(default=False, compare=False)
    """Whether work goes on at something else that it is about."""

    @property
    def is_settled(self) -> bool:
        """Say whether nothing is being done about it: with a resource in error, a wall that is open stays so."""
        if self.is_under_way:
            return False
        if self.resource is None:
            return True
        return not self.resource.is_busy if self.kind in OPENINGS else self.resource.is_settled

    @property
    def key(self) -> str:
        """The same for the same difference."""
        return f"{self.kind}:{self.cloud_id}"


def compare(expected: Expected, survey: CloudSurvey) -> dict[str, Drift]:
    """Return every difference by its key, also of what is being worked on and is about to change."""
    found = [
        *_objects(expected, survey),
        *_rules(expected, survey),
        *_ports(expected, survey),
        *_networks(expected, survey),
        *_routers(expected, survey),
        *_floating_ips(expected, survey),
        *_attachments(expected, survey),
        *_metering(expected, survey),
    ]
    return {drift.key: drift for drift in found}


def _objects(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    for kind, items in survey.objects.items():
        for item in items:
            is_default = kind is CloudKind.SECURITY_GROUP and item.name == DEFAULT_GROUP
            if item.cloud_id not in expected.cloud_ids and item.name not in expected.names and not is_default:
                what = f"{kind.replace('_', ' ')} {item.name or item.cloud_id}"
                evidence = {"kind": kind, "name": item.name, "id": item.cloud_id, "status": item.status}
                yield Drift(DriftKind.UNKNOWN, item.cloud_id, what, evidence, object_kind=kind)
    for kind, wanted in expected.resources:
        present = {item.cloud_id for item in survey.objects[kind]}
        if wanted.cloud_id is not None and wanted.cloud_id not in present:
            evidence = {"kind": kind, "id": wanted.cloud_id}
            yield Drift(DriftKind.MISSING, wanted.cloud_id, wanted.title, evidence, wanted)


def _rules(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    for group_id, rules in survey.rules.items():
        group = expected.find(CloudKind.SECURITY_GROUP, group_id)
        wanted = expected.rules.get(group_id)
        if group is None or wanted is None:
            continue
        for rule_id, traffic in rules.items():
            if traffic not in wanted:
                evidence = {"group": group_id, "rule": rule_id, "admits": _words(traffic)}
                yield Drift(DriftKind.RULE_ADDED, rule_id, group.title, evidence, group)
        for traffic in wanted - set(rules.values()):
            words = _words(traffic)
            evidence = {"group": group_id, "admits": words}
            yield Drift(DriftKind.RULE_MISSING, f"{group_id}:{words}", group.title, evidence, group)


def _ports(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    for port in survey.ports:
        wanted = expected.ports.get(port.cloud_id)
        if wanted is None:
            continue  # it is unknown, or not recorded yet
        for kind, evidence in _of_port(port, wanted.group_cloud_ids, wanted.allowed_addresses):
            yield Drift(kind, port.cloud_id, wanted.port.title, {"port": port.cloud_id} | evidence, wanted.port)


def _of_port(
    port: SurveyedPort, groups: frozenset[CloudId], allowed: frozenset[str]
) -> Iterator[tuple[DriftKind, dict[str, Any]]]:
    if not port.is_secured:
        yield DriftKind.PORT_SECURITY_OFF, {"port_security_enabled": False}
    present = {str(ip_network(each, strict=False)) for each in port.allowed_addresses}
    if present != {str(ip_network(each, strict=False)) for each in allowed}:
        yield DriftKind.ADDRESS_PAIR, {"allowed": sorted(port.allowed_addresses), "wanted": sorted(allowed)}
    if port.group_cloud_ids != groups and port.is_secured:
        yield DriftKind.PORT_GROUPS, {"groups": sorted(port.group_cloud_ids), "wanted": sorted(groups)}
    if port.dhcp_options:
        yield DriftKind.DHCP_OPTION, {"options": list(port.dhcp_options)}


def _networks(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    for share in survey.shares:
        evidence = {"object": share.object_cloud_id, "action": share.action, "shared_with": share.target}
        subject = f"{share.object_kind} {share.object_cloud_id}"
        owner = expected.find(CloudKind.NETWORK, share.object_cloud_id)
        yield Drift(DriftKind.SHARE, share.cloud_id, owner.title if owner else subject, evidence)
    by_id = {wanted.id: wanted for _, wanted in expected.resources if wanted.model is Network}
    for cloud_id in survey.unsecured_networks:
        network = expected.find(CloudKind.NETWORK, cloud_id)
        if network is not None:
            seen: dict[str, Any] = {"network": cloud_id, "port_security_enabled": False}
            yield Drift(DriftKind.PORT_SECURITY_OFF, cloud_id, network.title, seen, network)
    for cloud_id, routes in survey.host_routes.items():
        subnet = expected.find(CloudKind.SUBNET, cloud_id)
        if subnet is not None and subnet.model is Subnet:
            network = by_id.get(expected.networks[subnet.id])
            seen = {"subnet": cloud_id, "routes": list(routes)}
            yield Drift(DriftKind.ROUTE, cloud_id, subnet.title, seen, network, is_under_way=subnet.is_busy)


def _routers(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    for router in survey.routers:
        wanted = expected.find(CloudKind.ROUTER, router.cloud_id)
        if wanted is None:
            continue
        if router.routes:
            evidence: dict[str, Any] = {"router": router.cloud_id, "routes": list(router.routes)}
            yield Drift(DriftKind.ROUTE, router.cloud_id, wanted.title, evidence, wanted)
        if router.has_external_gateway != expected.gateways[router.cloud_id]:
            evidence = {"router": router.cloud_id, "has_external_gateway": router.has_external_gateway}
            yield Drift(DriftKind.GATEWAY, router.cloud_id, wanted.title, evidence, wanted)


def _floating_ips(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    for cloud_id, port in survey.floating_ips.items():
        wanted = expected.find(CloudKind.FLOATING_IP, cloud_id)
        if wanted is not None and port != expected.targets[cloud_id]:
            evidence = {"floating_ip": cloud_id, "leads_to": port, "wanted": expected.targets[cloud_id]}
            yield Drift(DriftKind.FLOATING_IP, cloud_id, wanted.title, evidence, wanted)


def _attachments(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    """Compare what Nova says with what Cinder says, and both with what should be (CVE-2023-2088).

    A volume that a server holds without Cinder's knowledge can be given to somebody else meanwhile.
    """
    for volume, server in sorted(survey.held - survey.attached):
        wanted = expected.find(CloudKind.VOLUME, volume)
        holder = expected.find(CloudKind.SERVER, server)
        evidence: dict[str, Any] = {"volume": volume, "server": server, "said_by": "Nova alone"}
        subject = wanted.title if wanted else f"volume {volume}"
        is_busy = any(each is not None and each.is_busy for each in (wanted, holder))
        yield Drift(DriftKind.ATTACHMENT, volume, subject, evidence, server_cloud_id=server, is_under_way=is_busy)
    severed = {volume for volume, _ in survey.held - survey.attached}
    for kind, wanted in expected.resources:
        if kind is not CloudKind.VOLUME or wanted.cloud_id is None or wanted.cloud_id in severed:
            continue
        volume = wanted.cloud_id
        right = {expected.attached[volume]} if volume in expected.attached else set()
        cinder = {server for each, server in survey.attached if each == volume}
        nova = {server for each, server in survey.held if each == volume}
        if cinder != right or nova != right:
            seen = {"volume": volume, "wanted": sorted(right), "cinder": sorted(cinder), "nova": sorted(nova)}
            yield Drift(DriftKind.ATTACHMENT, volume, wanted.title, seen, wanted)


def _metering(expected: Expected, survey: CloudSurvey) -> Iterator[Drift]:
    """Compare what is metered with what is there. An operator makes up for it by corrections of usage."""
    metered = expected.metered
    for interval in metered.orphans():
        yield Drift(DriftKind.METERED_IN_VAIN, str(interval.resource_id), interval.name, interval.evidence)
    for kind, wanted in expected.resources:
        if wanted.model.__meter__ is None or wanted.cloud_id is None:
            continue
        found = next((item for item in survey.objects[kind] if item.cloud_id == wanted.cloud_id), None)
        intervals = metered.intervals.get(wanted.id, [])
        if found is None:
            for interval in intervals:
                seen = interval.evidence | {"cloud_id": wanted.cloud_id}
                yield Drift(DriftKind.METERED_IN_VAIN, str(wanted.id), wanted.title, seen, wanted)
        elif not intervals and wanted.id in metered.used:
            seen = {"resource": str(wanted.id), "cloud_id": wanted.cloud_id}
            yield Drift(DriftKind.UNMETERED, str(wanted.id), wanted.title, seen, wanted)
        elif kind is CloudKind.SERVER and found.status in _SERVER_ITEMS:
            for interval in intervals:
                if interval.item.partition(":")[0] != _SERVER_ITEMS[found.status]:
                    seen = interval.evidence | {"cloud_id": wanted.cloud_id, "status": found.status}
                    yield Drift(DriftKind.METERED_OTHERWISE, str(wanted.id), wanted.title, seen, wanted)


def _words(traffic: Traffic) -> str:
    """Say what a rule admits."""
    remote = traffic.remote_group_cloud_id or traffic.remote_ip_prefix or traffic.address_group or "anywhere"
    low, high = traffic.port_range_min, traffic.port_range_max
    ports = "" if low is None else f" {low}" if low == high else f" {low}-{high}"
    preposition = "from" if traffic.direction == "ingress" else "to"
    return f"{traffic.direction} {traffic.ethertype} {traffic.protocol or 'everything'}{ports} {preposition} {remote}"
