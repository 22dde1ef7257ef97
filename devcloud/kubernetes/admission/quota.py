"""ResourceQuotas: what is counted, and what would be too much."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from devcloud.kubernetes.admission.write import Write
from devcloud.kubernetes.kinds import Kind, kind, kinds
from devcloud.kubernetes.problems import forbidden
from devcloud.kubernetes.quantities import quantity, shown
from devcloud.kubernetes.store import Object, Store

Usage = dict[str, Decimal]

_BY_NAME = ("configmaps", "persistentvolumeclaims", "pods", "resourcequotas", "secrets", "services")


def check_quota(store: Store, write: Write) -> None:
    """Refuse a write that would exceed a quota of its namespace, or a pod that does not say what it asks for."""
    if write.object is None or write.subresource or not write.namespace:
        return
    more = usage_of(write.kind, write.object)
    if write.old_object is not None:
        before = usage_of(write.kind, write.old_object)
        more = {name: value - before.get(name, Decimal(0)) for name, value in more.items()}
    for quota in store.objects(kind("resourcequotas"), write.namespace):
        hard = quota["spec"].get("hard", {})
        if write.is_of("pods") and write.operation == "CREATE":
            _check_is_said(write, quota, hard, more)
        used = usage_in(store, write.namespace)
        over = [n for n, m in more.items() if n in hard and m > 0 and used.get(n, Decimal(0)) + m > quantity(hard[n])]
        if over:
            asked = ",".join(f"{name}={shown(more[name])}" for name in sorted(over))
            have = ",".join(f"{name}={shown(used.get(name, Decimal(0)))}" for name in sorted(over))
            limited = ",".join(f"{name}={hard[name]}" for name in sorted(over))
            why = f"exceeded quota: {quota['metadata']['name']}, requested: {asked}, used: {have}, limited: {limited}"
            raise forbidden(write.kind.plural, write.kind.group, write.name, why)


def _check_is_said(write: Write, quota: Object, hard: dict[str, str], more: Usage) -> None:
    needed = [name for name in hard if name.startswith(("requests.", "limits.")) and name != "requests.storage"]
    missing = sorted(name for name in needed if name not in more)
    if missing:
        why = f"failed quota: {quota['metadata']['name']}: must specify {','.join(missing)}"
        raise forbidden("pods", "", write.name, why)


def update_quotas(store: Store, namespace: str) -> None:
    """Write into the status of a namespace's quotas how much of them is used, as the real one's controller does."""
    quotas = list(store.objects(kind("resourcequotas"), namespace))
    used = usage_in(store, namespace) if quotas else {}
    for quota in quotas:
        hard = quota["spec"].get("hard", {})
        status = {"hard": hard, "used": {name: shown(used.get(name, Decimal(0)), name) for name in hard}}
        if quota.get("status") != status:
            changed = copy.deepcopy(quota)
            changed["status"] = status
            store.put(kind("resourcequotas"), changed)


def usage_in(store: Store, namespace: str) -> Usage:
    """Return what is used in a namespace."""
    total: Usage = {}
    for each in kinds().values():
        if each.is_namespaced:
            for value in store.objects(each, namespace):
                for name, amount in usage_of(each, value).items():
                    total[name] = total.get(name, Decimal(0)) + amount
    return total


def usage_of(kind_: Kind, value: Object) -> Usage:
    """Return what one object counts for, by the names that quotas use."""
    count = f"count/{kind_.plural}.{kind_.group}" if kind_.group else f"count/{kind_.plural}"
    used: Usage = {count: Decimal(1)}
    if not kind_.group and kind_.plural in _BY_NAME:
        used[kind_.plural] = Decimal(1)
    match kind_.kind if not kind_.group else "":
        case "Pod":
            used |= _of_pod(value)
        case "Service":
            used |= _of_service(value["spec"])
        case "PersistentVolumeClaim":
            asked = value["spec"].get("resources", {}).get("requests", {}).get("storage", "0")
            used["requests.storage"] = quantity(asked)
    return used


def _of_pod(value: Object) -> Usage:
    if value.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return {"pods": Decimal(0)}
    used: Usage = {}
    for part, name, amount in _asked(value["spec"]):
        for key in (f"{part}.{name}", *([name] if part == "requests" else ())):
            used[key] = used.get(key, Decimal(0)) + amount
    return used


def _asked(spec: dict[str, Any]) -> Iterator[tuple[str, str, Decimal]]:
    for container in spec["containers"]:
        for part in ("requests", "limits"):
            for name, amount in container.get("resources", {}).get(part, {}).items():
                yield part, name, quantity(amount)


def _of_service(spec: dict[str, Any]) -> Usage:
    type_ = spec.get("type", "ClusterIP")
    has_ports = type_ == "NodePort" or (type_ == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True))
    ports = len(spec.get("ports", ())) if has_ports else 0
    balancers = 1 if type_ == "LoadBalancer" else 0
    return {"services.nodeports": Decimal(ports), "services.loadbalancers": Decimal(balancers)}
