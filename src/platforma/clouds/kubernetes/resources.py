"""What is asked of a Kubernetes cluster and what was observed there, in our own words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from platforma.clouds.findings import Finding
from platforma.clouds.names import cloud_name

DEFAULT_TIMEOUT_SECONDS = 20.0
SHORTEST_LIFETIME_SECONDS = 600
"""What the TokenRequest API takes at least."""


def namespace_name(namespace_id: UUID) -> str:
    """Return what a namespace is called in its cluster: derived from our id, so that it tells nothing of a tenant."""
    return cloud_name(namespace_id)


@dataclass(frozen=True, slots=True)
class NamespaceQuota:
    """The most that all pods of a namespace may ask for, and how much else there may be in it."""

    vcpus: int
    ram_mib: int
    pods: int
    volume_claims: int = 10
    storage_gib: int = 100
    load_balancers: int = 0


@dataclass(frozen=True, slots=True)
class OpeningSpec:
    """Traffic to let in from another namespace of the same tenant, to the pods with all of the labels."""

    id: UUID
    from_namespace_id: UUID
    protocol: Literal["TCP", "UDP", "SCTP"]
    port: int
    end_port: int
    pod_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NamespaceSpec:
    """A tenant's namespace, with all that is to be in it.

    `display_name` is the member's own word for it. `hosts` are what an Ingress in it may have, `a.example.com`
    or `*.example.com`: the caller knows them to be the tenant's.
    """

    id: UUID
    tenant_id: UUID
    display_name: str
    quota: NamespaceQuota
    openings: tuple[OpeningSpec, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EnsuredNamespace:
    """`was_written` says whether anything had to be made, mended or removed."""

    name: str
    was_written: bool


@dataclass(frozen=True, slots=True)
class NamespaceObservation:
    """`drift` has a sentence for each thing that is not as specified; an absent namespace has none."""

    name: str
    state: Literal["active", "terminating", "absent"]
    drift: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundNamespace:
    """A namespace that bears Platforma's labels; the ids are None where a label is no id."""

    name: str
    tenant_id: UUID | None
    namespace_id: UUID | None
    is_terminating: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """A deployment, stateful set, daemon set, job, cron job, or a pod that belongs to none of them.

    `ready` of a job are its pods that succeeded; `status` is a word: `running`, `progressing`, `failed`, ...
    """

    kind: str
    name: str
    ready: int
    desired: int
    status: str
    images: tuple[str, ...]
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """What the cluster tells. `type` is `Normal` or `Warning`, `object` is like `Pod/web-0`."""

    type: str
    reason: str
    object: str
    message: str
    count: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """What the pods ask for in sum."""

    vcpus: float
    ram_mib: int
    pods: int


@dataclass(frozen=True, slots=True)
class IssuedKubeconfig:
    """A token of the tenant, and where to use it. `expires_at` is what the cluster said, which may shorten it."""

    server: str
    certificate_authority: str | None
    token: str = field(repr=False)
    expires_at: datetime


class NetworkVerdict(StrEnum):
    """Whether the cluster's network keeps to network policies, as tried with packets between pods."""

    ENFORCED = "enforced"
    NOT_ENFORCED = "not_enforced"
    UNPROVEN = "unproven"
    """The trial could not be made: no pod could run, or none could be reached before any policy."""
    SIMULATED = "simulated"
    """A stand-in answered, and no packet was sent."""


@dataclass(frozen=True, slots=True)
class ClusterAddresses:
    """The cluster's own address ranges, IPv4 and IPv6, which no tenant's pod may reach by address."""

    pods: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.pods, *self.services, *self.nodes)


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """What the operator decides about a cluster.

    `private_ranges` are closed to tenants besides those that are private anywhere and the cluster's own.
    `dns_addresses` are of a DNS cache on the nodes, where there is one. Pods of `ingress_namespace` reach namespaces
    that have hosts. `probe_image` must have `sh`, `nc` and `sleep`, as busybox has.
    """

    private_ranges: tuple[str, ...] = ()
    dns_namespace: str = "kube-system"
    dns_labels: Mapping[str, str] = field(default_factory=lambda: {"k8s-app": "kube-dns"})
    dns_addresses: tuple[str, ...] = ()
    ingress_namespace: str | None = None
    probe_image: str = "busybox:1.37"


@dataclass(frozen=True, slots=True)
class ClusterProfile:
    """What the tenants' worker has to know of a cluster to build a namespace. The provisioner leaves it there."""

    addresses: ClusterAddresses = ClusterAddresses()
    options: ClusterOptions = field(default_factory=ClusterOptions)


@dataclass(frozen=True, slots=True)
class Examination:
    """What a cluster is like. Tenants may be put on it only if `is_fit`.

    A stand-in is as fit as it answers, but says of itself that it is simulated: whoever asks decides.
    """

    version: str
    is_simulated: bool
    network: NetworkVerdict
    addresses: ClusterAddresses
    findings: tuple[Finding, ...]

    @property
    def is_fit(self) -> bool:
        """Whether everything that was looked at is good."""
        return all(finding.is_good for finding in self.findings)
