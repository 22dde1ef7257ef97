"""Requests for an operation of the inventory, with chosen ids in chosen places."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from platforma.verification.inventory import FORM, ApiOperation, IdPlace


class UnknownPlaceError(LookupError):
    """An id can stand somewhere, and nobody said whose it is: what cannot be attacked is not known to be safe."""


@dataclass(frozen=True)
class PreparedRequest:
    """A request, ready to be sent."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def prepare(
    operation: ApiOperation, ids: Mapping[IdPlace, str], *, body: Mapping[str, Any] | None = None
) -> PreparedRequest:
    """Return the request with these ids in these places. Every place in the path must have one.

    `body` replaces the one that is made from the schema.
    """
    path = operation.path
    query: list[tuple[str, str]] = []
    filled: Any = deepcopy(dict(body)) if body is not None else operation.example_body()
    for place, value in ids.items():
        if place.location == "path":
            path = path.replace("{" + place.path[0] + "}", value)
        elif place.location == "query":
            query.append((place.path[0], value))
        else:
            filled = put(operation, filled, operation.body_schema or {}, place.path, value)
    if "{" in path:
        raise UnknownPlaceError(f"{operation.id}: the path {path} has a place without an id.")
    target = path + ("?" + urlencode(query) if query else "")
    if filled is None or operation.media_type is None:
        return PreparedRequest(operation.method, target)
    content = urlencode(filled, doseq=True) if operation.media_type == FORM else json.dumps(filled)
    return PreparedRequest(operation.method, target, {"content-type": operation.media_type}, content.encode())


def put(operation: ApiOperation, body: Any, schema: Mapping[str, Any], path: tuple[str, ...], value: str) -> Any:
    """Return the body with a value at a path, making the objects and lists on the way to it from the schema."""
    if not path:
        return value
    schema = operation.resolve(schema)
    if "anyOf" in schema:
        fitting = "items" if path[0] == "*" else "properties"
        options = [operation.resolve(option) for option in schema["anyOf"]]
        schema = next((option for option in options if fitting in option), options[0])
    if path[0] == "*":
        inner = schema["items"]
        items = body if isinstance(body, list) and body else [operation.example(inner)]
        return [put(operation, items[0], inner, path[1:], value)]
    inner = schema["properties"][path[0]]
    fields = dict(body) if isinstance(body, dict) else dict(operation.example(schema) or {})
    fields[path[0]] = put(operation, fields.get(path[0]), inner, path[1:], value)
    return fields
