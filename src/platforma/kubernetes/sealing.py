"""For whom the credentials of clusters are sealed: bytes moved to another row, or to another use, do not open."""

from uuid import UUID


def administrator_owner(cluster_id: UUID) -> bytes:
    """Return the owner of an administrator's kubeconfig, which operators seal to the provisioner."""
    return cluster_id.bytes + b"/administrator"


def access_owner(cluster_id: UUID) -> bytes:
    """Return the owner of the tenants' worker's credential, which the provisioner seals."""
    return cluster_id.bytes + b"/worker"
