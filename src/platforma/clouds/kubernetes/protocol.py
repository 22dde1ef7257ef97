"""What Platforma asks of a Kubernetes cluster: a tenant's part for workers, the whole for the provisioner.

Every method is synchronous, has a deadline, and raises nothing but a `CloudError`. An `ensure_` method makes what is
not there, mends what differs, removes what is too much, and may be called any number of times. Namespaces are found by
names derived from our ids; one that bears such a name but not the tenant's label is another's: CloudForeignObject.

The provisioner comes with the administrator's kubeconfig, and makes a lesser credential for the tenants' worker: with
it the worker can build tenants' namespaces and hand out tenants' tokens, and can touch nothing else in the cluster.
"""

from typing import Protocol
from uuid import UUID

from platforma.clouds.kubernetes.credentials import ClusterCredential
from platforma.clouds.kubernetes.resources import (
    ClusterEvent,
    ClusterOptions,
    EnsuredNamespace,
    Examination,
    FoundNamespace,
    IssuedKubeconfig,
    NamespaceObservation,
    NamespaceSpec,
    QuotaUse,
    Workload,
)


class TenantCluster(Protocol):
    """One tenant's namespaces and kubeconfigs in one cluster, with the worker's credential.

    What belongs to another tenant does not exist here: CloudForeignObject, which is a CloudNotFound.
    """

    @property
    def tenant_id(self) -> UUID:
        """The tenant that everything here belongs to."""

    def ensure_namespace(self, spec: NamespaceSpec) -> EnsuredNamespace:
        """Have the namespace with everything in it: labels, policies, openings, quota, limits, access.

        What is there already is read first and written only if it differs. Raises ValueError for a spec of another
        tenant, CloudConflict while an earlier namespace of that name ends.
        """

    def observe_namespace(self, spec: NamespaceSpec) -> NamespaceObservation:
        """Compare the namespace with the spec, and write nothing."""

    def delete_namespace(self, namespace_id: UUID) -> bool:
        """Ask for the namespace to be deleted with all that is in it, and say whether it is gone."""

    def list_namespaces(self) -> list[FoundNamespace]:
        """Return the tenant's namespaces, whoever made them."""

    def list_workloads(self, namespace_id: UUID) -> list[Workload]:
        """Return what runs pods in the namespace, by kind and name."""

    def list_events(self, namespace_id: UUID, *, limit: int = 50) -> list[ClusterEvent]:
        """Return what the cluster tells of the namespace, the latest first."""

    def quota_use(self, namespace_id: UUID) -> QuotaUse:
        """Return how much of the quota is in use."""

    def issue_kubeconfig(self, kubeconfig_id: UUID, *, lifetime_seconds: int) -> IssuedKubeconfig:
        """Make a token that leads to all namespaces of the tenant, also to those that are still to come.

        Each kubeconfig has a service account of its own. Calling it again makes another token of the same one.
        """

    def revoke_kubeconfig(self, kubeconfig_id: UUID) -> bool:
        """Take everything from a kubeconfig's tokens, and say whether there was anything to take.

        Its role bindings go first, which ends what its tokens may do as soon as API servers hear of it (at once, but
        for the moment that their watch takes); then its service account, which ends that they are known at all. An
        API server may remember a token that it has just accepted for 10 s more, without any right.
        """

    def list_kubeconfigs(self) -> list[UUID]:
        """Return the kubeconfigs of the tenant whose tokens may still be good."""


class ClusterAdministration(Protocol):
    """The administrator's acts: what is installed once for all tenants, and whether the cluster is fit for them."""

    def install(self, options: ClusterOptions) -> bool:
        """Have Platforma's admission policies, roles and system namespaces in the cluster, and say whether it wrote.

        Also leaves the cluster's own address ranges, as they are now, for the worker. Returns when the policies bite:
        that takes a cluster some moments. Raises CloudUnavailable if they do not within the deadline.
        """

    def examine(self, options: ClusterOptions) -> Examination:
        """Look at the cluster as a whole, with what `install` left there, and try its network with packets.

        Takes up to some minutes, for it runs pods in two namespaces of its own, which it removes.
        """

    def issue_worker_credential(self, *, lifetime_seconds: int) -> ClusterCredential:
        """Make a credential for the tenants' worker, confined to what `install` grants it."""

    def revoke_worker_credentials(self) -> None:
        """Make every credential of the tenants' worker worthless. `install` is needed before there are new ones."""

    def list_namespaces(self) -> list[FoundNamespace]:
        """Return the namespaces of all tenants, for a sweep."""


class Clusters(Protocol):
    """Where clusters are opened."""

    def open_administration(self, credential: ClusterCredential) -> ClusterAdministration:
        """Return the administration. Nothing is asked of the cluster yet."""

    def open_tenant(self, credential: ClusterCredential, tenant_id: UUID) -> TenantCluster:
        """Return one tenant's part. Nothing is asked of the cluster yet."""
