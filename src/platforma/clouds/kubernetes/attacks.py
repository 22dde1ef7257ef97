"""What members' own kubectl has to be refused in their namespaces, and what lies right beside it and has to work.

The tests try it on stand-ins and on real clusters, and `platforma verify` on an installation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from platforma.clouds.kubernetes.api import CORE, NETWORKING, RBAC
from platforma.clouds.kubernetes.labels import MANAGED, NAMESPACE, TENANT
from platforma.clouds.kubernetes.manifests import LIMITS, QUOTA
from platforma.clouds.kubernetes.network_policies import DEFAULT_POLICY

Manifest = dict[str, Any]
Peer = dict[str, Any]


@dataclass(frozen=True)
class Ground:
    """Where it is tried: a namespace of A's by its name in the cluster, and what labels A and B bear there."""

    namespace: str
    a: str
    b: str


Make = Callable[[Ground], Manifest]


@dataclass(frozen=True)
class Attempt:
    """Something that a member might create. `threat` is an id of docs/isolation/threats.md."""

    name: str
    threat: str
    make: Make


def of(api_version: str, kind: str, namespace: str | None, name: str = "mine", **content: Any) -> Manifest:
    """Return an object."""
    metadata: Manifest = {"name": name} | ({"namespace": namespace} if namespace else {})
    metadata |= content.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def network_policy(namespace: str, **spec: Any) -> Manifest:
    """Return a network policy for all pods of a namespace."""
    return of(NETWORKING, "NetworkPolicy", namespace, spec={"podSelector": {}, **spec})


def pod(namespace: str, name: str = "mine", **spec: Any) -> Manifest:
    """Return a pod that Pod Security admits, unless the spec changes that."""
    container = {
        "name": "main",
        "image": "registry.k8s.io/pause:3.10",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    } | spec.pop("container", {})
    security = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
    return of(CORE, "Pod", namespace, name, spec={"containers": [container], "securityContext": security, **spec})


def _labels(value: str) -> Peer:
    return {"namespaceSelector": {"matchLabels": {TENANT: value}}}


def _expression(operator: str, *values: str) -> Peer:
    expression = {"key": TENANT, "operator": operator} | ({"values": list(values)} if values else {})
    return {"namespaceSelector": {"matchExpressions": [expression]}}


def _foreign_peers(a: str, b: str) -> dict[str, list[Peer] | None]:
    return {
        "no peers": None,
        "any namespace": [{"namespaceSelector": {}}],
        "another tenant": [_labels(b)],
        "another tenant's pods": [_labels(b) | {"podSelector": {"matchLabels": {"app": "db"}}}],
        "a namespace by name": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}],
        "whoever has a tenant": [_expression("Exists")],
        "everybody but us": [_expression("NotIn", a)],
        "us and another": [_expression("In", a, b)],
        "whoever has none": [_expression("DoesNotExist")],
        "an address": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
        "everywhere": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
        "IPv6": [{"ipBlock": {"cidr": "::/0"}}],
        "one good and one bad": [{"podSelector": {}}, {"namespaceSelector": {}}],
    }


def _own_peers(a: str, _b: str) -> dict[str, list[Peer] | None]:
    return {
        "pods of this namespace": [{"podSelector": {"matchLabels": {"app": "db"}}}],
        "our namespaces": [_labels(a)],
        "our namespaces by expression": [_expression("In", a)],
        "some of ours": [{"namespaceSelector": {"matchLabels": {TENANT: a, NAMESPACE: "any"}}, "podSelector": {}}],
    }


def _policies(peers: Callable[[str, str], dict[str, list[Peer] | None]]) -> tuple[Attempt, ...]:
    """Return a policy for each group of peers, in and out."""

    def policy(direction: str, side: str, name: str) -> Make:
        def make(ground: Ground) -> Manifest:
            chosen = peers(ground.a, ground.b)[name]
            rule = {"ports": [{"protocol": "TCP", "port": 80}]} | ({} if chosen is None else {side: chosen})
            return network_policy(ground.namespace, **{direction: [rule]})

        return make

    return tuple(
        Attempt(f"{direction}: {name}", "K02", policy(direction, side, name))
        for direction, side in (("ingress", "from"), ("egress", "to"))
        for name in peers("", "")
    )


FOREIGN_POLICIES = _policies(_foreign_peers)
OWN_POLICIES = _policies(_own_peers)


def service(**spec: Any) -> Make:
    """Return what makes a service."""
    port = {"port": 80, "protocol": "TCP", "targetPort": 8080}
    return lambda ground: of(CORE, "Service", ground.namespace, spec={"ports": [port], **spec})


def ingress(**spec: Any) -> Make:
    """Return what makes an ingress."""
    return lambda ground: of(NETWORKING, "Ingress", ground.namespace, spec=spec)


def backend(host: str | None) -> Manifest:
    """Return a rule of an ingress."""
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "mine", "port": {"number": 80}}}}
    return {"http": {"paths": [path]}} | ({"host": host} if host else {})


def _claim(**spec: Any) -> Make:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return lambda ground: of(CORE, "PersistentVolumeClaim", ground.namespace, spec=asked | spec)


def _pod(**spec: Any) -> Make:
    return lambda ground: pod(ground.namespace, **spec)


def _container(**content: Any) -> Make:
    return lambda ground: pod(ground.namespace, container=content)


def _plain(api_version: str, kind: str, **content: Any) -> Make:
    return lambda ground: of(api_version, kind, ground.namespace, **content)


_PORTS = [{"port": 80, "protocol": "TCP", "targetPort": 80}]
_SOURCE_RANGES = {"service.beta.kubernetes.io/load-balancer-source-ranges": "0.0.0.0/0"}
_ROOT = {"runAsUser": 0, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}

_SOMEBODYS = {"kind": "PersistentVolumeClaim", "name": "data", "namespace": "platforma-two"}


def _template(**template: Any) -> Manifest:
    return {"metadata": {"labels": {"app": "mine"}}, "spec": pod("any")["spec"]} | template


def _deployment(metadata: Manifest) -> Make:
    template = _template(metadata={"labels": {"app": "mine"}, **metadata})
    spec = {"selector": {"matchLabels": {"app": "mine"}}, "template": template}
    return lambda ground: of("apps/v1", "Deployment", ground.namespace, spec=spec)


def _stateful_set(**claim: Any) -> Make:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}} | claim
    spec = {
        "serviceName": "mine",
        "selector": {"matchLabels": {"app": "mine"}},
        "template": _template(),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": asked}],
    }
    return lambda ground: of("apps/v1", "StatefulSet", ground.namespace, spec=spec)


REFUSED = (
    Attempt("a node port", "K03", service(type="NodePort")),
    Attempt("an external address", "K03", service(externalIPs=["192.0.2.1"])),
    Attempt(
        "another name for something",
        "K03",
        _plain(CORE, "Service", spec={"type": "ExternalName", "externalName": "kubernetes.default.svc"}),
    ),
    Attempt(
        "a load balancer beyond the quota", "K03", service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    ),
    Attempt(
        "an annotation that commands",
        "K03",
        _plain(CORE, "Service", metadata={"annotations": _SOURCE_RANGES}, spec={"ports": _PORTS}),
    ),
    Attempt("somebody's host", "K03", ingress(rules=[backend("shop.example.com")])),
    Attempt("every host", "K03", ingress(rules=[backend(None)])),
    Attempt("a default backend", "K03", ingress(defaultBackend={"service": {"name": "mine", "port": {"number": 80}}})),
    Attempt("the node's network", "K04", _pod(hostNetwork=True)),
    Attempt("the node's processes", "K04", _pod(hostPID=True)),
    Attempt("the node's memory", "K04", _pod(hostIPC=True)),
    Attempt("the node's files", "K04", _pod(volumes=[{"name": "host", "hostPath": {"path": "/"}}])),
    Attempt("a node of one's choice", "K04", _pod(nodeName="a-node")),
    Attempt(
        "the control plane's nodes",
        "K04",
        _pod(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]),
    ),
    Attempt("every taint", "K04", _pod(tolerations=[{"operator": "Exists"}])),
    Attempt("a port of the node", "K04", _container(ports=[{"containerPort": 80, "hostPort": 80}])),
    Attempt("privilege", "K04", _container(securityContext={"privileged": True})),
    Attempt("root", "K04", _container(securityContext=_ROOT)),
    Attempt("a volume of one's choice", "K05", _claim(volumeName="pv-of-another")),
    Attempt("any volume that is there", "K05", _claim(selector={"matchLabels": {"tenant": "b"}})),
    Attempt(
        "a lasting token",
        "K05",
        _plain(
            CORE,
            "Secret",
            metadata={"annotations": {"kubernetes.io/service-account.name": "default"}},
            type="kubernetes.io/service-account-token",
        ),
    ),
    Attempt("what stays for ever", "K09", _plain(CORE, "ConfigMap", metadata={"finalizers": ["example.org/never"]})),
    Attempt("pods that stay for ever", "K09", _deployment(metadata={"finalizers": ["example.org/never"]})),
    Attempt("a set's volume of one's choice", "K05", _stateful_set(volumeName="pv-of-another")),
    Attempt("a set filled from elsewhere", "K05", _stateful_set(dataSourceRef=_SOMEBODYS)),
    Attempt("a quota", "K01", _plain(CORE, "ResourceQuota", spec={"hard": {"pods": "1000"}})),
    Attempt("limits", "K01", _plain(CORE, "LimitRange", spec={"limits": [{"type": "Container"}]})),
    Attempt("a service account", "K05", _plain(CORE, "ServiceAccount")),
    Attempt("a role", "K05", _plain(RBAC, "Role", rules=[])),
    Attempt("endpoints", "K03", _plain(CORE, "Endpoints", subsets=[])),
    Attempt("a namespace", "K08", lambda ground: of(CORE, "Namespace", None, "elsewhere")),
    Attempt(
        "what looks managed",
        "K01",
        _plain(NETWORKING, "NetworkPolicy", metadata={"labels": {MANAGED: "true"}}, spec={"podSelector": {}}),
    ),
)
ADMITTED = (
    Attempt("a service", "K03", service(type="ClusterIP")),
    Attempt("a headless service", "K03", service(clusterIP="None")),
    Attempt("a pod", "K04", _pod()),
    Attempt(
        "a pod that waits for a node",
        "K04",
        _pod(tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]),
    ),
    Attempt("a claim", "K05", _claim()),
    Attempt("a deployment", "K09", _deployment(metadata={})),
    Attempt("a set with volumes", "K05", _stateful_set()),
    Attempt("a secret", "K05", _plain(CORE, "Secret", type="Opaque")),
    Attempt("a config map", "K05", _plain(CORE, "ConfigMap", data={"key": "value"})),
    Attempt("a policy of one's own", "K01", _plain(NETWORKING, "NetworkPolicy", spec={"podSelector": {}})),
)
MANAGED_OBJECTS = (
    (NETWORKING, "NetworkPolicy", DEFAULT_POLICY),
    (CORE, "ServiceAccount", "default"),
    (CORE, "ResourceQuota", QUOTA),
    (CORE, "LimitRange", LIMITS),
)
"""What is in every namespace of a tenant and is Platforma's alone, by API version, kind and name."""
