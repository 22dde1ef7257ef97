"""Who may do what in a cluster: tenants' members in their namespaces, and the worker, which is no administrator.

The worker gets its rights in a namespace by a binding that it makes itself when it makes the namespace: it may bind two
roles and no others. Where it may do so is for an admission policy to say (`admission.WORKER`).
"""

from typing import Any

from platforma.clouds.kubernetes.labels import (
    ACCESS_NAMESPACE,
    CANARY_NAMESPACE,
    MANAGED,
    PROFILE,
    SYSTEM_NAMESPACE,
    TENANT,
    TENANT_ROLE,
    WORKER,
    WORKER_IN_NAMESPACE,
)

Manifest = dict[str, Any]

_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = [*_READ, "create", "update", "patch", "delete", "deletecollection"]

PLATFORM_TENANT = "platforma"
"""The tenant's label of the namespace in which the policies are tried."""


def _rule(group: str, resources: list[str], verbs: list[str], names: list[str] | None = None) -> Manifest:
    rule: Manifest = {"apiGroups": [group], "resources": resources, "verbs": verbs}
    return rule | ({"resourceNames": names} if names else {})


TENANT_RULES = [
    _rule("", ["configmaps", "persistentvolumeclaims", "pods", "secrets", "services"], _WRITE),
    _rule("", ["pods/log", "pods/status", "services/status", "persistentvolumeclaims/status"], ["get"]),
    _rule("", ["pods/attach", "pods/exec", "pods/portforward"], ["get", "create"]),
    _rule("", ["pods/eviction"], ["create"]),
    _rule("", ["pods/ephemeralcontainers"], ["get", "update", "patch"]),
    _rule("", ["endpoints", "events", "limitranges", "resourcequotas", "serviceaccounts"], _READ),
    _rule("", ["namespaces"], ["get"]),
    _rule("apps", ["daemonsets", "deployments", "statefulsets"], _WRITE),
    _rule("apps", ["replicasets", "controllerrevisions"], [*_READ, "delete"]),
    _rule("apps", ["deployments/scale", "statefulsets/scale"], ["get", "update", "patch"]),
    _rule("apps", ["daemonsets/status", "deployments/status", "statefulsets/status"], ["get"]),
    _rule("autoscaling", ["horizontalpodautoscalers"], _WRITE),
    _rule("batch", ["cronjobs", "jobs"], _WRITE),
    _rule("batch", ["cronjobs/status", "jobs/status"], ["get"]),
    _rule("discovery.k8s.io", ["endpointslices"], _READ),
    _rule("events.k8s.io", ["events"], _READ),
    _rule("networking.k8s.io", ["ingresses", "networkpolicies"], _WRITE),
    _rule("networking.k8s.io", ["ingresses/status"], ["get"]),
    _rule("policy", ["poddisruptionbudgets"], _WRITE),
]
"""What a tenant's member may do in a namespace. Not: roles, quotas, service accounts and their tokens, endpoints."""

WRITABLE = tuple(
    f"{group}/{resource}"
    for rule in TENANT_RULES
    for group in rule["apiGroups"]
    for resource in rule["resources"]
    if "create" in rule["verbs"] and "/" not in resource
)
"""What of it members can make, as `group/plural`."""

WORKER_RULES = [
    _rule("", ["namespaces"], ["get", "list", "create", "patch", "update", "delete"]),
    _rule(_RBAC, ["rolebindings"], ["get", "list", "create", "patch", "update", "delete"]),
    _rule(_RBAC, ["clusterroles"], ["bind"], [TENANT_ROLE, WORKER_IN_NAMESPACE]),
]
_KEPT = ["get", "list", "create", "patch", "update", "delete"]
WORKER_NAMESPACE_RULES = [
    _rule("", ["limitranges", "resourcequotas", "serviceaccounts"], _KEPT),
    _rule("networking.k8s.io", ["networkpolicies"], _KEPT),
    _rule(_RBAC, ["roles"], ["get", "list", "delete"]),
    _rule("", ["events", "pods", "services"], ["get", "list"]),
    _rule("apps", ["daemonsets", "deployments", "statefulsets"], ["get", "list"]),
    _rule("batch", ["cronjobs", "jobs"], ["get", "list"]),
    _rule("networking.k8s.io", ["ingresses"], ["get", "list"]),
]
_ACCESS_RULES = [
    _rule("", ["serviceaccounts"], _KEPT),
    _rule("", ["serviceaccounts/token"], ["create"]),
]
_PROFILE_RULES = [_rule("", ["configmaps"], ["get"], [PROFILE])]


def cluster_manifests() -> list[Manifest]:
    """Return the platform's namespaces, roles and bindings, in the order in which they are made."""
    return [
        system_namespace(SYSTEM_NAMESPACE),
        system_namespace(ACCESS_NAMESPACE),
        system_namespace(CANARY_NAMESPACE),
        _no_pods(SYSTEM_NAMESPACE),
        _no_pods(ACCESS_NAMESPACE),
        worker_account(),
        _cluster_role(TENANT_ROLE, TENANT_RULES),
        _cluster_role(WORKER_IN_NAMESPACE, WORKER_NAMESPACE_RULES),
        _cluster_role(WORKER, WORKER_RULES),
        _binding("ClusterRoleBinding", WORKER, "", "ClusterRole", WORKER),
        _role(ACCESS_NAMESPACE, WORKER, _ACCESS_RULES),
        _binding("RoleBinding", WORKER, ACCESS_NAMESPACE, "Role", WORKER),
        _role(SYSTEM_NAMESPACE, WORKER, _PROFILE_RULES),
        _binding("RoleBinding", WORKER, SYSTEM_NAMESPACE, "Role", WORKER),
    ]


def worker_binding(namespace_name: str) -> Manifest:
    """Return what lets the worker into a tenant's namespace."""
    return _binding("RoleBinding", WORKER, namespace_name, "ClusterRole", WORKER_IN_NAMESPACE)


def worker_account() -> Manifest:
    """Return the service account of the tenants' worker."""
    metadata = {"name": WORKER, "namespace": SYSTEM_NAMESPACE, "labels": {MANAGED: "true"}}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def system_namespace(name: str) -> Manifest:
    """Return a namespace of the platform's own."""
    labels = {MANAGED: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    if name == CANARY_NAMESPACE:
        labels[TENANT] = PLATFORM_TENANT
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def _no_pods(namespace: str) -> Manifest:
    """Return a quota that admits no pod: whoever could run one there could run as a service account of it."""
    metadata = {"name": "platforma-no-pods", "namespace": namespace, "labels": {MANAGED: "true"}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "0"}}}


def _cluster_role(name: str, rules: list[Manifest]) -> Manifest:
    metadata = {"name": name, "labels": {MANAGED: "true"}}
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def _role(namespace: str, name: str, rules: list[Manifest]) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": {MANAGED: "true"}}
    return {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules}


def _binding(kind: str, name: str, namespace: str, role_kind: str, role: str) -> Manifest:
    """Return a binding of a role to the worker."""
    metadata: Manifest = {"name": name, "labels": {MANAGED: "true"}}
    if namespace:
        metadata["namespace"] = namespace
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": _RBAC, "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": WORKER, "namespace": SYSTEM_NAMESPACE}],
    }
