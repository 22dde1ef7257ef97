"""From our own words to Kubernetes objects, as the API server takes them. Nothing here asks a cluster anything.

Every field that the API server would fill in by itself is written out, so that an object can be compared with what is
there (`observation`).
"""

import json
import re
from dataclasses import asdict
from typing import Any
from uuid import UUID

from platforma.clouds.kubernetes.labels import (
    ACCESS_NAMESPACE,
    DISPLAY_NAME,
    HOSTS,
    KUBECONFIG,
    LOAD_BALANCERS,
    MANAGED,
    NAMESPACE,
    PROFILE,
    SYSTEM_NAMESPACE,
    TENANT,
    TENANT_ROLE,
    access_name,
)
from platforma.clouds.kubernetes.network_policies import Manifest, default_policy, opening_policy
from platforma.clouds.kubernetes.resources import (
    ClusterAddresses,
    ClusterOptions,
    ClusterProfile,
    NamespaceQuota,
    NamespaceSpec,
)
from platforma.clouds.kubernetes.roles import worker_binding
from platforma.clouds.names import cloud_name

QUOTA = "platforma-quota"
LIMITS = "platforma-limits"
DEFAULT_ACCOUNT = "default"
"""The service account that Kubernetes makes in each namespace, and gives to pods that name none."""

_HOST_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(\*\.)?{_HOST_LABEL}(\.{_HOST_LABEL})+")
_ANY_LABEL = r"(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)"
_POD_SECURITY = "pod-security.kubernetes.io"
_MOST_OBJECTS = {"configmaps": 200, "secrets": 200, "services": 100, "count/ingresses.networking.k8s.io": 50}
_MOST_JOBS = {"count/jobs.batch": 500, "count/cronjobs.batch": 50}
_MOST_POLICIES = {"count/networkpolicies.networking.k8s.io": 200}
"""What else costs the API server memory, which all tenants share."""


def namespace_manifests(spec: NamespaceSpec, profile: ClusterProfile, kubeconfig_ids: list[UUID]) -> list[Manifest]:
    """Return all that Platforma keeps for a namespace, in the order in which it is made: closed before it is used."""
    return [
        namespace(spec),
        worker_binding(cloud_name(spec.id)),
        default_policy(spec, profile),
        resource_quota(spec),
        limit_range(spec),
        default_account(spec),
        *(opening_policy(spec, opening) for opening in spec.openings),
        *(access_binding(spec.id, kubeconfig_id) for kubeconfig_id in sorted(kubeconfig_ids)),
    ]


def namespace(spec: NamespaceSpec) -> Manifest:
    """Return the namespace itself, held to the strictest of the Pod Security Standards."""
    security = {
        f"{_POD_SECURITY}/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        for suffix, value in (("", "restricted"), ("-version", "latest"))
    }
    labels = {MANAGED: "true", TENANT: str(spec.tenant_id), NAMESPACE: str(spec.id), **security}
    annotations = {DISPLAY_NAME: spec.display_name, LOAD_BALANCERS: str(spec.quota.load_balancers)}
    if spec.hosts:
        annotations[HOSTS] = hosts_pattern(spec.hosts)
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": cloud_name(spec.id), "labels": labels, "annotations": annotations},
    }


def hosts_pattern(hosts: tuple[str, ...]) -> str:
    """Return the regular expression (RE2) of an Ingress' hosts; raises ValueError for what is no host.

    `*.example.com` stands for itself and for each name that has one label more than `example.com`.
    """
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ValueError(f"{host[:80]!r} is no host: write it in lower case, as a.example.com or *.example.com.")
    escaped = [host.replace(".", r"\.").replace("*", _ANY_LABEL) for host in sorted(hosts)]
    return f"^({'|'.join(escaped)})$"


def resource_quota(spec: NamespaceSpec) -> Manifest:
    """Return the quota. Node ports are never to be had, for they lead past network policies and to every node."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": _metadata(QUOTA, spec.id),
        "spec": {"hard": {name: str(most) for name, most in sorted(_hard(spec.quota).items())}},
    }


def _hard(quota: NamespaceQuota) -> dict[str, int | str]:
    compute = {f"{part}.cpu": quota.vcpus for part in ("requests", "limits")}
    memory = {f"{part}.memory": f"{quota.ram_mib}Mi" for part in ("requests", "limits")}
    return {
        **compute,
        **memory,
        "limits.ephemeral-storage": f"{quota.pods}Gi",
        "pods": quota.pods,
        "persistentvolumeclaims": quota.volume_claims,
        "requests.storage": f"{quota.storage_gib}Gi",
        "services.nodeports": 0,
        "services.loadbalancers": quota.load_balancers,
        **_MOST_OBJECTS,
        **_MOST_JOBS,
        **_MOST_POLICIES,
    }


def limit_range(spec: NamespaceSpec) -> Manifest:
    """Return what a container gets that asks for nothing: without it a quota would refuse such pods."""
    limit = {
        "type": "Container",
        "default": {"cpu": "500m", "memory": "256Mi", "ephemeral-storage": "1Gi"},
        "defaultRequest": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "64Mi"},
    }
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": _metadata(LIMITS, spec.id),
        "spec": {"limits": [limit]},
    }


def default_account(spec: NamespaceSpec) -> Manifest:
    """Return the service account that pods run as: without a token of the API server."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(DEFAULT_ACCOUNT, spec.id),
        "automountServiceAccountToken": False,
    }


def access_account(tenant_id: UUID, kubeconfig_id: UUID) -> Manifest:
    """Return the service account of a kubeconfig, which is in no tenant's namespace: no pod can run as it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": access_name(kubeconfig_id),
            "namespace": ACCESS_NAMESPACE,
            "labels": {MANAGED: "true", TENANT: str(tenant_id), KUBECONFIG: str(kubeconfig_id)},
        },
        "automountServiceAccountToken": False,
    }


def access_binding(namespace_id: UUID, kubeconfig_id: UUID) -> Manifest:
    """Return what lets a kubeconfig into one namespace."""
    metadata = _metadata(access_name(kubeconfig_id), namespace_id)
    metadata["labels"][KUBECONFIG] = str(kubeconfig_id)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": TENANT_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": access_name(kubeconfig_id), "namespace": ACCESS_NAMESPACE}],
    }


def profile_map(profile: ClusterProfile) -> Manifest:
    """Return what the provisioner leaves in the cluster for the tenants' worker."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": PROFILE, "namespace": SYSTEM_NAMESPACE, "labels": {MANAGED: "true"}},
        "data": {"profile.json": json.dumps(asdict(profile), sort_keys=True)},
    }


def read_profile(config_map: Manifest) -> ClusterProfile:
    """Return what `profile_map` has written; raises ValueError."""
    try:
        content: dict[str, Any] = json.loads(config_map["data"]["profile.json"])
        options = content["options"]
        addresses = ClusterAddresses(**{name: tuple(each) for name, each in content["addresses"].items()})
        lists = {name: tuple(options[name]) for name in ("private_ranges", "dns_addresses")}
        return ClusterProfile(addresses, ClusterOptions(**options | lists))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("This is no profile of a cluster.") from error


def _metadata(name: str, namespace_id: UUID) -> Manifest:
    return {"name": name, "namespace": cloud_name(namespace_id), "labels": {MANAGED: "true"}}
