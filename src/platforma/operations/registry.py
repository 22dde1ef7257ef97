"""Every reconciler of the product: the inventory of what Platforma makes in clouds."""

from typing import Any

from platforma.compute.reconcile import KeyPairReconciler, ServerReconciler
from platforma.kubernetes.reconcile import NamespaceReconciler
from platforma.kubernetes.reconcile_access import AccessReconciler
from platforma.kubernetes.reconcile_kubeconfigs import KubeconfigReconciler
from platforma.network.reconcile import NetworkReconciler, RouterReconciler
from platforma.network.reconcile_floating_ips import FloatingIpReconciler
from platforma.network.reconcile_ports import PortReconciler
from platforma.network.reconcile_security_groups import SecurityGroupReconciler
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.models import Plane
from platforma.operations.reconciling import Reconciler, Reconcilers
from platforma.storage.reconcile import SnapshotReconciler, VolumeReconciler
from platforma.storage.sampling import Assurance
from platforma.tenants.reconcile import TenantReconciler


def reconcilers_of(plane: Plane, access: CloudAccess, assurance: Assurance = Assurance()) -> Reconcilers:  # noqa: B008
    """Return the reconcilers of one plane."""
    reconcilers: list[Reconciler[Any, Any]] = [
        NetworkReconciler(),
        RouterReconciler(),
        SecurityGroupReconciler(),
        FloatingIpReconciler(),
        PortReconciler(),
        KeyPairReconciler(),
        ServerReconciler(),
        VolumeReconciler(assurance),
        SnapshotReconciler(assurance),
        NamespaceReconciler(),
        KubeconfigReconciler(),
        AccessReconciler(),
        TenantReconciler(access),
    ]
    return Reconcilers(reconciler for reconciler in reconcilers if reconciler.plane is plane)


def cloud_kinds() -> frozenset[str]:
    """Return every kind of thing that Platforma makes in clouds, of all planes. Opens none of them."""
    no_cloud: Any = None
    return frozenset().union(*(reconcilers_of(plane, no_cloud).kinds for plane in Plane))
