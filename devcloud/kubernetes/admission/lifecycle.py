"""Namespaces that end take nothing new, and some never end; pods run as a service account that is there."""

from __future__ import annotations

import copy
from typing import Any

from devcloud.kubernetes.admission.write import Write
from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.problems import forbidden, not_found
from devcloud.kubernetes.store import Store

_IMMORTAL = ("default", "kube-system", "kube-public")
_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"


def check_lifecycle(store: Store, write: Write) -> None:
    """Refuse what is made in a namespace that is not there, or ends."""
    if write.is_of("namespaces"):
        if write.operation == "DELETE" and write.name in _IMMORTAL:
            raise forbidden("namespaces", "", write.name, "this namespace may not be deleted")
        return
    if write.operation != "CREATE" or not write.namespace:
        return
    namespace = store.find(kind("namespaces"), "", write.namespace)
    if namespace is None:
        raise not_found("namespaces", "", write.namespace)
    if "deletionTimestamp" in namespace["metadata"]:
        why = f"unable to create new content in namespace {write.namespace} because it is being terminated"
        problem = forbidden(write.kind.plural, write.kind.group, write.name, why)
        problem.details["causes"] = [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]
        raise problem


def prepare_pod(store: Store, write: Write) -> None:
    """Give a new pod its service account, which must be there, and the account's token unless it is not wanted."""
    if not write.is_of("pods") or write.operation != "CREATE" or write.object is None:
        return
    spec = write.object["spec"]
    name = spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = name
    account = store.find(kind("serviceaccounts"), write.namespace, name)
    if account is None:
        why = f'error looking up service account {write.namespace}/{name}: serviceaccount "{name}" not found'
        raise forbidden("pods", "", write.name, why)
    wanted = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True))
    if wanted and not any(each["name"] == "kube-api-access" for each in spec.get("volumes", ())):
        _mount_token(spec)


def _mount_token(spec: dict[str, Any]) -> None:
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    spec.setdefault("volumes", []).append({"name": "kube-api-access", "projected": {"sources": sources}})
    mount = {"name": "kube-api-access", "mountPath": _TOKEN_PATH, "readOnly": True}
    for container in spec["containers"]:
        container.setdefault("volumeMounts", []).append(copy.copy(mount))
