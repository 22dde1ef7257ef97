"""Who set which field: server-side apply, and the managed fields that every write leaves.

A set of fields is a set of paths, whose elements are written as in `fieldsV1`: `f:name` of an object, `k:{...}` of an
element that is told apart by keys, `v:...` of an element of a set, and `.` for an element as such.
Docs: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from devcloud.kubernetes.kinds import Shape, fields_of, shape_of
from devcloud.kubernetes.problems import ApiProblem

Path = tuple[str, ...]
Fields = frozenset[Path]

_NOT_OWNED = {
    ("f:apiVersion",),
    ("f:kind",),
    *(
        ("f:metadata", f"f:{name}")
        for name in (
            "creationTimestamp",
            "deletionTimestamp",
            "generation",
            "managedFields",
            "name",
            "namespace",
            "resourceVersion",
            "selfLink",
            "uid",
        )
    ),
}


@dataclass(frozen=True)
class Manager:
    """Who writes, how (`Apply` or `Update`), and through which subresource."""

    name: str
    operation: str
    subresource: str = ""


Managed = dict[Manager, Fields]


def apply(
    live: dict[str, Any], applied: dict[str, Any], model: type, managed: Managed, name: str, *, force: bool
) -> tuple[dict[str, Any], Managed]:
    """Return the object with what is applied merged into it, and who has which field then.

    Raises ApiProblem (409) for fields that others have with other values, unless it is forced. What this manager
    applied before and applies no more is removed, unless others have it too.
    """
    shape = shape_of(model)
    mine = Manager(name, "Apply")
    wanted = owned(applied, model)
    conflicts: list[tuple[Manager, Path]] = []
    for manager, fields in managed.items():
        if manager == mine:
            continue
        for path in wanted & fields:
            if path[-1] != "." and find(live, shape, path) != find(applied, shape, path):
                conflicts.append((manager, path))
    if conflicts and not force:
        raise _conflict(conflicts)
    merged = merge(live, applied, shape)
    after = {manager: fields - {path for _, path in conflicts} for manager, fields in managed.items()}
    dropped = after.pop(mine, frozenset()) - wanted
    for path in sorted(dropped, key=len, reverse=True):
        if not any(_has(fields, path) for fields in after.values()) and not _has(wanted, path):
            remove(merged, shape, path)
    after[mine] = wanted
    return merged, {manager: fields for manager, fields in after.items() if fields}


def update(
    old: dict[str, Any], new: dict[str, Any], model: type, managed: Managed, name: str, subresource: str = ""
) -> Managed:
    """Return who has which field after an object was replaced or patched: its writer has all that changed."""
    mine = Manager(name, "Update", subresource)
    shape = shape_of(model)
    before, now = owned(old, model), owned(new, model)
    changed = {path for path in now if path not in before or find(old, shape, path) != find(new, shape, path)}
    after = {manager: frozenset((fields - changed) & now) for manager, fields in managed.items()}
    after[mine] = frozenset(after.get(mine, frozenset()) | changed)
    return {manager: fields for manager, fields in after.items() if fields}


def owned(value: dict[str, Any], model: type) -> Fields:
    """Return the fields that an object sets, without those that are nobody's."""
    found = _paths(value, shape_of(model), ())
    return frozenset(path for path in found if path[:1] not in _NOT_OWNED and path[:2] not in _NOT_OWNED)


def _paths(value: Any, shape: Shape, path: Path) -> Iterable[Path]:
    if shape.is_atomic or shape.form == "scalar" or not value:
        yield path
    elif shape.form == "list":
        for each in value:
            key = _key(each, shape)
            if shape.is_set:
                yield (*path, key)
            else:
                yield (*path, key, ".")
                yield from _paths(each, shape_of(shape.item), (*path, key))
    else:
        for name, each in value.items():
            inner = _inner(shape, name)
            if inner is not None:
                yield from _paths(each, inner, (*path, f"f:{name}"))


def _inner(shape: Shape, name: str) -> Shape | None:
    if shape.form == "map":
        return shape_of(shape.item)
    type_ = fields_of(shape.type).get(name)
    return None if type_ is None else shape_of(type_, shape.type.__name__, name)


def _key(item: Any, shape: Shape) -> str:
    if shape.is_set:
        return f"v:{json.dumps(item)}"
    defaults = {"protocol": "TCP"}
    return "k:" + json.dumps({key: item.get(key, defaults.get(key)) for key in shape.keys}, sort_keys=True)


def merge(live: Any, applied: Any, shape: Shape) -> Any:
    """Return a value with another merged into it, as its shape says."""
    if live is None or shape.is_atomic or shape.form == "scalar":
        return copy.deepcopy(applied)
    if shape.form == "list":
        merged = {_key(each, shape): copy.deepcopy(each) for each in live}
        inner = shape_of(shape.item)
        for each in applied:
            key = _key(each, shape)
            merged[key] = each if shape.is_set else merge(merged.get(key), each, inner)
        return list(merged.values())
    result = copy.deepcopy(live)
    for name, each in applied.items():
        inner_shape = _inner(shape, name)
        if inner_shape is not None:
            result[name] = merge(result.get(name), each, inner_shape)
    return result


def find(value: Any, shape: Shape, path: Path) -> Any:
    """Return what is at a path, or None."""
    for element in path:
        if value is None or element == ".":
            return value
        if element.startswith("f:"):
            value, shape = value.get(element[2:]), _inner(shape, element[2:]) or shape
        else:
            value = next((each for each in value if _key(each, shape) == element), None)
            shape = shape_of(shape.item)
    return value


def remove(value: Any, shape: Shape, path: Path) -> None:
    """Take away what is at a path, and what becomes empty by it."""
    element, rest = path[0], tuple(each for each in path[1:] if each != ".")
    if element.startswith("f:"):
        name = element[2:]
        if name not in value:
            return
        if rest:
            remove(value[name], _inner(shape, name) or shape, rest)
        if not rest or value[name] in ([], {}):
            del value[name]
        return
    for index, each in enumerate(value):
        if _key(each, shape) == element:
            if rest:
                remove(each, shape_of(shape.item), rest)
            else:
                del value[index]
            return


def _has(fields: Fields, path: Path) -> bool:
    """Say whether a path, or anything in it, is in a set."""
    bare = path[:-1] if path[-1] == "." else path
    return any(each[: len(bare)] == bare for each in fields)


def _conflict(conflicts: list[tuple[Manager, Path]]) -> ApiProblem:
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{manager.name}"', "field": shown(path)}
        for manager, path in sorted(conflicts, key=lambda each: each[1])
    ]
    plural = "s" if len(causes) > 1 else ""
    first = f'conflict with "{conflicts[0][0].name}"'
    message = f"Apply failed with {len(causes)} conflict{plural}: {first}: {', '.join(c['field'] for c in causes)}"
    return ApiProblem(409, "Conflict", message, causes=causes)


def shown(path: Path) -> str:
    """Return a path as messages have it."""
    parts = []
    for element in path:
        if element.startswith("f:"):
            parts.append(f".{element[2:]}")
        elif element != ".":
            parts.append(f"[{element[2:]}]")
    return "".join(parts)


def to_entries(managed: Managed, times: dict[Manager, str], api_version: str) -> list[dict[str, Any]]:
    """Return `metadata.managedFields`."""
    entries = []
    for manager, fields in managed.items():
        tree: dict[str, Any] = {}
        for path in sorted(fields):
            node = tree
            for element in path:
                node = node.setdefault(element, {})
        entry = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": api_version,
            "time": times.get(manager) or now(),
            "fieldsType": "FieldsV1",
            "fieldsV1": tree,
        }
        entries.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    return entries


def from_entries(entries: Iterable[dict[str, Any]]) -> tuple[Managed, dict[Manager, str]]:
    """Return what `metadata.managedFields` says: who has which fields, and since when."""
    managed: Managed = {}
    times: dict[Manager, str] = {}
    for entry in entries:
        manager = Manager(entry["manager"], entry["operation"], entry.get("subresource", ""))
        managed[manager] = frozenset(_leaves(entry["fieldsV1"], ()))
        times[manager] = entry["time"]
    return managed, times


def _leaves(tree: dict[str, Any], path: Path) -> Iterable[Path]:
    for element, inner in tree.items():
        if inner:
            yield from _leaves(inner, (*path, element))
        else:
            yield (*path, element)


def now() -> str:
    """Return the present moment as the API writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
