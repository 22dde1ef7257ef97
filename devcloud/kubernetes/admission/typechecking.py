"""Does an expression name fields that its kinds do not have? That is what `status.typeChecking` tells.

An expression is parsed, and each chain like `object.spec.ingress` is followed through the fields of the kind that the
policy is for. What has no known type (the result of a function, a map's values) is not followed further.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import celpy
import lark
from celpy.celparser import CELParseError
from lightkube.resources.core_v1 import Namespace

from devcloud.kubernetes.kinds import Kind, Shape, fields_of, kinds, shape_of
from devcloud.kubernetes.store import Object

MOST_KINDS = 10
"""The real server looks at the first ten kinds that a policy is for."""

_UNKNOWN = Shape("unknown", None)
_BOOLEAN = Shape("scalar", bool)
_COMPREHENSIONS = {"all", "exists", "exists_one", "filter", "map"}
_REQUEST = {
    "kind",
    "resource",
    "subResource",
    "requestKind",
    "requestResource",
    "requestSubResource",
    "name",
    "namespace",
    "operation",
    "userInfo",
    "options",
    "dryRun",
}
_TYPES = {"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"}

Scope = dict[str, Shape]


def type_check(policy: Object) -> list[dict[str, str]]:
    """Return the warnings about a ValidatingAdmissionPolicy's expressions, as `status.typeChecking` has them."""
    spec = policy["spec"]
    names = {each["name"] for each in spec.get("variables", ())}
    warnings = []
    for field, expression in _expressions(spec):
        errors: dict[str, None] = {}
        for kind in _kinds_of(spec):
            for error in _errors(expression, kind, names):
                errors[f"{kind.api_version}, Kind={kind.kind}: {error}"] = None
        if errors:
            warnings.append({"fieldRef": field, "warning": "\n".join(errors)})
    return warnings


def _expressions(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for index, each in enumerate(spec.get("variables", ())):
        yield f"spec.variables[{index}].expression", each["expression"]
    for index, each in enumerate(spec.get("matchConditions", ())):
        yield f"spec.matchConditions[{index}].expression", each["expression"]
    for index, each in enumerate(spec.get("validations", ())):
        yield f"spec.validations[{index}].expression", each["expression"]
        if "messageExpression" in each:
            yield f"spec.validations[{index}].messageExpression", each["messageExpression"]


def _kinds_of(spec: dict[str, Any]) -> list[Kind]:
    """Return the kinds that a policy names; those it means by wildcards are not looked at."""
    found = []
    for rule in spec["matchConstraints"].get("resourceRules", ()):
        for group in rule["apiGroups"]:
            for version in rule["apiVersions"]:
                for resource in rule["resources"]:
                    kind = kinds().get((group, version, resource))
                    if kind is not None and kind not in found:
                        found.append(kind)
    return found[:MOST_KINDS]


def _errors(expression: str, kind: Kind, variables: set[str]) -> list[str]:
    try:
        tree = celpy.Environment().compile(expression)
    except CELParseError as error:
        return [f"Syntax error: {' '.join(str(error).split())}"]
    root = Shape("object", kind.model)
    scope: Scope = {
        "object": root,
        "oldObject": root,
        "namespaceObject": Shape("object", Namespace),
        "request": Shape("request", None),
        "variables": Shape("variables", frozenset(variables)),
        "params": _UNKNOWN,
        "authorizer": _UNKNOWN,
    }
    checker = _Checker()
    checker.shape(tree, scope)
    return checker.errors


class _Checker:
    def __init__(self) -> None:
        self.errors: list[str] = []

    def shape(self, node: Any, scope: Scope) -> Shape:
        """Return the shape of what a node stands for, and note what it names in vain."""
        if isinstance(node, lark.Token):
            return _UNKNOWN
        match node.data:
            case "ident":
                return self._identifier(str(node.children[0]), scope)
            case "ident_arg":
                self._all(node.children[1:], scope)
                return _BOOLEAN
            case "member_dot":
                return self._field(self.shape(node.children[0], scope), str(node.children[1]))
            case "member_dot_arg":
                return self._call(node, scope)
            case "member_index":
                container = self.shape(node.children[0], scope)
                self._all(node.children[1:], scope)
                return shape_of(container.item) if container.form in ("list", "map") else _UNKNOWN
        if len(node.children) == 1:
            return self.shape(node.children[0], scope)
        self._all(node.children, scope)
        return _UNKNOWN

    def _all(self, nodes: list[Any], scope: Scope) -> None:
        for node in nodes:
            self.shape(node, scope)

    def _identifier(self, name: str, scope: Scope) -> Shape:
        if name in scope:
            return scope[name]
        if name not in _TYPES:
            self.errors.append(f"undeclared reference to '{name}'")
        return _UNKNOWN

    def _field(self, shape: Shape, name: str) -> Shape:
        if shape.form == "object":
            type_ = fields_of(shape.type).get(name)
            if type_ is not None:
                return shape_of(type_, shape.type.__name__, name)
        elif shape.form == "map":
            return shape_of(shape.item)
        elif (
            (shape.form == "request" and name in _REQUEST)
            or (shape.form == "variables" and name in shape.type)
            or shape.form == "unknown"
            or shape.type is Any
        ):
            return _UNKNOWN
        self.errors.append(f"undefined field '{name}'")
        return _UNKNOWN

    def _call(self, node: lark.Tree[Any], scope: Scope) -> Shape:
        receiver = self.shape(node.children[0], scope)
        name, arguments = str(node.children[1]), node.children[2:]
        if name not in _COMPREHENSIONS or not arguments:
            self._all(arguments, scope)
            return _UNKNOWN
        variable, *rest = arguments[0].children if isinstance(arguments[0], lark.Tree) else arguments
        inner = scope | {_only_identifier(variable): _element(receiver)}
        self._all(rest, inner)
        return receiver if name == "filter" else _UNKNOWN if name == "map" else _BOOLEAN


def _element(shape: Shape) -> Shape:
    """Return what a comprehension's variable stands for: elements of a list, and keys of a map."""
    if shape.form == "list":
        return shape_of(shape.item)
    return Shape("scalar", str) if shape.form == "map" else _UNKNOWN


def _only_identifier(node: Any) -> str:
    while isinstance(node, lark.Tree):
        node = node.children[0]
    return str(node)
