"""Admission policies judged outside of any cluster, by two implementations of CEL that know nothing of each other."""

from collections.abc import Callable
from functools import cache
from typing import Any

import cel
import celpy
import celpy.adapter
import celpy.evaluation

from platforma.clouds.kubernetes.admission import Policy
from platforma.clouds.kubernetes.labels import ACCESS_NAMESPACE, TENANT

Value = Callable[[str, dict[str, Any]], Any]

OWN, OTHER = "11111111-0000-0000-0000-00000000000a", "22222222-0000-0000-0000-00000000000b"
MEMBER = f"system:serviceaccount:{ACCESS_NAMESPACE}:platforma-somebody"
CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"
NAMESPACE = {"metadata": {"name": "platforma-one", "labels": {TENANT: OWN, "platforma.internal/namespace": "one"}}}


def by_rust(expression: str, variables: dict[str, Any]) -> Any:
    """The value as the bindings of the Rust implementation have it."""
    return cel.evaluate(expression, variables)


def _equals(left: Any, right: Any) -> Any:
    """Compare as the CEL specification has it: null equals null alone. celpy knows of no map that is not null."""
    if left is None or right is None:
        return celpy.celtypes.BoolType(left is right)
    return celpy.evaluation.bool_eq(left, right)


def _is_other(left: Any, right: Any) -> Any:
    return celpy.celtypes.logical_not(_equals(left, right))


@cache
def _program(expression: str) -> Any:
    environment = celpy.Environment()
    return environment.program(environment.compile(expression), {"_==_": _equals, "_!=_": _is_other})


def by_python(expression: str, variables: dict[str, Any]) -> Any:
    """The value as the pure Python implementation has it."""
    activation = {name: celpy.adapter.json_to_cel(value) for name, value in variables.items()}
    value = _program(expression).evaluate(activation)
    return bool(value) if isinstance(value, celpy.celtypes.BoolType) else value


LIBRARIES = {"rust": by_rust, "python": by_python}


def refusals(policy: Policy, value_of: Value, **given: Any) -> list[str]:
    """Return the messages of the rules that refuse a write; none if the policy is not for it, or admits it."""
    user = given.pop("user", MEMBER)
    object_, old = given.get("object"), given.get("old")
    named = object_ if object_ is not None else old
    assert named is not None
    request = {
        "name": named["metadata"]["name"],
        "operation": "DELETE" if object_ is None else "CREATE" if old is None else "UPDATE",
        "userInfo": {"username": user, "groups": ["system:authenticated"]},
        "resource": {"resource": given.get("resource", "networkpolicies")},
    }
    variables = {"object": object_, "oldObject": old, "namespaceObject": given.get("namespace", NAMESPACE)}
    variables["request"] = request
    for condition in policy.conditions:
        if value_of(condition["expression"], variables) is not True:
            return []
    declared = {name: value_of(text, variables) for name, text in policy.variables.items()}
    variables["variables"] = declared
    return [rule.message for rule in policy.rules if value_of(rule.expression, variables) is not True]


def verdict(policy: Policy, **given: Any) -> list[str]:
    """Return the messages on which both implementations agree; fails where they do not."""
    found = {name: refusals(policy, library, **given) for name, library in LIBRARIES.items()}
    assert found["rust"] == found["python"], found
    return found["rust"]
