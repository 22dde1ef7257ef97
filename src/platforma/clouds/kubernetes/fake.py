"""A fake of Kubernetes clusters, for tests of what builds on the Protocols: in memory, and it fails when it is told to.

It keeps specs instead of objects. What a cluster does with objects is shown by the stand-in and by real clusters.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from platforma.clouds.errors import (
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudForeignObject,
    CloudNotFound,
)
from platforma.clouds.findings import Finding
from platforma.clouds.kubernetes.credentials import ClusterCredential
from platforma.clouds.kubernetes.resources import (
    ClusterAddresses,
    ClusterEvent,
    ClusterOptions,
    EnsuredNamespace,
    Examination,
    FoundNamespace,
    IssuedKubeconfig,
    NamespaceObservation,
    NamespaceSpec,
    NetworkVerdict,
    QuotaUse,
    Workload,
    namespace_name,
)

R = TypeVar("R")


@dataclass
class FakeNamespace:
    """A namespace: what it was made with. `looks_left` are the looks until one that is deleted is gone."""

    tenant_id: UUID
    spec: NamespaceSpec
    looks_left: int | None = None


@dataclass
class FakeKubeconfig:
    """A service account with its tokens."""

    tenant_id: UUID
    tokens: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FakeClusterCall:
    """A call that was made; `tenant_id` is None for the administration's."""

    tenant_id: UUID | None
    method: str


@dataclass
class _Fault:
    error: CloudError
    is_after: bool


class FakeCluster:
    """One cluster. Administrators come with `administrator_token`, workers with what was issued to them."""

    administrator_token = "administrator"  # noqa: S105 (of a fake)

    def __init__(self, server: str) -> None:
        self.server = server
        self.lock = threading.RLock()
        self.worker_tokens: list[str] = []
        self.namespaces: dict[str, FakeNamespace] = {}
        self.kubeconfigs: dict[UUID, FakeKubeconfig] = {}
        self.workloads: dict[str, list[Workload]] = {}
        self.events: dict[str, list[ClusterEvent]] = {}
        self.use = QuotaUse(0.0, 0, 0)
        self.calls: list[FakeClusterCall] = []
        self.installed: ClusterOptions | None = None
        self.examination = Examination(
            version="1.33",
            is_simulated=False,
            network=NetworkVerdict.ENFORCED,
            addresses=ClusterAddresses(),
            findings=(Finding("version", True, "It is 1.33."),),
        )
        self._faults: dict[str, list[_Fault]] = {}

    def fail_next(self, method: str, error: CloudError, *, times: int = 1) -> None:
        """Have the next calls of a method raise the error instead of doing anything."""
        self._faults.setdefault(method, []).extend(_Fault(error, is_after=False) for _ in range(times))

    def lose_answer(self, method: str, error: CloudError) -> None:
        """Have the next call of a method do its work, and then raise the error all the same."""
        self._faults.setdefault(method, []).append(_Fault(error, is_after=True))

    def take(self, tenant_id: UUID | None, method: str, work: Callable[[], R]) -> R:
        """Do a call's work, unless a fault waits for it."""
        with self.lock:
            self.calls.append(FakeClusterCall(tenant_id, method))
            faults = self._faults.get(method)
            fault = faults.pop(0) if faults else None
            if fault is not None and not fault.is_after:
                raise fault.error
            result = work()
            if fault is not None:
                raise fault.error
            return result

    def count(self, method: str) -> int:
        """Return how often a method was called."""
        return sum(call.method == method for call in self.calls)


class FakeClusters:
    """As `Clusters`, with the clusters that tests have added, by the address of their server."""

    def __init__(self) -> None:
        self._by_server: dict[str, FakeCluster] = {}

    def add(self, server: str) -> FakeCluster:
        """Make a cluster."""
        return self._by_server.setdefault(server, FakeCluster(server))

    def open_administration(self, credential: ClusterCredential) -> "FakeAdministration":
        """See Clusters."""
        return FakeAdministration(self._find(credential), credential)

    def open_tenant(self, credential: ClusterCredential, tenant_id: UUID) -> "FakeTenantCluster":
        """See Clusters."""
        return FakeTenantCluster(self._find(credential), credential, tenant_id)

    def _find(self, credential: ClusterCredential) -> FakeCluster:
        return self._by_server.get(credential.server) or FakeCluster(credential.server)


class FakeTenantCluster:
    """See TenantCluster."""

    def __init__(self, cluster: FakeCluster, credential: ClusterCredential, tenant_id: UUID) -> None:
        self._cluster = cluster
        self._credential = credential
        self._tenant_id = tenant_id

    @property
    def tenant_id(self) -> UUID:
        """See TenantCluster."""
        return self._tenant_id

    def ensure_namespace(self, spec: NamespaceSpec) -> EnsuredNamespace:
        """See TenantCluster."""
        if spec.tenant_id != self._tenant_id:
            raise ValueError("The namespace is of another tenant.")

        def work() -> EnsuredNamespace:
            name = namespace_name(spec.id)
            found = self._cluster.namespaces.get(name)
            if found is None:
                self._cluster.namespaces[name] = FakeNamespace(self._tenant_id, spec)
                return EnsuredNamespace(name, was_written=True)
            self._check_own(found)
            if found.looks_left is not None:
                raise CloudConflict("The namespace is ending.")
            was_written = found.spec != spec
            found.spec = spec
            return EnsuredNamespace(name, was_written)

        return self._call("ensure_namespace", work)

    def observe_namespace(self, spec: NamespaceSpec) -> NamespaceObservation:
        """See TenantCluster."""

        def work() -> NamespaceObservation:
            name = namespace_name(spec.id)
            found = self._cluster.namespaces.get(name)
            if found is None:
                return NamespaceObservation(name, "absent", ())
            self._check_own(found)
            drift = () if found.spec == spec else ("It is not as specified.",)
            return NamespaceObservation(name, "active" if found.looks_left is None else "terminating", drift)

        return self._call("observe_namespace", work)

    def delete_namespace(self, namespace_id: UUID) -> bool:
        """See TenantCluster."""

        def work() -> bool:
            name = namespace_name(namespace_id)
            found = self._cluster.namespaces.get(name)
            if found is None:
                return True
            self._check_own(found)
            found.looks_left = 1 if found.looks_left is None else found.looks_left - 1
            if found.looks_left < 0:
                del self._cluster.namespaces[name]
                return True
            return False

        return self._call("delete_namespace", work)

    def list_namespaces(self) -> list[FoundNamespace]:
        """See TenantCluster."""
        return self._call("list_namespaces", lambda: _found(self._cluster, self._tenant_id))

    def list_workloads(self, namespace_id: UUID) -> list[Workload]:
        """See TenantCluster."""
        return self._read("list_workloads", namespace_id, lambda name: list(self._cluster.workloads.get(name, [])))

    def list_events(self, namespace_id: UUID, *, limit: int = 50) -> list[ClusterEvent]:
        """See TenantCluster."""
        return self._read("list_events", namespace_id, lambda name: self._cluster.events.get(name, [])[:limit])

    def quota_use(self, namespace_id: UUID) -> QuotaUse:
        """See TenantCluster."""
        return self._read("quota_use", namespace_id, lambda name: self._cluster.use)

    def issue_kubeconfig(self, kubeconfig_id: UUID, *, lifetime_seconds: int) -> IssuedKubeconfig:
        """See TenantCluster."""

        def work() -> IssuedKubeconfig:
            account = self._cluster.kubeconfigs.setdefault(kubeconfig_id, FakeKubeconfig(self._tenant_id))
            self._check_own(account)
            token = f"token-{len(account.tokens)}-of-{kubeconfig_id}"
            account.tokens.append(token)
            expires_at = datetime.now(UTC) + timedelta(seconds=lifetime_seconds)
            return IssuedKubeconfig(self._cluster.server, None, token, expires_at)

        return self._call("issue_kubeconfig", work)

    def revoke_kubeconfig(self, kubeconfig_id: UUID) -> bool:
        """See TenantCluster."""

        def work() -> bool:
            account = self._cluster.kubeconfigs.get(kubeconfig_id)
            if account is None:
                return False
            self._check_own(account)
            del self._cluster.kubeconfigs[kubeconfig_id]
            return True

        return self._call("revoke_kubeconfig", work)

    def list_kubeconfigs(self) -> list[UUID]:
        """See TenantCluster."""

        def work() -> list[UUID]:
            return [id_ for id_, each in self._cluster.kubeconfigs.items() if each.tenant_id == self._tenant_id]

        return self._call("list_kubeconfigs", work)

    def _read(self, method: str, namespace_id: UUID, look: Callable[[str], R]) -> R:
        def work() -> R:
            name = namespace_name(namespace_id)
            found = self._cluster.namespaces.get(name)
            if found is None:
                raise CloudNotFound
            self._check_own(found)
            return look(name)

        return self._call(method, work)

    def _check_own(self, found: FakeNamespace | FakeKubeconfig) -> None:
        if found.tenant_id != self._tenant_id:
            raise CloudForeignObject

    def _call(self, method: str, work: Callable[[], R]) -> R:
        def checked() -> R:
            if self._credential.token not in self._cluster.worker_tokens:
                raise CloudCredentialInvalid
            return work()

        return self._cluster.take(self._tenant_id, method, checked)


class FakeAdministration:
    """See ClusterAdministration."""

    def __init__(self, cluster: FakeCluster, credential: ClusterCredential) -> None:
        self._cluster = cluster
        self._credential = credential

    def install(self, options: ClusterOptions) -> bool:
        """See ClusterAdministration."""

        def work() -> bool:
            wrote = self._cluster.installed != options
            self._cluster.installed = options
            return wrote

        return self._call("install", work)

    def examine(self, options: ClusterOptions) -> Examination:
        """See ClusterAdministration."""
        return self._call("examine", lambda: replace(self._cluster.examination))

    def issue_worker_credential(self, *, lifetime_seconds: int) -> ClusterCredential:
        """See ClusterAdministration."""

        def work() -> ClusterCredential:
            token = f"worker-{len(self._cluster.worker_tokens)}"
            self._cluster.worker_tokens.append(token)
            expires_at = datetime.now(UTC) + timedelta(seconds=lifetime_seconds)
            return ClusterCredential(server=self._cluster.server, token=token, expires_at=expires_at)

        return self._call("issue_worker_credential", work)

    def revoke_worker_credentials(self) -> None:
        """See ClusterAdministration."""
        self._call("revoke_worker_credentials", self._cluster.worker_tokens.clear)

    def list_namespaces(self) -> list[FoundNamespace]:
        """See ClusterAdministration."""
        return self._call("list_namespaces", lambda: _found(self._cluster, None))

    def _call(self, method: str, work: Callable[[], R]) -> R:
        def checked() -> R:
            if self._credential.token != self._cluster.administrator_token:
                raise CloudCredentialInvalid
            return work()

        return self._cluster.take(None, method, checked)


def _found(cluster: FakeCluster, tenant_id: UUID | None) -> list[FoundNamespace]:
    return [
        FoundNamespace(name, each.tenant_id, each.spec.id, each.looks_left is not None)
        for name, each in cluster.namespaces.items()
        if tenant_id in (None, each.tenant_id)
    ]
