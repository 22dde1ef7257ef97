"""What opens the cloud that a step works on: a reconciler finds it in the database, `CloudAccess` opens with it."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class ProjectKey:
    """The tenant's own credential of its OpenStack project, sealed for the tenant."""

    sealed: bytes


@dataclass(frozen=True)
class ClusterKey:
    """The tenants' worker's credential of a Kubernetes cluster, sealed for the cluster."""

    cluster_id: UUID
    sealed: bytes


@dataclass(frozen=True)
class AdministrationKey:
    """The administrator's credential of OpenStack, which the provisioner has in its settings."""


@dataclass(frozen=True)
class NoKey:
    """The step works on no cloud."""


Key = ProjectKey | ClusterKey | AdministrationKey | NoKey
