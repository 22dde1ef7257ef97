"""What a new cluster has: its namespaces, a node, the API server's own service, and the roles that everybody gets."""

from __future__ import annotations

from typing import Any

from devcloud.kubernetes.authentication import ADMINISTRATOR
from devcloud.kubernetes.authorization import RBAC
from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.network import NODE, NODE_ADDRESS, POD_NETWORK
from devcloud.kubernetes.resources import Call, Resources

SERVICE_NETWORK = "10.96.0.0/12"
API_SERVICE = "10.96.0.1"

_READ = ["get"]
_BASIC = [
    {"apiGroups": ["authorization.k8s.io"], "resources": [each], "verbs": ["create"]}
    for each in ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
] + [{"apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"], "verbs": ["create"]}]
_PUBLIC = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
_DISCOVERY = [*_PUBLIC, "/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*"]
_ROLES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "cluster-admin": (
        [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        "system:masters",
    ),
    "system:basic-user": (_BASIC, "system:authenticated"),
    "system:discovery": ([{"nonResourceURLs": _DISCOVERY, "verbs": _READ}], "system:authenticated"),
    "system:public-info-viewer": ([{"nonResourceURLs": _PUBLIC, "verbs": _READ}], "system:unauthenticated"),
}


def seed(resources: Resources) -> None:
    """Make what is not there."""
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        _have(resources, "namespaces", "", "v1", {"metadata": {"name": name}})
    for name, (rules, group) in _ROLES.items():
        version = f"{RBAC}/v1"
        _have(resources, "clusterroles", RBAC, version, {"metadata": {"name": name}, "rules": rules})
        reference = {"apiGroup": RBAC, "kind": "ClusterRole", "name": name}
        subjects = [{"kind": "Group", "apiGroup": RBAC, "name": group}]
        binding = {"metadata": {"name": name}, "roleRef": reference, "subjects": subjects}
        _have(resources, "clusterrolebindings", RBAC, version, binding)
    _seed_node(resources)
    service = {
        "metadata": {"name": "kubernetes", "namespace": "default"},
        "spec": {"clusterIP": API_SERVICE, "clusterIPs": [API_SERVICE], "ports": [{"name": "https", "port": 443}]},
    }
    _have(resources, "services", "", "v1", service, "default")
    cidr = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": [SERVICE_NETWORK]}}
    _have(resources, "servicecidrs", "networking.k8s.io", "networking.k8s.io/v1", cidr)


def _seed_node(resources: Resources) -> None:
    node = {
        "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}},
        "spec": {"podCIDR": str(POD_NETWORK), "podCIDRs": [str(POD_NETWORK)]},
    }
    if _have(resources, "nodes", "", "v1", node):
        addresses = [{"type": "InternalIP", "address": NODE_ADDRESS}, {"type": "Hostname", "address": NODE}]
        status = {"addresses": addresses, "conditions": [{"type": "Ready", "status": "True"}]}
        call = Call(kind("nodes"), ADMINISTRATOR, name=NODE, subresource="status", manager="kubelet")
        body = {"status": status}
        resources.patch(call, body, "application/merge-patch+json")


def _have(
    resources: Resources, plural: str, group: str, version: str, body: dict[str, Any], namespace: str = ""
) -> bool:
    found = resources.store.find(kind(plural, group), namespace, body["metadata"]["name"])
    if found is None:
        call = Call(kind(plural, group), ADMINISTRATOR, namespace, manager="kube-apiserver")
        resources.create(call, {"apiVersion": version, "kind": kind(plural, group).kind, **body})
    return found is None
