"""Kubernetes: the Protocols that the product builds on, and the real client. Nothing else imports its SDK.

The SDK is loaded with `ClusterPool`, when somebody asks for it: a portal process, which talks to no cluster, never
does.
"""

from typing import TYPE_CHECKING, Any

from platforma.clouds.errors import (
    CloudAnswerInvalid,
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudForeignObject,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRefused,
    CloudThrottled,
    CloudUnavailable,
)
from platforma.clouds.findings import Finding
from platforma.clouds.kubernetes.credentials import ClusterCredential, render_kubeconfig
from platforma.clouds.kubernetes.protocol import ClusterAdministration, Clusters, TenantCluster
from platforma.clouds.kubernetes.resources import (
    ClusterAddresses,
    ClusterEvent,
    ClusterOptions,
    ClusterProfile,
    EnsuredNamespace,
    Examination,
    FoundNamespace,
    IssuedKubeconfig,
    NamespaceObservation,
    NamespaceQuota,
    NamespaceSpec,
    NetworkVerdict,
    OpeningSpec,
    QuotaUse,
    Workload,
    namespace_name,
)

if TYPE_CHECKING:
    from platforma.clouds.kubernetes.pool import ClusterPool

__all__ = [
    "CloudAnswerInvalid",
    "CloudConflict",
    "CloudCredentialInvalid",
    "CloudError",
    "CloudForeignObject",
    "CloudNotFound",
    "CloudQuotaExceeded",
    "CloudRefused",
    "CloudThrottled",
    "CloudUnavailable",
    "ClusterAddresses",
    "ClusterAdministration",
    "ClusterCredential",
    "ClusterEvent",
    "ClusterOptions",
    "ClusterPool",
    "ClusterProfile",
    "Clusters",
    "EnsuredNamespace",
    "Examination",
    "Finding",
    "FoundNamespace",
    "IssuedKubeconfig",
    "NamespaceObservation",
    "NamespaceQuota",
    "NamespaceSpec",
    "NetworkVerdict",
    "OpeningSpec",
    "QuotaUse",
    "TenantCluster",
    "Workload",
    "namespace_name",
    "render_kubeconfig",
]


def __getattr__(name: str) -> Any:
    if name == "ClusterPool":
        from platforma.clouds.kubernetes.pool import ClusterPool

        return ClusterPool
    raise AttributeError(f"{__name__} has no {name}")
