"""The kinds of objects that the stand-in has, with their fields: as the models of lightkube tell of the real ones."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from lightkube.core.resource import GlobalResource, NamespacedResource
from lightkube.resources import (
    admissionregistration_v1,
    apps_v1,
    authentication_v1,
    authorization_v1,
    autoscaling_v2,
    batch_v1,
    core_v1,
    discovery_v1,
    networking_v1,
    policy_v1,
    rbac_authorization_v1,
    storage_v1,
)

_MODULES = (
    core_v1,
    apps_v1,
    batch_v1,
    networking_v1,
    rbac_authorization_v1,
    admissionregistration_v1,
    authentication_v1,
    authorization_v1,
    autoscaling_v2,
    discovery_v1,
    policy_v1,
    storage_v1,
)

_NOT_SERVED = {
    "bindings",
    "componentstatuses",
    "ipaddresses",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "volumeattributesclasses",
}
"""What would be stored and have no effect where the real one has much."""
SERVED_SUBRESOURCES = frozenset({"status", "token"})

_ATOMIC_STRUCTS = {
    "ConfigMapKeySelector",
    "LabelSelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectReference",
    "RoleRef",
    "SecretKeySelector",
    "SecretReference",
    "TypedLocalObjectReference",
}
_ATOMIC_MAPS = {("ServiceSpec", "selector"), ("PodSpec", "nodeSelector"), ("LabelSelector", "matchLabels")}
_SETS = {("ObjectMeta", "finalizers")}
_KEYS: dict[tuple[str, str], tuple[str, ...]] = {
    ("ObjectMeta", "ownerReferences"): ("uid",),
    ("PodSpec", "containers"): ("name",),
    ("PodSpec", "initContainers"): ("name",),
    ("PodSpec", "ephemeralContainers"): ("name",),
    ("PodSpec", "volumes"): ("name",),
    ("PodSpec", "imagePullSecrets"): ("name",),
    ("Container", "env"): ("name",),
    ("Container", "ports"): ("containerPort", "protocol"),
    ("Container", "volumeMounts"): ("mountPath",),
    ("ServiceSpec", "ports"): ("port", "protocol"),
    ("ServiceAccount", "secrets"): ("name",),
    ("ValidatingAdmissionPolicySpec", "matchConditions"): ("name",),
    ("ValidatingAdmissionPolicySpec", "variables"): ("name",),
}
"""How lists are merged, where the real API server does not take them as a whole (`x-kubernetes-list-type`)."""


@dataclass(frozen=True)
class Kind:
    """A kind of object that is stored, or for some only answered."""

    group: str
    version: str
    kind: str
    plural: str
    is_namespaced: bool
    verbs: frozenset[str]
    subresources: frozenset[str]
    model: type

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self) -> str:
        """What it is stored under."""
        return f"{self.plural}.{self.group}"


@dataclass(frozen=True)
class Shape:
    """What a value is, and how it is merged.

    `form` is object, map, list, or scalar; `item` is the type of a list's or map's elements; `keys` are of a list whose
    elements are told apart by them; an atomic value is taken as a whole.
    """

    form: str
    type: Any
    item: Any = None
    keys: tuple[str, ...] = ()
    is_set: bool = False
    is_atomic: bool = False


@cache
def kinds() -> dict[tuple[str, str, str], Kind]:
    """Return every kind by (group, version, plural)."""
    found: dict[tuple[str, str, str], Kind] = {}
    classes = list(_classes())
    subresources: dict[tuple[str, str, str], set[str]] = {}
    for each in classes:
        info = each._api_info
        if info.action:
            parent = info.parent or info.resource
            subresources.setdefault((parent.group, parent.version, info.plural), set()).add(info.action)
    for each in classes:
        info = each._api_info
        is_whole = issubclass(each, GlobalResource | NamespacedResource) and not info.action
        if not is_whole or info.plural in _NOT_SERVED:
            continue
        key = (info.resource.group, info.resource.version, info.plural)
        found[key] = Kind(
            group=info.resource.group,
            version=info.resource.version,
            kind=info.resource.kind,
            plural=info.plural,
            is_namespaced=issubclass(each, NamespacedResource),
            verbs=frozenset(info.verbs),
            subresources=frozenset(subresources.get(key, ())) & SERVED_SUBRESOURCES,
            model=each,
        )
    return found


@cache
def kind(plural: str, group: str = "") -> Kind:
    """Return a kind by its plural and group."""
    return next(each for each in kinds().values() if (each.plural, each.group) == (plural, group))


@cache
def subresource_model(parent: Kind, action: str) -> type | None:
    """Return the type that a subresource is spoken to in, or None if it is the parent's."""
    for each in _classes():
        info = each._api_info
        of = info.parent or info.resource
        if info.action == action and (of.group, of.version, info.plural) == (
            parent.group,
            parent.version,
            parent.plural,
        ):
            return typing.cast(type, each)
    return None


def _classes() -> Iterable[Any]:
    for module in _MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and hasattr(value, "_api_info"):
                yield value


@cache
def fields_of(model: type) -> dict[str, Any]:
    """Return the fields of an object by their names in JSON, with their types."""
    return {each.encode_name: each.type for each in msgspec.structs.fields(model)}


@cache
def required_fields(model: type) -> frozenset[str]:
    """Return the fields that an object must have."""
    return frozenset(each.encode_name for each in msgspec.structs.fields(model) if each.required)


@cache
def shape_of(type_: Any, owner: str = "", field: str = "") -> Shape:
    """Return the shape of a type; `owner` and `field` say where it stands, which decides how lists are merged."""
    type_ = _without_none(type_)
    origin = typing.get_origin(type_)
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return Shape("object", type_, is_atomic=type_.__name__ in _ATOMIC_STRUCTS)
    if origin is list:
        keys, is_set = _KEYS.get((owner, field), ()), (owner, field) in _SETS
        if field == "conditions" and owner.endswith("Status"):
            keys = ("type",)
        (item,) = typing.get_args(type_)
        return Shape("list", type_, item=item, keys=keys, is_set=is_set, is_atomic=not keys and not is_set)
    if type_ is dict or origin is dict:
        arguments = typing.get_args(type_)
        item = arguments[1] if arguments else Any
        return Shape("map", type_, item=item, is_atomic=(owner, field) in _ATOMIC_MAPS)
    return Shape("scalar", type_, is_atomic=True)


def _without_none(type_: Any) -> Any:
    """Return X for Optional[X]."""
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        rest = [each for each in typing.get_args(type_) if each is not type(None)]
        return rest[0] if len(rest) == 1 else typing.Union[tuple(rest)]  # noqa: UP007 (made at run time)
    return type_


def fits(value: Any, type_: Any) -> bool:
    """Say whether a scalar in JSON is of a type."""
    if type_ is Any or type_ is object:
        return True
    if typing.get_origin(type_) in (typing.Union, types.UnionType):
        return any(fits(value, each) for each in typing.get_args(type_))
    if type_ in (str, datetime, bytes):
        return isinstance(value, str | int | float) if type_ is str else isinstance(value, str)
    if type_ is bool:
        return isinstance(value, bool)
    if type_ in (int, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return True
