"""LimitRanges: what containers get that ask for nothing, and the most that they may ask for."""

from __future__ import annotations

from typing import Any

from devcloud.kubernetes.admission.write import Write
from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.problems import forbidden
from devcloud.kubernetes.quantities import quantity
from devcloud.kubernetes.store import Store


def apply_limits(store: Store, write: Write) -> None:
    """Fill in defaults of a new pod's containers; refuse what is above a maximum or below a minimum."""
    if not write.is_of("pods") or write.operation != "CREATE" or write.object is None:
        return
    for limits in store.objects(kind("limitranges"), write.namespace):
        for item in limits["spec"]["limits"]:
            if item["type"] == "Container":
                for container in write.object["spec"]["containers"]:
                    _fill(container, item)
                    _check(write, container, item)


def _fill(container: dict[str, Any], item: dict[str, Any]) -> None:
    resources = container.setdefault("resources", {})
    for part, defaults in (("limits", "default"), ("requests", "defaultRequest")):
        for name, value in item.get(defaults, {}).items():
            if part == "requests" and name in resources.get("limits", {}) and name not in item.get("default", {}):
                continue
            resources.setdefault(part, {}).setdefault(name, value)
    for name, limit in resources.get("limits", {}).items():
        request = resources.setdefault("requests", {}).setdefault(name, limit)
        if quantity(request) > quantity(limit):
            resources["requests"][name] = limit


def _check(write: Write, container: dict[str, Any], item: dict[str, Any]) -> None:
    resources = container["resources"]
    for name, most in item.get("max", {}).items():
        limit = resources.get("limits", {}).get(name)
        if limit is not None and quantity(limit) > quantity(most):
            why = f"maximum {name} usage per Container is {most}, but limit is {limit}"
            raise forbidden("pods", "", write.name, why)
    for name, least in item.get("min", {}).items():
        request = resources.get("requests", {}).get(name)
        if request is not None and quantity(request) < quantity(least):
            why = f"minimum {name} usage per Container is {least}, but request is {request}"
            raise forbidden("pods", "", write.name, why)
