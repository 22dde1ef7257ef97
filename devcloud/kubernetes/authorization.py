"""Who may do what: roles and their bindings.

Docs: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from devcloud.kubernetes.authentication import User
from devcloud.kubernetes.kinds import kind
from devcloud.kubernetes.problems import ApiProblem, forbidden
from devcloud.kubernetes.store import Object, Store

RBAC = "rbac.authorization.k8s.io"
Rule = dict[str, Any]


@dataclass(frozen=True)
class Attributes:
    """What is asked for. `resource` has the subresource after a slash; `path` is of requests for no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Authorizer:
    """Answers by the roles that are stored."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def check(self, user: User, asked: Attributes) -> None:
        """Raise ApiProblem (403) unless the user may do it."""
        if self.may(user, asked):
            return
        if asked.path:
            message = f'forbidden: User "{user.username}" cannot {asked.verb} path "{asked.path}"'
            raise ApiProblem(403, "Forbidden", message)
        plural, _, _subresource = asked.resource.partition("/")
        where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        why = (
            f'User "{user.username}" cannot {asked.verb} resource "{asked.resource}" '
            f'in API group "{asked.group}" {where}'
        )
        raise forbidden(plural, asked.group, asked.name, why)

    def may(self, user: User, asked: Attributes) -> bool:
        """Say whether the user may do it."""
        if "system:masters" in user.groups:
            return True
        return any(_allows(rule, asked) for rule in self.rules(user, asked.namespace))

    def rules(self, user: User, namespace: str) -> Iterator[Rule]:
        """Yield the rules that hold for a user at the cluster's scope and, if one is named, in a namespace."""
        for binding in self._store.objects(kind("clusterrolebindings", RBAC)):
            if _is_subject(user, binding):
                yield from self._rules_of(binding["roleRef"], "")
        if namespace:
            for binding in self._store.objects(kind("rolebindings", RBAC), namespace):
                if _is_subject(user, binding):
                    yield from self._rules_of(binding["roleRef"], namespace)

    def check_escalation(self, user: User, plural: str, value: Object, before: Object | None) -> None:
        """Raise ApiProblem (403) for a role or binding that would give what the writer does not have.

        A binding needs the verb `bind` on its role, a role the verb `escalate`; or all that the role gives.
        """
        namespace, name = value["metadata"].get("namespace", ""), value["metadata"]["name"]
        if plural in ("roles", "clusterroles"):
            if before is not None and before.get("rules") == value.get("rules"):
                return
            verb, of, of_name, rules = "escalate", plural, name, list(value.get("rules") or ())
        else:
            reference = value["roleRef"]
            of, of_name = ("clusterroles" if reference["kind"] == "ClusterRole" else "roles"), reference["name"]
            if not self.may(user, Attributes("bind", RBAC, of, namespace, of_name)) and not self._has_role(
                reference, namespace
            ):
                raise ApiProblem(404, "NotFound", f'{of}.{RBAC} "{of_name}" not found', name=of_name)
            verb, rules = "bind", list(self._rules_of(reference, namespace))
        if self.may(user, Attributes(verb, RBAC, of, namespace, of_name)):
            return
        own = list(self.rules(user, namespace))
        missing = [rule for rule in rules if not _covers(own, rule)]
        if missing and "system:masters" not in user.groups:
            why = f'user "{user.username}" is attempting to grant RBAC permissions not currently held: {missing}'
            raise forbidden(plural, RBAC, name, why)

    def _has_role(self, reference: Rule, namespace: str) -> bool:
        plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
        where = "" if plural == "clusterroles" else namespace
        return self._store.find(kind(plural, RBAC), where, reference["name"]) is not None

    def _rules_of(self, reference: Rule, namespace: str) -> Iterator[Rule]:
        plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
        role = self._store.find(kind(plural, RBAC), "" if plural == "clusterroles" else namespace, reference["name"])
        if role is not None:
            yield from role.get("rules") or ()


def _is_subject(user: User, binding: Object) -> bool:
    for subject in binding.get("subjects") or ():
        match subject["kind"]:
            case "User" if subject["name"] == user.username:
                return True
            case "Group" if subject["name"] in user.groups:
                return True
            case "ServiceAccount":
                namespace = subject.get("namespace") or binding["metadata"].get("namespace", "")
                if user.username == f"system:serviceaccount:{namespace}:{subject['name']}":
                    return True
    return False


def _allows(rule: Rule, asked: Attributes) -> bool:
    if not _in(rule.get("verbs"), asked.verb):
        return False
    if asked.path:
        paths = rule.get("nonResourceURLs") or ()
        return any(each in ("*", asked.path) or _is_below(asked.path, each) for each in paths)
    subresource = asked.resource.partition("/")[2]
    named = rule.get("resources") or ()
    is_resource = "*" in named or asked.resource in named or (bool(subresource) and f"*/{subresource}" in named)
    names = rule.get("resourceNames") or ()
    return _in(rule.get("apiGroups"), asked.group) and is_resource and (not names or asked.name in names)


def _in(values: list[str] | None, wanted: str) -> bool:
    return values is not None and ("*" in values or wanted in values)


def _is_below(path: str, pattern: str) -> bool:
    return pattern.endswith("*") and path.startswith(pattern[:-1])


def _covers(own: list[Rule], rule: Rule) -> bool:
    """Say whether every single right of a rule is in one of one's own."""
    for path in rule.get("nonResourceURLs") or ():
        for verb in rule["verbs"]:
            if not any(_allows(each, Attributes(verb, path=path)) for each in own):
                return False
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule["verbs"]:
                for name in rule.get("resourceNames") or [""]:
                    if not any(_allows(each, Attributes(verb, group, resource, "", name)) for each in own):
                        return False
    return True
