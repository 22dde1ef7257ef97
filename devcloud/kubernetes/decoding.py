"""From the JSON of a request to an object: fields that its kind does not have are dropped or refused, types checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from devcloud.kubernetes.kinds import Shape, fields_of, fits, required_fields, shape_of
from devcloud.kubernetes.problems import bad_request


@dataclass
class Decoded:
    """An object with known fields only, and what was not known or was missing, as paths."""

    value: dict[str, Any]
    unknown: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def decode(body: Any, model: type) -> Decoded:
    """Return an object as its kind has it; raises ApiProblem (400) for values of the wrong type.

    What is empty is dropped as the real server does: lists, maps and nulls, but not objects (an empty selector
    chooses everything, and no selector nothing).
    """
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type Object)")
    result = Decoded({})
    result.value = _object(body, model, "", result)
    return result


def without_empty(value: Any, model: type) -> Any:
    """Return an object as it is answered: without empty lists and maps."""
    return decode(value, model).value


def _object(value: dict[str, Any], model: type, path: str, result: Decoded) -> dict[str, Any]:
    known = fields_of(model)
    made: dict[str, Any] = {}
    for name, each in value.items():
        where = f"{path}.{name}" if path else name
        if name not in known:
            result.unknown.append(where)
            continue
        if each is None:
            continue
        kept = _value(each, shape_of(known[name], model.__name__, name), where, result)
        if kept is not None:
            made[name] = kept
    for name in required_fields(model):
        if name not in made and not _is_empty(value.get(name)):
            result.missing.append(f"{path}.{name}" if path else name)
    return made


def _is_empty(value: Any) -> bool:
    """Say whether a value is there and has nothing in it."""
    return value in ([], {})


def _value(value: Any, shape: Shape, path: str, result: Decoded) -> Any:
    if shape.form == "object":
        if not isinstance(value, dict):
            raise _mismatch(value, path, "object")
        return _object(value, shape.type, path, result)
    if shape.form == "list":
        if not isinstance(value, list):
            raise _mismatch(value, path, "list")
        inner = shape_of(shape.item)
        return [_value(each, inner, f"{path}[{index}]", result) for index, each in enumerate(value)] or None
    if shape.form == "map":
        if not isinstance(value, dict):
            raise _mismatch(value, path, "map")
        inner = shape_of(shape.item)
        return {name: _value(each, inner, f"{path}.{name}", result) for name, each in value.items()} or None
    if not fits(value, shape.type):
        raise _mismatch(value, path, getattr(shape.type, "__name__", str(shape.type)))
    return value


def _mismatch(value: Any, path: str, wanted: str) -> Exception:
    return bad_request(
        f"unable to decode: json: cannot unmarshal {type(value).__name__} into field {path} of type {wanted}"
    )
