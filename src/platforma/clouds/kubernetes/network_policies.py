"""What a namespace's network policies are: closed to every other namespace, open where its tenant opened it.

Network policies add up: each allows, and none can forbid. So isolation rests on there being none that allows too much;
the admission policies see to that (`admission`). Docs: docs/decisions/what-a-namespace-can-reach.md.
"""

from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any
from uuid import UUID

from platforma.clouds.kubernetes.labels import MANAGED, NAMESPACE, TENANT
from platforma.clouds.kubernetes.resources import ClusterOptions, ClusterProfile, NamespaceSpec, OpeningSpec
from platforma.clouds.names import cloud_name

Manifest = dict[str, Any]

DEFAULT_POLICY = "platforma-default"
_OPENING_PREFIX = "platforma-open-"
_NAMESPACE_NAME = "kubernetes.io/metadata.name"

_NOT_THE_INTERNET = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
)
"""What IANA sets apart for private, shared, local and special use; link-local has the clouds' metadata service."""
_INTERNET_6 = "2000::/3"
"""All that IANA has given out for the internet; unique local and link-local addresses are outside of it."""
_NOT_THE_INTERNET_6 = ("2001:db8::/32", "2002::/16")
"""Documentation, and 6to4, in which an IPv4 address would hide."""


def default_policy(spec: NamespaceSpec, profile: ClusterProfile) -> Manifest:
    """Return what every pod of the namespace may send and get unless the tenant opens more.

    In: from its own namespace, and from the cluster's ingress if the namespace has hosts. Out: to all namespaces of its
    tenant (their own policies decide), to DNS, and to the internet, which is neither private nor the cluster's.
    """
    ingress: list[Manifest] = [{"from": [{"podSelector": {}}]}]
    if spec.hosts and profile.options.ingress_namespace is not None:
        ingress.append({"from": [{"namespaceSelector": _by_name(profile.options.ingress_namespace)}]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(DEFAULT_POLICY, spec.id),
        "spec": {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": [
                {"to": [{"podSelector": {}}, {"namespaceSelector": {"matchLabels": {TENANT: str(spec.tenant_id)}}}]},
                _dns(profile.options),
                {"to": [{"ipBlock": block} for block in internet(profile)]},
            ],
        },
    }


def opening_policy(spec: NamespaceSpec, opening: OpeningSpec) -> Manifest:
    """Return what lets one opening in. The peer must bear the tenant's label and the other namespace's id."""
    port = {"protocol": opening.protocol, "port": opening.port, "endPort": opening.end_port}
    peer = {"matchLabels": {TENANT: str(spec.tenant_id), NAMESPACE: str(opening.from_namespace_id)}}
    selector: Manifest = {"matchLabels": dict(opening.pod_labels)} if opening.pod_labels else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(f"{_OPENING_PREFIX}{opening.id}", spec.id),
        "spec": {
            "podSelector": selector,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"namespaceSelector": peer}], "ports": [port]}],
        },
    }


def internet(profile: ClusterProfile) -> list[Manifest]:
    """Return the internet as IP blocks: all of it, except what is private, and the cluster's own whatever it is."""
    own = [ip_network(each) for each in (*profile.addresses.every, *profile.options.private_ranges)]
    four = [IPv4Network(each) for each in _NOT_THE_INTERNET]
    six = [IPv6Network(each) for each in _NOT_THE_INTERNET_6]
    for each in own:
        if isinstance(each, IPv4Network):
            four.append(each)
        elif each.subnet_of(IPv6Network(_INTERNET_6)):
            six.append(each)
    return [_block("0.0.0.0/0", four), _block(_INTERNET_6, six)]


def _block(cidr: str, excepted: list[Any]) -> Manifest:
    return {"cidr": cidr, "except": [str(each) for each in collapse_addresses(excepted)]}


def _dns(options: ClusterOptions) -> Manifest:
    """Return the rule that lets pods ask for names, and nothing else of whoever answers them."""
    peers: list[Manifest] = [
        {
            "namespaceSelector": _by_name(options.dns_namespace),
            "podSelector": {"matchLabels": dict(options.dns_labels)},
        }
    ]
    for address in options.dns_addresses:
        peers.append({"ipBlock": {"cidr": str(ip_network(address))}})
    return {"to": peers, "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}


def _by_name(namespace: str) -> Manifest:
    """Return the selector of one namespace by the label that the API server itself puts on each."""
    return {"matchLabels": {_NAMESPACE_NAME: namespace}}


def _metadata(name: str, namespace_id: UUID) -> Manifest:
    return {"name": name, "namespace": cloud_name(namespace_id), "labels": {MANAGED: "true"}}
