"""ValidatingAdmissionPolicies and their bindings.

Docs: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
"""

from __future__ import annotations

import contextlib
import copy
import re
import time
from collections.abc import Iterator
from typing import Any

from devcloud.kubernetes.admission.expressions import ExpressionError, check, evaluate
from devcloud.kubernetes.admission.typechecking import type_check
from devcloud.kubernetes.admission.write import Write
from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.problems import ApiProblem, invalid, qualified
from devcloud.kubernetes.selectors import selects
from devcloud.kubernetes.store import Object, Store

GROUP = "admissionregistration.k8s.io"
_CODES = {"Unauthorized": 401, "Forbidden": 403, "Invalid": 422, "RequestEntityTooLarge": 413}
_VARIABLE = re.compile(r"\bvariables\.(\w+)")


class Policies:
    """The policies that are in force. A change of them takes `delay_seconds` until it is, as in a real cluster."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._in_force: tuple[list[Object], list[Object]] = ([], [])
        self._seen: tuple[list[Object], list[Object]] = ([], [])
        self._seen_at = 0.0

    def check(self, store: Store, write: Write) -> None:
        """Refuse what a policy that is in force forbids."""
        if write.kind.group == GROUP:
            return
        policies, bindings = self._current(store)
        for policy in policies:
            for binding in bindings:
                if binding["spec"]["policyName"] == policy["metadata"]["name"]:
                    _check_policy(store, policy, binding, write)

    def _current(self, store: Store) -> tuple[list[Object], list[Object]]:
        stored = (
            list(store.objects(kind("validatingadmissionpolicies", GROUP))),
            list(store.objects(kind("validatingadmissionpolicybindings", GROUP))),
        )
        now = time.monotonic()
        if _specs(stored) != _specs(self._seen):
            self._seen, self._seen_at = stored, now
        if now >= self._seen_at + self._delay_seconds:
            self._in_force = self._seen
        return self._in_force


def _specs(stored: tuple[list[Object], list[Object]]) -> list[Any]:
    return [(each["metadata"]["name"], each["spec"]) for half in stored for each in half]


def validate_policy(policy: Object) -> None:
    """Refuse a policy with an expression that is none; raises ApiProblem (422)."""
    spec, name = policy["spec"], policy["metadata"]["name"]
    for section in ("variables", "matchConditions", "validations"):
        for index, each in enumerate(spec.get(section, ())):
            try:
                check(each["expression"])
            except ExpressionError as error:
                field = f"spec.{section}[{index}].expression"
                raise invalid("ValidatingAdmissionPolicy", GROUP, name, field, str(error)) from error


def update_status(store: Store, policy: Object) -> None:
    """Write the type checker's findings into a policy's status, as the real one's controller does."""
    status: dict[str, Any] = {"observedGeneration": policy["metadata"]["generation"], "typeChecking": {}}
    warnings = type_check(policy)
    if warnings:
        status["typeChecking"] = {"expressionWarnings": warnings}
    changed = copy.deepcopy(policy)
    changed["status"] = status
    store.put(kind("validatingadmissionpolicies", GROUP), changed)


def _check_policy(store: Store, policy: Object, binding: Object, write: Write) -> None:
    spec = policy["spec"]
    if not _matches(store, spec["matchConstraints"], write):
        return
    if "matchResources" in binding["spec"] and not _matches(store, binding["spec"]["matchResources"], write):
        return
    environment = _Environment(store, spec, write)
    fails = spec.get("failurePolicy", "Fail") == "Fail"
    try:
        if not all(environment.value(each["expression"]) is True for each in spec.get("matchConditions", ())):
            return
    except ExpressionError as error:
        if fails:
            raise _denied(policy, binding, write, {}, str(error)) from error
        return
    for validation in spec.get("validations", ()):
        try:
            is_good = environment.value(validation["expression"]) is True
            why = _message(environment, validation)
        except ExpressionError as error:
            is_good, why = not fails, f"expression '{validation['expression']}' resulted in error: {error}"
        if not is_good and "Deny" in binding["spec"].get("validationActions", ()):
            raise _denied(policy, binding, write, validation, why)


def _message(environment: _Environment, validation: dict[str, Any]) -> str:
    if "messageExpression" in validation:
        try:
            return str(environment.value(validation["messageExpression"]))
        except ExpressionError:
            pass
    return validation.get("message") or f"failed expression: {validation['expression'].strip()}"


def _denied(policy: Object, binding: Object, write: Write, validation: dict[str, Any], why: str) -> ApiProblem:
    reason = validation.get("reason", "Invalid")
    named = f' "{write.name}"' if write.name else ""
    state = "is forbidden" if reason == "Forbidden" else "is invalid"
    message = (
        f"{qualified(write.kind.plural, write.kind.group)}{named} {state}: ValidatingAdmissionPolicy "
        f"'{policy['metadata']['name']}' with binding '{binding['metadata']['name']}' denied request: {why}"
    )
    details = {"name": write.name, "group": write.kind.group, "kind": write.kind.plural}
    return ApiProblem(_CODES[reason], reason, message, **details, causes=[{"message": why}])


class _Environment:
    """The variables of one policy for one write; those that the policy declares are found when they are asked for."""

    def __init__(self, store: Store, spec: dict[str, Any], write: Write) -> None:
        namespace = store.find(kind("namespaces"), "", write.namespace) if write.namespace else None
        if write.kind.plural == "namespaces":
            namespace = None
        self._declared = {each["name"]: each["expression"] for each in spec.get("variables", ())}
        self._values: dict[str, Any] = {}
        self._variables = {
            "object": write.object,
            "oldObject": write.old_object,
            "request": write.request(),
            "namespaceObject": namespace,
            "params": None,
        }

    def value(self, expression: str) -> Any:
        """Return the value of an expression; raises ExpressionError.

        A variable without a value is an error only where it is really asked for.
        """
        for name in _VARIABLE.findall(expression):
            if name not in self._values and name in self._declared:
                with contextlib.suppress(ExpressionError):
                    self._values[name] = self.value(self._declared[name])
        return evaluate(expression, self._variables | {"variables": dict(self._values)})


def _matches(store: Store, constraints: dict[str, Any], write: Write) -> bool:
    if any(_rule_matches(rule, write) for rule in constraints.get("excludeResourceRules", ())):
        return False
    rules = constraints.get("resourceRules")
    if rules is not None and not any(_rule_matches(rule, write) for rule in rules):
        return False
    return _namespace_matches(store, constraints, write) and _object_matches(constraints, write)


def _rule_matches(rule: dict[str, Any], write: Write) -> bool:
    return (
        _any(rule["operations"], write.operation)
        and _any(rule["apiGroups"], write.kind.group)
        and _any(rule["apiVersions"], write.kind.version)
        and any(_resource_matches(each, write) for each in rule["resources"])
        and (not rule.get("resourceNames") or write.name in rule["resourceNames"])
    )


def _resource_matches(pattern: str, write: Write) -> bool:
    plural, _, subresource = pattern.partition("/")
    return plural in ("*", write.kind.plural) and (subresource == write.subresource or subresource == "*")


def _any(patterns: list[str], value: str) -> bool:
    return "*" in patterns or value in patterns


def _namespace_matches(store: Store, constraints: dict[str, Any], write: Write) -> bool:
    selector = constraints.get("namespaceSelector")
    if not selector:
        return True
    if write.kind.plural == "namespaces" and not write.kind.group:
        # As the real one: of a namespace that is written its new labels count, of one that is deleted those it has.
        labels = _labels(write.object if write.object is not None else write.old_object)
        return selects(selector, labels)
    if not write.namespace:
        return True
    return selects(selector, _labels(store.find(kind("namespaces"), "", write.namespace)))


def _object_matches(constraints: dict[str, Any], write: Write) -> bool:
    selector = constraints.get("objectSelector")
    return not selector or any(selects(selector, each) for each in _both_labels(write))


def _both_labels(write: Write) -> Iterator[dict[str, str]]:
    for value in (write.object, write.old_object):
        if value is not None:
            yield _labels(value)


def _labels(value: Object | None) -> dict[str, str]:
    return dict(((value or {}).get("metadata") or {}).get("labels") or {})
