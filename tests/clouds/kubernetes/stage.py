"""A cluster with two tenants, their worker, and their members with kubeconfigs of their own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from platforma.clouds.errors import CloudError, CloudRefused
from platforma.clouds.kubernetes import (
    ClusterCredential,
    ClusterOptions,
    NamespaceQuota,
    NamespaceSpec,
    OpeningSpec,
    TenantCluster,
    namespace_name,
)
from platforma.clouds.kubernetes.api import Api
from platforma.clouds.kubernetes.packets import Patience
from platforma.clouds.kubernetes.pool import ClusterPool

Manifest = dict[str, Any]
QUOTA = NamespaceQuota(vcpus=2, ram_mib=2048, pods=10)
WAIT_SECONDS = 60.0


@dataclass
class Side:
    """A tenant with a namespace, what its worker does there, and what a member's kubeconfig leads to."""

    tenant_id: UUID
    cluster: TenantCluster
    spec: NamespaceSpec
    kubeconfig_id: UUID
    member: Api

    @property
    def namespace(self) -> str:
        """The name that the namespace has in the cluster."""
        return namespace_name(self.spec.id)


class ClusterStage:
    """A cluster that has been made ready."""

    def __init__(self, kubeconfig: str, patience: Patience, *, dns_labels: str | None = None) -> None:
        self.pool = ClusterPool(patience=patience)
        self.patience = patience
        self.options = ClusterOptions()
        if dns_labels:
            key, _, value = dns_labels.partition("=")
            self.options = ClusterOptions(dns_labels={key: value})
        self.administrator_credential = ClusterCredential.from_kubeconfig(kubeconfig)
        self.administrator = Api(self.administrator_credential, 20)
        self.administration = self.pool.open_administration(self.administrator_credential)
        self.administration.install(self.options)
        self.worker_credential = self.administration.issue_worker_credential(lifetime_seconds=3600)
        self.worker = Api(self.worker_credential, 20)
        self._made: list[tuple[TenantCluster, UUID]] = []
        self.a, self.b = self.new_side(), self.new_side()

    def new_side(self, **spec: Any) -> Side:
        """Have another tenant with a namespace and a kubeconfig."""
        tenant_id, kubeconfig_id = uuid4(), uuid4()
        cluster = self.pool.open_tenant(self.worker_credential, tenant_id)
        made = self.new_namespace(cluster, **spec)
        return Side(tenant_id, cluster, made, kubeconfig_id, self.member(cluster, kubeconfig_id))

    def new_namespace(self, cluster: TenantCluster, **spec: Any) -> NamespaceSpec:
        """Have another namespace of a tenant."""
        wanted = NamespaceSpec(uuid4(), cluster.tenant_id, "web", **{"quota": QUOTA} | spec)
        self._made.append((cluster, wanted.id))
        cluster.ensure_namespace(wanted)
        return wanted

    def member(self, cluster: TenantCluster, kubeconfig_id: UUID) -> Api:
        """Return the cluster as the bearer of a kubeconfig of the tenant sees it."""
        issued = cluster.issue_kubeconfig(kubeconfig_id, lifetime_seconds=3600)
        return Api(ClusterCredential(issued.server, issued.certificate_authority, token=issued.token), 20)

    def clear(self) -> None:
        """Remove the tenants' namespaces and kubeconfigs."""
        for cluster, namespace_id in self._made:
            cluster.delete_namespace(namespace_id)
            for kubeconfig_id in cluster.list_kubeconfigs():
                cluster.revoke_kubeconfig(kubeconfig_id)


def opening(source: NamespaceSpec, port: int = 8080) -> OpeningSpec:
    """Return an opening for a port, from another namespace."""
    return OpeningSpec(uuid4(), source.id, "TCP", port, port)


def eventually(is_so: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until something is so; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def is_refused(act: Callable[[], Any]) -> bool:
    """Say whether the cluster does not let it be done."""
    try:
        act()
    except CloudRefused:
        return True
    except CloudError:
        return False
    return False
