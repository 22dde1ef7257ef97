"""One tenant's namespaces and kubeconfigs in a cluster."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from platforma.clouds.errors import (
    CloudAnswerInvalid,
    CloudConflict,
    CloudForeignObject,
    CloudNotFound,
    CloudRefused,
    CloudUnavailable,
)
from platforma.clouds.kubernetes import manifests, reading
from platforma.clouds.kubernetes.api import CORE, NETWORKING, RBAC, Api, Manifest
from platforma.clouds.kubernetes.labels import (
    ACCESS_NAMESPACE,
    KUBECONFIG,
    MANAGED,
    NAMESPACE,
    PROFILE,
    SYSTEM_NAMESPACE,
    TENANT,
    access_name,
)
from platforma.clouds.kubernetes.observation import differs, named, opens_beyond, replacement, title
from platforma.clouds.kubernetes.resources import (
    ClusterEvent,
    ClusterProfile,
    EnsuredNamespace,
    FoundNamespace,
    IssuedKubeconfig,
    NamespaceObservation,
    NamespaceSpec,
    QuotaUse,
    Workload,
    namespace_name,
)
from platforma.clouds.kubernetes.roles import worker_binding

R = TypeVar("R")

SETTLING_SECONDS = 10.0
"""How long the API servers may take to hear of a role binding that was just made."""
_OURS_ALONE = ((CORE, "ResourceQuota"), (CORE, "LimitRange"), (RBAC, "Role"), (RBAC, "RoleBinding"))
"""Kinds of which a tenant's namespace has what Platforma made, and nothing else."""


@dataclass
class Comparison:
    """What is to be made or mended in a namespace, what is too much there, and a sentence for each."""

    wanted: list[tuple[Manifest, Manifest | None]] = field(default_factory=list)
    surplus: list[Manifest] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether all is as it should be."""
        return not self.wanted and not self.surplus


class KubernetesTenant:
    """See TenantCluster."""

    def __init__(self, api: Api, tenant_id: UUID, *, settling_seconds: float = SETTLING_SECONDS) -> None:
        self._api = api
        self._tenant_id = tenant_id
        self._settling_seconds = settling_seconds

    @property
    def tenant_id(self) -> UUID:
        """See TenantCluster."""
        return self._tenant_id

    def ensure_namespace(self, spec: NamespaceSpec) -> EnsuredNamespace:
        """See TenantCluster."""
        self._check_spec(spec)
        profile = self._profile()
        was_written = self._ensure_place(spec)
        comparison = self._settled(lambda: self._compare(spec, profile), is_patient=was_written)
        for manifest, found in comparison.wanted:
            self._write(manifest, found)
        for surplus in comparison.surplus:
            self._api.delete(surplus)
        return EnsuredNamespace(namespace_name(spec.id), was_written or not comparison.is_empty)

    def observe_namespace(self, spec: NamespaceSpec) -> NamespaceObservation:
        """See TenantCluster."""
        self._check_spec(spec)
        name = namespace_name(spec.id)
        found = self._find_namespace(name)
        if found is None:
            return NamespaceObservation(name, "absent", ())
        if _is_terminating(found):
            return NamespaceObservation(name, "terminating", ())
        drift = [f"{title(wanted)} is not as specified." for wanted, _ in self._differing_place(spec, found)]
        if not any(title(worker_binding(name)) in sentence for sentence in drift):
            drift += self._compare(spec, self._profile()).drift
            drift += reading.ways_past_policies(self._api, name, spec)
        return NamespaceObservation(name, "active", tuple(drift))

    def delete_namespace(self, namespace_id: UUID) -> bool:
        """See TenantCluster."""
        found = self._find_namespace(namespace_name(namespace_id))
        if found is None:
            return True
        if not _is_terminating(found):
            self._api.delete(found)
        return False

    def list_namespaces(self) -> list[FoundNamespace]:
        """See TenantCluster."""
        return [found_namespace(each) for each in self._own_namespaces()]

    def list_workloads(self, namespace_id: UUID) -> list[Workload]:
        """See TenantCluster."""
        return reading.list_workloads(self._api, self._require_namespace(namespace_id))

    def list_events(self, namespace_id: UUID, *, limit: int = 50) -> list[ClusterEvent]:
        """See TenantCluster."""
        return reading.list_events(self._api, self._require_namespace(namespace_id), limit)

    def quota_use(self, namespace_id: UUID) -> QuotaUse:
        """See TenantCluster."""
        return reading.quota_use(self._api, self._require_namespace(namespace_id))

    def issue_kubeconfig(self, kubeconfig_id: UUID, *, lifetime_seconds: int) -> IssuedKubeconfig:
        """See TenantCluster."""
        wanted = manifests.access_account(self._tenant_id, kubeconfig_id)
        found = self._find_account(kubeconfig_id)
        if found is None or differs(wanted, found):
            self._write(wanted, found)
        for each in self._own_namespaces():
            if not _is_terminating(each):
                self._bind(each, kubeconfig_id)
        token, expires_at = self._api.request_token(
            ACCESS_NAMESPACE, access_name(kubeconfig_id), seconds=lifetime_seconds
        )
        credential = self._api.credential
        return IssuedKubeconfig(credential.server, credential.certificate_authority, token, read_time(expires_at))

    def revoke_kubeconfig(self, kubeconfig_id: UUID) -> bool:
        """See TenantCluster."""
        found = self._find_account(kubeconfig_id)
        removed = self._unbind(kubeconfig_id)
        if found is not None:
            removed = self._api.delete(found) or removed
        # A namespace that was being made meanwhile may have seen the account, and have let it in.
        return self._unbind(kubeconfig_id) or removed

    def list_kubeconfigs(self) -> list[UUID]:
        """See TenantCluster."""
        found = self._api.list_objects(
            CORE, "ServiceAccount", namespace=ACCESS_NAMESPACE, labels={TENANT: str(self._tenant_id)}
        )
        ids = (read_id(each, KUBECONFIG) for each in found)
        return [id_ for id_ in ids if id_ is not None]

    def _check_spec(self, spec: NamespaceSpec) -> None:
        if spec.tenant_id != self._tenant_id:
            raise ValueError("The namespace is of another tenant.")

    def _profile(self) -> ClusterProfile:
        """Return what the provisioner left in the cluster; raises CloudUnavailable if it has not been there yet."""
        found = self._api.find(CORE, "ConfigMap", PROFILE, SYSTEM_NAMESPACE)
        if found is None:
            raise CloudUnavailable
        try:
            return manifests.read_profile(found)
        except ValueError as error:
            raise CloudAnswerInvalid from error

    def _ensure_place(self, spec: NamespaceSpec) -> bool:
        """Have the namespace, and the worker's own way into it; say whether anything was written."""
        found = self._find_namespace(namespace_name(spec.id))
        if found is not None and _is_terminating(found):
            raise CloudConflict("The namespace is ending.")
        differing = list(self._differing_place(spec, found))
        for wanted, present in differing:
            self._write(wanted, present)
        return bool(differing)

    def _differing_place(
        self, spec: NamespaceSpec, found: Manifest | None
    ) -> Iterator[tuple[Manifest, Manifest | None]]:
        wanted = manifests.namespace(spec)
        if found is None or differs(wanted, found):
            yield wanted, found
        binding = worker_binding(namespace_name(spec.id))
        present = self._find(binding) if found is not None else None
        if present is None or differs(binding, present):
            yield binding, present

    def _compare(self, spec: NamespaceSpec, profile: ClusterProfile) -> Comparison:
        """Compare what is in the namespace with what should be: seven lists, whatever there is."""
        name = namespace_name(spec.id)
        every = manifests.namespace_manifests(spec, profile, self.list_kubeconfigs())
        wanted = [each for each in every if each["kind"] != "Namespace"]
        comparison = Comparison()
        for api_version, kind in (*_OURS_ALONE, (NETWORKING, "NetworkPolicy"), (CORE, "ServiceAccount")):
            present = named(self._api.list_objects(api_version, kind, namespace=name))
            for manifest in (each for each in wanted if each["kind"] == kind):
                found = present.pop(manifest["metadata"]["name"], None)
                if found is None or differs(manifest, found):
                    comparison.wanted.append((manifest, found))
                    comparison.drift.append(f"{title(manifest)} is {'missing' if found is None else 'changed'}.")
            for found in present.values():
                if self._is_surplus(kind, found):
                    comparison.surplus.append(found)
                    comparison.drift.append(f"{title(found)} should not be there.")
        return comparison

    def _is_surplus(self, kind: str, found: Manifest) -> bool:
        """Say whether what nobody specified must go: members may have policies of their own, if they keep inside."""
        if MANAGED in (found["metadata"].get("labels") or {}):
            return True
        if kind == "NetworkPolicy":
            return opens_beyond(found, str(self._tenant_id))
        return kind != "ServiceAccount"

    def _write(self, manifest: Manifest, found: Manifest | None) -> None:
        """Apply an object; put it in the other's place if applying leaves what somebody else has added."""
        if found is not None and found.get("roleRef") != manifest.get("roleRef"):
            self._api.delete(found)
        applied = self._api.apply(manifest)
        if found is not None and differs(manifest, applied):
            self._api.replace(replacement(manifest, applied))

    def _bind(self, namespace: Manifest, kubeconfig_id: UUID) -> None:
        id_ = read_id(namespace, NAMESPACE)
        if id_ is not None:
            wanted = manifests.access_binding(id_, kubeconfig_id)
            found = self._find(wanted)
            if found is None or differs(wanted, found):
                self._write(wanted, found)

    def _unbind(self, kubeconfig_id: UUID) -> bool:
        bindings = self._api.list_objects(RBAC, "RoleBinding", labels={KUBECONFIG: str(kubeconfig_id)})
        own = {each["metadata"]["name"] for each in self._own_namespaces()}
        removed = [self._api.delete(each) for each in bindings if each["metadata"]["namespace"] in own]
        return any(removed)

    def _own_namespaces(self) -> list[Manifest]:
        return self._api.list_objects(CORE, "Namespace", labels={TENANT: str(self._tenant_id)})

    def _find(self, manifest: Manifest) -> Manifest | None:
        metadata = manifest["metadata"]
        return self._api.find(manifest["apiVersion"], manifest["kind"], metadata["name"], metadata.get("namespace"))

    def _find_namespace(self, name: str) -> Manifest | None:
        """Return a namespace of the tenant; raises CloudForeignObject for one that does not bear its label."""
        found = self._api.find(CORE, "Namespace", name)
        return None if found is None else self._own(found)

    def _require_namespace(self, namespace_id: UUID) -> str:
        name = namespace_name(namespace_id)
        if self._find_namespace(name) is None:
            raise CloudNotFound
        return name

    def _find_account(self, kubeconfig_id: UUID) -> Manifest | None:
        found = self._api.find(CORE, "ServiceAccount", access_name(kubeconfig_id), ACCESS_NAMESPACE)
        return None if found is None else self._own(found)

    def _own(self, found: Manifest) -> Manifest:
        if read_id(found, TENANT) != self._tenant_id:
            raise CloudForeignObject
        return found

    def _settled(self, act: Callable[[], R], *, is_patient: bool) -> R:
        """Do something that needs a role binding, which an API server may not have heard of yet."""
        deadline = time.monotonic() + self._settling_seconds
        while True:
            try:
                return act()
            except CloudRefused:
                if not is_patient or time.monotonic() > deadline:
                    raise
            time.sleep(0.1)


def found_namespace(namespace: Manifest) -> FoundNamespace:
    """Return a namespace in our own words."""
    return FoundNamespace(
        name=str(namespace["metadata"]["name"]),
        tenant_id=read_id(namespace, TENANT),
        namespace_id=read_id(namespace, NAMESPACE),
        is_terminating=_is_terminating(namespace),
    )


def read_id(manifest: Manifest, label: str) -> UUID | None:
    """Return the id that a label has, or None if it has none."""
    value = (manifest["metadata"].get("labels") or {}).get(label)
    try:
        return None if value is None else UUID(value)
    except ValueError:
        return None


def read_time(text: str) -> datetime:
    """Return a time as Kubernetes writes it; raises CloudAnswerInvalid."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise CloudAnswerInvalid from error


def _is_terminating(manifest: dict[str, Any]) -> bool:
    return manifest["metadata"].get("deletionTimestamp") is not None
