"""What the API server fills in, and what it does not take: names, defaults, and what must never change."""

from __future__ import annotations

import ipaddress
import re
import secrets
import string
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from devcloud.kubernetes.admission.policies import validate_policy
from devcloud.kubernetes.fields import now
from devcloud.kubernetes.kinds import Kind
from devcloud.kubernetes.problems import ApiProblem, invalid
from devcloud.kubernetes.quantities import canonical
from devcloud.kubernetes.store import Object

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PATH_NAME = re.compile(r"[^/%]+")
_QUALIFIED = re.compile(r"(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?")
_LABEL_NAMES = {"namespaces", "services"}
_PATH_NAMES = {"roles", "rolebindings", "clusterroles", "clusterrolebindings"}
METADATA_NAME = "kubernetes.io/metadata.name"


def complete_new(kind: Kind, value: Object, namespace: str) -> Object:
    """Return a new object with its identity; raises ApiProblem (422) for a name that cannot be one."""
    metadata = value.setdefault("metadata", {})
    if not metadata.get("name") and metadata.get("generateName"):
        alphabet = string.ascii_lowercase + string.digits
        metadata["name"] = metadata["generateName"] + "".join(secrets.choice(alphabet) for _ in range(5))
    check_name(kind, metadata.get("name", ""))
    if kind.is_namespaced:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    for field in ("resourceVersion", "deletionTimestamp", "managedFields"):
        metadata.pop(field, None)
    metadata |= {"uid": str(uuid4()), "creationTimestamp": now(), "generation": 1}
    return fill(kind, value)


def check_name(kind: Kind, name: str) -> None:
    """Raise ApiProblem (422) for a name that no object of the kind can have."""
    pattern, most = _SUBDOMAIN, 253
    if kind.plural in _LABEL_NAMES:
        pattern, most = _LABEL, 63
    elif kind.plural in _PATH_NAMES:
        pattern = _PATH_NAME
    if not name:
        raise invalid(kind.kind, kind.group, "", "metadata.name", "Required value: name or generateName is required")
    if len(name) > most or not pattern.fullmatch(name):
        raise invalid(kind.kind, kind.group, name, "metadata.name", f'Invalid value: "{name}"')


def fill(kind: Kind, value: Object) -> Object:
    """Return an object with the defaults of its kind, and quantities as they are stored."""
    value |= {"apiVersion": kind.api_version, "kind": kind.kind}
    if kind.plural in _FILLERS:
        _FILLERS[kind.plural](value)
    _canonical(value)
    return value


def check(kind: Kind, value: Object, before: Object | None) -> None:
    """Raise ApiProblem (422) for an object that is not as its kind has to be, or changes what must not."""
    metadata = value["metadata"]
    for section in ("labels", "annotations"):
        for key, each in metadata.get(section, {}).items():
            if not _QUALIFIED.fullmatch(key if section == "labels" else key.lower()):
                raise _invalid(kind, value, f"metadata.{section}", f'Invalid value: "{key}"')
            if section == "labels" and not _LABEL_VALUE.fullmatch(str(each)):
                raise _invalid(kind, value, "metadata.labels", f'Invalid value: "{each}"')
    if before is not None and before["metadata"]["uid"] != metadata.get("uid", before["metadata"]["uid"]):
        raise ApiProblem(409, "Conflict", "Precondition failed: UID in precondition does not match")
    if kind.plural in _CHECKERS:
        _CHECKERS[kind.plural](kind, value, before)


def _invalid(kind: Kind, value: Object, field: str, why: str) -> ApiProblem:
    return invalid(kind.kind, kind.group, value["metadata"]["name"], field, why)


def canonicalized(value: Object) -> Object:
    """Return an object with its quantities as they are stored."""
    _canonical(value)
    return value


def _canonical(value: Any, is_quantities: bool = False) -> None:
    """Write quantities as they are stored, wherever they may stand."""
    places = {"hard", "limits", "requests", "default", "defaultRequest", "max", "min", "capacity"}
    if isinstance(value, list):
        for each in value:
            _canonical(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if is_quantities and isinstance(each, str | int | float):
                value[name] = canonical(str(each))
            else:
                _canonical(each, name in places)


def _fill_namespace(value: Object) -> None:
    value["metadata"].setdefault("labels", {})[METADATA_NAME] = value["metadata"]["name"]
    value.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    value.setdefault("status", {}).setdefault("phase", "Active")


def _fill_network_policy(value: Object) -> None:
    spec = value.setdefault("spec", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if "egress" in spec else [])]
    for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
        for port in rule.get("ports", ()):
            port.setdefault("protocol", "TCP")


def _fill_service(value: Object) -> None:
    spec = value.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])


def _fill_pod(value: Object) -> None:
    spec = value["spec"]
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("dnsPolicy", "ClusterFirst")
    value.setdefault("status", {}).setdefault("phase", "Pending")


def _fill_binding(value: Object) -> None:
    value["roleRef"].setdefault("apiGroup", "rbac.authorization.k8s.io")
    for subject in value.get("subjects", ()):
        if subject["kind"] != "ServiceAccount":
            subject.setdefault("apiGroup", "rbac.authorization.k8s.io")


def _fill_policy(value: Object) -> None:
    spec = value["spec"]
    spec.setdefault("failurePolicy", "Fail")
    for name in ("namespaceSelector", "objectSelector"):
        spec["matchConstraints"].setdefault(name, {})
    spec["matchConstraints"].setdefault("matchPolicy", "Equivalent")
    for rule in spec["matchConstraints"].get("resourceRules", ()):
        rule.setdefault("scope", "*")


_FILLERS: dict[str, Callable[[Object], None]] = {
    "clusterrolebindings": _fill_binding,
    "namespaces": _fill_namespace,
    "networkpolicies": _fill_network_policy,
    "pods": _fill_pod,
    "rolebindings": _fill_binding,
    "services": _fill_service,
    "validatingadmissionpolicies": _fill_policy,
}


def _check_network_policy(kind: Kind, value: Object, before: Object | None) -> None:
    spec = value["spec"]
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction, ())):
            field = f"spec.{direction}[{index}]"
            for peer in rule.get(side, ()):
                if not peer:
                    raise _invalid(kind, value, f"{field}.{side}", "Required value: must specify a peer")
                if "ipBlock" in peer:
                    _check_block(kind, value, f"{field}.{side}", peer)
            for port in rule.get("ports", ()):
                if "endPort" in port and not (isinstance(port.get("port"), int) and port["port"] <= port["endPort"]):
                    raise _invalid(kind, value, f"{field}.ports", "Invalid value: must be greater than `port`")


def _check_block(kind: Kind, value: Object, field: str, peer: dict[str, Any]) -> None:
    if set(peer) != {"ipBlock"}:
        why = "Forbidden: may not specify both ipBlock and another peer"
        raise _invalid(kind, value, field, why)
    block = peer["ipBlock"]
    try:
        whole = ipaddress.ip_network(block["cidr"])
        for each in block.get("except", ()):
            part: Any = ipaddress.ip_network(each)
            if part.version != whole.version or part == whole or not part.subnet_of(whole):
                raise ValueError(f"{each} must be a strict subset of {block['cidr']}")
    except ValueError as error:
        raise _invalid(kind, value, f"{field}.ipBlock", f"Invalid value: {error}") from error


def _check_binding(kind: Kind, value: Object, before: Object | None) -> None:
    if before is not None and before["roleRef"] != value["roleRef"]:
        raise _invalid(kind, value, "roleRef", "Invalid value: cannot change roleRef")


def _check_service(kind: Kind, value: Object, before: Object | None) -> None:
    spec = value["spec"]
    if spec["type"] == "ExternalName" and not spec.get("externalName"):
        raise _invalid(kind, value, "spec.externalName", "Required value")
    if spec["type"] != "ExternalName" and not spec.get("ports") and spec.get("clusterIP") != "None":
        raise _invalid(kind, value, "spec.ports", "Required value")


def _check_policy(kind: Kind, value: Object, before: Object | None) -> None:
    validate_policy(value)


def _check_quota(kind: Kind, value: Object, before: Object | None) -> None:
    for name, most in value["spec"].get("hard", {}).items():
        if most.startswith("-"):
            raise _invalid(kind, value, f"spec.hard[{name}]", "Invalid value: must be greater than or equal to 0")


_CHECKERS: dict[str, Callable[[Kind, Object, Object | None], None]] = {
    "clusterrolebindings": _check_binding,
    "networkpolicies": _check_network_policy,
    "resourcequotas": _check_quota,
    "rolebindings": _check_binding,
    "services": _check_service,
    "validatingadmissionpolicies": _check_policy,
}
