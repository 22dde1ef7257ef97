"""The verbs of a resource: what GET, POST, PUT, PATCH and DELETE do to objects that may be read or written."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from devcloud.kubernetes import fields
from devcloud.kubernetes.admission import Admission, Write
from devcloud.kubernetes.admission.policies import update_status
from devcloud.kubernetes.admission.quota import update_quotas
from devcloud.kubernetes.authentication import User
from devcloud.kubernetes.authorization import RBAC, Authorizer
from devcloud.kubernetes.decoding import decode
from devcloud.kubernetes.fields import now
from devcloud.kubernetes.kinds import Kind
from devcloud.kubernetes.objects import canonicalized, check, check_name, complete_new, fill
from devcloud.kubernetes.patching import APPLY_PATCHES, patched
from devcloud.kubernetes.problems import (
    already_exists,
    bad_request,
    conflict,
    gone,
    invalid,
    not_found,
)
from devcloud.kubernetes.selectors import field_test, label_test
from devcloud.kubernetes.store import Object, Store

_CHANGED = "the object has been modified; please apply your changes to the latest version and try again"
_GENERATED = {"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"}


@dataclass(frozen=True)
class Call:
    """One request for a resource, with what its address says."""

    kind: Kind
    user: User
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    manager: str = "unknown"
    is_dry_run: bool = False
    is_strict: bool = False
    force: bool = False


class Resources:
    """Reads and writes of objects. Whoever calls has been authorized."""

    def __init__(self, store: Store, admission: Admission, authorizer: Authorizer) -> None:
        self.store = store
        self._admission = admission
        self._authorizer = authorizer

    def get(self, call: Call) -> Object:
        """Return an object; raises ApiProblem (404)."""
        found = self.store.find(call.kind, call.namespace, call.name)
        if found is None:
            raise not_found(call.kind.plural, call.kind.group, call.name)
        return found

    def list_objects(self, call: Call, query: dict[str, str]) -> dict[str, Any]:
        """Return a list, or a page of one: what `continue` leads to is as new as the store, and in the same order."""
        items = list(self.chosen(call, query))
        version = self.store.version
        start = 0
        if token := query.get("continue"):
            version, last = _page(token)
            if self.store.since(version) is None:
                raise gone("The provided continue parameter is too old to display a consistent list result.")
            start = sum(_place(each) <= last for each in items)
        limit = int(query.get("limit") or 0)
        page = items[start : start + limit] if limit else items[start:]
        metadata: dict[str, Any] = {"resourceVersion": str(version)}
        if limit and start + limit < len(items):
            raw = json.dumps([version, *_place(page[-1])]).encode()
            metadata |= {"continue": base64.urlsafe_b64encode(raw).decode()}
            metadata["remainingItemCount"] = len(items) - start - limit
        return {
            "apiVersion": call.kind.api_version,
            "kind": f"{call.kind.kind}List",
            "metadata": metadata,
            "items": page,
        }

    def chosen(self, call: Call, query: dict[str, str]) -> Iterable[Object]:
        """Yield the objects that a request's selectors choose."""
        labels, by_field = label_test(query.get("labelSelector", "")), field_test(query.get("fieldSelector", ""))
        for each in self.store.objects(call.kind, call.namespace or None):
            if labels(each["metadata"].get("labels") or {}) and by_field(each):
                yield each

    def create(self, call: Call, body: Any) -> Object:
        """Make an object; raises ApiProblem."""
        value = self._decoded(call, body)
        given = value.get("metadata", {})
        if call.kind.is_namespaced and given.get("namespace", call.namespace) != call.namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        if "status" in value and "status" in call.kind.subresources:
            del value["status"]
        value = complete_new(call.kind, value, call.namespace)
        return self._insert(call, value, {fields.Manager(call.manager, "Update"): fields.owned(value, call.kind.model)})

    def replace(self, call: Call, body: Any) -> Object:
        """Put an object in the place of one that is there; raises ApiProblem."""
        before = self.get(call)
        value = self._decoded(call, body)
        given = value.get("metadata", {})
        if given.get("name", call.name) != call.name:
            raise bad_request(f"the name of the object ({given.get('name')}) does not match the name on the URL")
        if given.get("resourceVersion", before["metadata"]["resourceVersion"]) != before["metadata"]["resourceVersion"]:
            raise conflict(call.kind.plural, call.kind.group, call.name, _CHANGED)
        return self._update(call, before, value)

    def patch(self, call: Call, body: Any, form: str) -> Object:
        """Change an object, or make it if what is asked for is to apply; raises ApiProblem."""
        if form in APPLY_PATCHES:
            return self._apply(call, body)
        before = self.get(call)
        value = patched(_plain(before), body, form, call.kind.model)
        version = (value.get("metadata") or {}).get("resourceVersion", before["metadata"]["resourceVersion"])
        if version != before["metadata"]["resourceVersion"]:
            raise conflict(call.kind.plural, call.kind.group, call.name, _CHANGED)
        return self._update(call, before, self._decoded(call, value))

    def delete(self, call: Call, options: dict[str, Any]) -> tuple[Object, bool]:
        """Delete an object; return it, and whether it is gone: one with finalizers ends later. Raises ApiProblem."""
        before = self.get(call)
        preconditions = options.get("preconditions") or {}
        for field in ("uid", "resourceVersion"):
            if preconditions.get(field) not in (None, before["metadata"][field]):
                why = f"Precondition failed: {field} in precondition does not match"
                raise conflict(call.kind.plural, call.kind.group, call.name, why)
        self._admission.admit(self._write(call, "DELETE", None, before))
        if call.is_dry_run:
            return before, True
        is_namespace = call.kind.plural == "namespaces"
        if not is_namespace and not before["metadata"].get("finalizers"):
            gone_object = self.store.remove(call.kind, before)
            self._after(call.kind, call.namespace)
            return gone_object, True
        if "deletionTimestamp" in before["metadata"]:
            return before, False
        value = copy.deepcopy(before)
        value["metadata"] |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
        if is_namespace:
            value["status"] = {"phase": "Terminating"}
        return self.store.put(call.kind, value), False

    def _insert(self, call: Call, value: Object, managed: fields.Managed) -> Object:
        name = value["metadata"]["name"]
        self._admission.admit(self._write(call, "CREATE", value, None, name))
        check(call.kind, value, None)
        if self.store.find(call.kind, value["metadata"].get("namespace", ""), name) is not None:
            raise already_exists(call.kind.plural, call.kind.group, name)
        self._check_escalation(call, value, None)
        value["metadata"]["managedFields"] = fields.to_entries(managed, {}, call.kind.api_version)
        return self._stored(call, value)

    def _update(self, call: Call, before: Object, value: Object) -> Object:
        value = self._completed(call, before, value)
        managed, times = fields.from_entries(before["metadata"].get("managedFields", ()))
        after = fields.update(before, value, call.kind.model, managed, call.manager, call.subresource)
        return self._change(call, before, value, after, times)

    def _apply(self, call: Call, body: Any) -> Object:
        if call.subresource:
            raise bad_request("the stand-in applies no subresources")
        if call.manager == "unknown":
            raise invalid(
                "PatchOptions", "meta.k8s.io", "", "fieldManager", "Required value: is required for apply patch"
            )
        applied = self._decoded(call, body, is_strict=True)
        metadata = applied.setdefault("metadata", {})
        if metadata.get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        if metadata.setdefault("name", call.name) != call.name:
            raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL")
        before = self.store.find(call.kind, call.namespace, call.name)
        if before is None:
            check_name(call.kind, call.name)
            managed = {fields.Manager(call.manager, "Apply"): fields.owned(applied, call.kind.model)}
            return self._insert(call, complete_new(call.kind, copy.deepcopy(applied), call.namespace), managed)
        if (
            metadata.get("resourceVersion", before["metadata"]["resourceVersion"])
            != before["metadata"]["resourceVersion"]
        ):
            raise conflict(call.kind.plural, call.kind.group, call.name, _CHANGED)
        managed, times = fields.from_entries(before["metadata"].get("managedFields", ()))
        applied = canonicalized(_without_status(applied))
        value, after = fields.apply(before, applied, call.kind.model, managed, call.manager, force=call.force)
        return self._change(call, before, self._completed(call, before, value), after, times)

    def _completed(self, call: Call, before: Object, value: Object) -> Object:
        """Return an object as it may be written: what is not the writer's to change is as it was."""
        if call.subresource == "status":
            value = {**before, "status": value.get("status", {}), "metadata": before["metadata"]}
        elif "status" in call.kind.subresources:
            value = _without_status(value) | ({"status": before["status"]} if "status" in before else {})
        value = copy.deepcopy(value)
        metadata = value.setdefault("metadata", {})
        for field in (*_GENERATED, "deletionTimestamp", "deletionGracePeriodSeconds", "name", "namespace"):
            metadata.pop(field, None)
            if field in before["metadata"]:
                metadata[field] = copy.deepcopy(before["metadata"][field])
        return fill(call.kind, value)

    def _change(
        self, call: Call, before: Object, value: Object, managed: fields.Managed, times: dict[fields.Manager, str]
    ) -> Object:
        self._admission.admit(self._write(call, "UPDATE", value, before))
        check(call.kind, value, before)
        self._check_escalation(call, value, before)
        managed_before, _ = fields.from_entries(before["metadata"].get("managedFields", ()))
        if _content(before) == _content(value) and managed_before == managed:
            return before
        if before.get("spec") != value.get("spec"):
            value["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        for manager, owned in managed.items():
            if managed_before.get(manager) != owned:
                times.pop(manager, None)
        value["metadata"]["managedFields"] = fields.to_entries(managed, times, call.kind.api_version)
        return self._stored(call, value)

    def _stored(self, call: Call, value: Object) -> Object:
        if call.is_dry_run:
            return {**value, "metadata": {"resourceVersion": str(self.store.version), **value["metadata"]}}
        is_ending = "deletionTimestamp" in value["metadata"] and call.kind.plural != "namespaces"
        if is_ending and not value["metadata"].get("finalizers"):
            return self.store.remove(call.kind, value)
        stored = self.store.put(call.kind, value)
        if call.kind.plural == "validatingadmissionpolicies" and not call.subresource:
            update_status(self.store, stored)
        self._after(call.kind, call.namespace)
        return stored

    def _after(self, kind: Kind, namespace: str) -> None:
        if kind.is_namespaced:
            update_quotas(self.store, namespace)

    def _check_escalation(self, call: Call, value: Object, before: Object | None) -> None:
        if call.kind.group == RBAC:
            self._authorizer.check_escalation(call.user, call.kind.plural, value, before)

    def _write(self, call: Call, operation: str, value: Object | None, before: Object | None, name: str = "") -> Write:
        namespace = call.namespace
        return Write(
            operation=operation,
            kind=call.kind,
            namespace=call.name or name if call.kind.plural == "namespaces" else namespace,
            name=call.name or name,
            user=call.user,
            object=value,
            old_object=before,
            subresource=call.subresource,
            is_dry_run=call.is_dry_run,
        )

    def _decoded(self, call: Call, body: Any, *, is_strict: bool = False) -> Object:
        if isinstance(body, dict) and (body.get("apiVersion"), body.get("kind")) != (
            call.kind.api_version,
            call.kind.kind,
        ):
            given = f"{body.get('apiVersion')}, Kind={body.get('kind')}"
            raise bad_request(f"the API version in the data ({given}) does not match {call.kind.api_version}")
        decoded = decode(body, call.kind.model)
        if decoded.unknown and (is_strict or call.is_strict):
            raise bad_request(f'strict decoding error: unknown field "{decoded.unknown[0]}"')
        if decoded.missing:
            name = (decoded.value.get("metadata") or {}).get("name", "")
            raise invalid(call.kind.kind, call.kind.group, name, decoded.missing[0], "Required value")
        return decoded.value


def _plain(value: Object) -> Object:
    """Return a copy to be patched, without what the server keeps for itself."""
    copied = copy.deepcopy(value)
    copied["metadata"].pop("managedFields", None)
    return copied


def _without_status(value: Object) -> Object:
    return {name: each for name, each in value.items() if name != "status"}


def _content(value: Object) -> Object:
    metadata = {name: each for name, each in value["metadata"].items() if name not in _GENERATED}
    return {**value, "metadata": metadata}


def _place(value: Object) -> tuple[str, str]:
    return value["metadata"].get("namespace", ""), value["metadata"]["name"]


def _page(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError) as error:
        raise bad_request("continue key is not valid") from error
    return int(version), (namespace, name)
