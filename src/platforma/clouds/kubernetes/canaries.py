"""Whether the admission policies bite: what each of them must refuse is tried, as a dry run that leaves nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from platforma.clouds.errors import CloudConflict, CloudRefused
from platforma.clouds.kubernetes.admission import (
    CLAIMS,
    INGRESSES,
    MANAGED_OBJECTS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    RESERVED_KINDS,
    SECRETS,
    SERVICES,
    WORKER,
    Policy,
)
from platforma.clouds.kubernetes.api import Api
from platforma.clouds.kubernetes.labels import CANARY_NAMESPACE, MANAGED, NAME_PREFIX, TENANT

Manifest = dict[str, Any]

_NAME = "platforma-canary"


@dataclass(frozen=True)
class Canary:
    """Something that a policy must refuse."""

    policy: Policy
    manifest: Manifest
    is_as_worker: bool = False


def canaries() -> Iterator[Canary]:
    """Yield one for each policy, and more where a policy guards several things."""
    everywhere: list[Manifest] = [{"namespaceSelector": {}}]
    yield Canary(NETWORK_POLICIES, _network_policy({"ingress": [{"from": everywhere}]}))
    yield Canary(NETWORK_POLICIES, _network_policy({"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}))
    yield Canary(MANAGED_OBJECTS, _network_policy({"policyTypes": ["Ingress"]}, labels={MANAGED: "true"}))
    yield Canary(RESERVED_KINDS, _of("v1", "ResourceQuota", spec={"hard": {"pods": "1"}}))
    port = {"port": 80, "protocol": "TCP", "targetPort": 80}
    yield Canary(SERVICES, _of("v1", "Service", spec={"type": "NodePort", "ports": [port]}))
    yield Canary(SERVICES, _of("v1", "Service", spec={"externalIPs": ["192.0.2.1"], "ports": [port]}))
    backend = {"service": {"name": _NAME, "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    rule = {"host": "canary.example.com", "http": {"paths": [path]}}
    yield Canary(INGRESSES, _of("networking.k8s.io/v1", "Ingress", spec={"rules": [rule]}))
    yield Canary(PODS, _of("v1", "Pod", spec=_pod_spec() | {"nodeName": "a-node"}))
    yield Canary(CLAIMS, _of("v1", "PersistentVolumeClaim", spec=_claim_spec() | {"volumeName": "somebody-elses"}))
    yield Canary(SECRETS, _token_secret())
    named = {"name": f"{NAME_PREFIX}nobodys", "labels": {TENANT: "nobody"}}
    yield Canary(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": named})
    claimed = {"name": f"{NAME_PREFIX}nobodys", "labels": {TENANT: "nobody", MANAGED: "true"}}
    yield Canary(WORKER, {"apiVersion": "v1", "kind": "Namespace", "metadata": claimed}, is_as_worker=True)


def find_silent(api: Api, open_worker: Callable[[], Api]) -> list[str]:
    """Return the names of the policies that let through what they must refuse, in alphabetical order."""
    worker: Api | None = None
    silent = set()
    for canary in canaries():
        if canary.is_as_worker:
            worker = worker or open_worker()
        if not _is_refused(worker if canary.is_as_worker and worker else api, canary):
            silent.add(canary.policy.name)
    return sorted(silent)


def find_pod_security_hole(api: Api) -> bool:
    """Say whether a privileged pod would be let into a namespace that is held to `restricted`.

    Our own policy refuses it as well, and may be the one to say so: then the pod differs in what only Pod Security
    looks at.
    """
    spec = _pod_spec()
    spec["containers"][0]["securityContext"] = {"runAsUser": 0, "runAsNonRoot": False}
    try:
        api.create(_of("v1", "Pod", spec=spec), is_dry_run=True)
    except CloudRefused as refused:
        return "PodSecurity" not in (refused.reason or "")
    except CloudConflict:
        return True
    return True


def _is_refused(api: Api, canary: Canary) -> bool:
    try:
        api.create(canary.manifest, is_dry_run=True)
    except CloudRefused as refused:
        return canary.policy.name in (refused.reason or "")
    except CloudConflict:
        return False
    return False


def _of(api_version: str, kind: str, *, labels: dict[str, str] | None = None, **content: Any) -> Manifest:
    metadata: Manifest = {"name": _NAME, "namespace": CANARY_NAMESPACE}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}


def _network_policy(spec: Manifest, labels: dict[str, str] | None = None) -> Manifest:
    return _of("networking.k8s.io/v1", "NetworkPolicy", labels=labels, spec={"podSelector": {}, **spec})


def _pod_spec() -> Manifest:
    container: Manifest = {
        "name": "canary",
        "image": "registry.k8s.io/pause:3.10",
        "resources": {"limits": {"cpu": "1m", "memory": "1Mi"}, "requests": {"cpu": "1m", "memory": "1Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"containers": [container], "securityContext": security, "automountServiceAccountToken": False}


def _claim_spec() -> Manifest:
    return {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def _token_secret() -> Manifest:
    secret = _of("v1", "Secret", type="kubernetes.io/service-account-token")
    secret["metadata"]["annotations"] = {"kubernetes.io/service-account.name": "default"}
    return secret
