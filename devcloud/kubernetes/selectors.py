"""Label and field selectors, in a request's words and in an object's.

Docs: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from devcloud.kubernetes.problems import bad_request

Test = Callable[[Mapping[str, str]], bool]

_IN = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")
_PART = re.compile(r"[^,(]+(?:\([^)]*\))?")
_EQUAL = re.compile(r"^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$")


def label_test(selector: str) -> Test:
    """Return whether labels are chosen by a selector like `a=b,c!=d,e in (f,g),h,!i`; raises ApiProblem (400)."""
    tests = [_one(part.strip()) for part in _PART.findall(selector) if part.strip()]
    return lambda labels: all(test(labels) for test in tests)


def _one(part: str) -> Test:
    if found := _IN.match(part):
        key, operator, values = found.groups()
        chosen = {each.strip() for each in values.split(",")}
        if operator == "in":
            return lambda labels: key in labels and labels[key] in chosen
        return lambda labels: labels.get(key) not in chosen
    if found := _EQUAL.match(part):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if re.fullmatch(r"!?\S+", part):
        name = part.removeprefix("!")
        return lambda labels: (name in labels) != part.startswith("!")
    raise bad_request(f"unable to parse requirement: {part!r}")


def field_test(selector: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return whether an object is chosen by a selector like `metadata.name=a,status.phase!=b`."""
    tests: list[tuple[list[str], str, str]] = []
    for part in filter(None, (each.strip() for each in selector.split(","))):
        found = _EQUAL.match(part)
        if not found:
            raise bad_request(f"invalid field selector {part!r}")
        tests.append((found[1].split("."), found[2], found[3]))

    def test(value: Mapping[str, Any]) -> bool:
        return all((_at(value, path) == wanted) != (operator == "!=") for path, operator, wanted in tests)

    return test


def _at(value: Any, path: list[str]) -> str:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return "" if value is None else str(value)


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Say whether a LabelSelector chooses labels. None chooses nothing, and the empty one everything."""
    if selector is None:
        return False
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", ()):
        key, values = each["key"], each.get("values", ())
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds[each["operator"]]:
            return False
    return True
