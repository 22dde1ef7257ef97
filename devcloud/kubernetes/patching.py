"""Patches: JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386), and Kubernetes' strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch

from devcloud.kubernetes.fields import merge
from devcloud.kubernetes.kinds import Shape, fields_of, shape_of
from devcloud.kubernetes.problems import ApiProblem, bad_request

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCHES = ("application/apply-patch+yaml", "application/apply-patch+cbor")


def patched(value: dict[str, Any], patch: Any, form: str, model: type) -> dict[str, Any]:
    """Return an object with a patch of a form applied to it; raises ApiProblem (400, 415, 422)."""
    if form == JSON_PATCH:
        try:
            result: dict[str, Any] = jsonpatch.apply_patch(value, patch)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            raise ApiProblem(
                422, "Invalid", f"the server rejected our request due to an error in our request: {error}"
            ) from error
        return result
    if not isinstance(patch, dict):
        raise bad_request("the patch is not an object")
    if form == MERGE_PATCH:
        return dict(_merged(value, patch))
    if form == STRATEGIC_PATCH:
        return dict(_strategic(value, patch, shape_of(model)))
    raise ApiProblem(415, "UnsupportedMediaType", f"the body of the request was in an unknown format - {form}")


def _merged(value: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(value) if isinstance(value, dict) else {}
    for name, each in patch.items():
        if each is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), each)
    return result


def _strategic(value: Any, patch: dict[str, Any], shape: Shape) -> Any:
    if any(name.startswith("$") for name in patch):
        raise bad_request("the stand-in knows no directives of strategic merge patches")
    result = dict(value or {})
    for name, each in patch.items():
        if each is None:
            result.pop(name, None)
            continue
        inner = shape_of(shape.item) if shape.form == "map" else None
        if shape.form == "object" and name in fields_of(shape.type):
            inner = shape_of(fields_of(shape.type)[name], shape.type.__name__, name)
        if isinstance(each, dict) and inner is not None and inner.form in ("object", "map"):
            result[name] = _strategic(result.get(name), each, inner)
        elif inner is not None and inner.keys and isinstance(each, list):
            result[name] = merge(result.get(name), each, inner)
        else:
            result[name] = copy.deepcopy(each)
    return result
