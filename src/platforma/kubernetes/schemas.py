"""What the API says and hears about clusters, namespaces, openings and kubeconfigs."""

import base64
import binascii
import re
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from platforma.api.fields import Description, Input, Integer, Name, Output
from platforma.api.lists import ListQuery, ResourceQuery
from platforma.kubernetes.models import ClusterStatus
from platforma.operations.schemas import OperationOut, ResourceOut

LARGEST_VCPUS = 10_000
LARGEST_RAM_MIB = 64 * 1024 * 1024
MOST_PODS = 100_000
MOST_LABELS = 8
SHORTEST_LIFETIME = 600
LONGEST_LIFETIME = 8 * 3600

EXAMPLE_KEY = "Wmu+2a2GfG/1l2d1428bf+1ttw7IfQxStCScyx/3FCY="
"""A key of the documentation, which opens nothing."""

NamespaceName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=30, pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$"),
    Field(description="Lower-case letters, digits and hyphens; begins with a letter.", examples=["web"]),
]
Vcpus = Annotated[Integer, Field(ge=1, le=LARGEST_VCPUS, description="The most that all its pods may ask for.")]
RamMib = Annotated[Integer, Field(ge=128, le=LARGEST_RAM_MIB, description="The most that all its pods may ask for.")]
Pods = Annotated[Integer, Field(ge=1, le=MOST_PODS, description="How many pods there may be.")]

_LABEL_PART = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL_PREFIX = r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"
_LABEL_KEY = re.compile(rf"({_LABEL_PREFIX}/)?{_LABEL_PART}")
_LABEL_VALUE = re.compile(rf"({_LABEL_PART})?")


def _labels(labels: dict[str, str]) -> dict[str, str]:
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise ValueError(f"{key[:80]!r} is no name of a label: write it as app or example.com/app.")
        if not _LABEL_VALUE.fullmatch(value):
            raise ValueError(f"{value[:80]!r} is no value of a label: letters, digits, hyphens and dots.")
    return labels


PodLabels = Annotated[
    dict[str, str],
    Field(max_length=MOST_LABELS, description="Pods with all of these labels; all pods if there are none."),
    AfterValidator(_labels),
]


def _key(text: str) -> str:
    try:
        if len(base64.b64decode(text, validate=True)) == 32:
            return text
    except binascii.Error:
        pass
    raise ValueError("The key is 32 bytes in base64, as the answer to the request for the kubeconfig had it.")


CollectionKey = Annotated[
    str,
    StringConstraints(max_length=64, pattern=r"^[\x20-\x7e]*$"),
    AfterValidator(_key),
    Field(examples=[EXAMPLE_KEY]),
]


class ClusterQuery(ListQuery):
    """The list of clusters, by name."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class ClusterOut(Output):
    """A cluster that namespaces can be made in, while it is `ready`."""

    id: UUID
    name: str
    status: ClusterStatus
    version: str | None
    is_simulated: bool = Field(description="A stand-in for development: it keeps objects, and runs no pods.")


class NamespaceQuery(ResourceQuery):
    """Filters of the list of namespaces."""

    cluster_id: UUID | None = None


class NamespaceCreate(Input):
    """A namespace with its quota. Without a cluster it is made in the only one there is."""

    name: NamespaceName
    description: Description = ""
    cluster_id: UUID | None = None
    vcpus: Vcpus = 2
    ram_mib: RamMib = 4096
    pods: Pods = 20


class NamespaceChange(Input):
    """What can be changed of a namespace."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"vcpus": 4}]})

    description: Description = Field(default=None)  # type: ignore[assignment]
    vcpus: Vcpus = Field(default=None)  # type: ignore[assignment]
    ram_mib: RamMib = Field(default=None)  # type: ignore[assignment]
    pods: Pods = Field(default=None)  # type: ignore[assignment]


Protocol = Literal["TCP", "UDP", "SCTP"]


class OpeningCreate(Input):
    """Traffic from another of your namespaces to pods of this one, which is otherwise denied."""

    from_namespace_id: UUID
    pod_labels: PodLabels = Field(default_factory=dict, examples=[{"app": "web"}])
    protocol: Protocol = "TCP"
    port: Integer = Field(ge=1, le=65535, examples=[443])
    end_port: Integer | None = Field(default=None, ge=1, le=65535, description="The last port of a range.")
    description: Description = ""

    @model_validator(mode="after")
    def _check_ports(self) -> Self:
        if self.end_port is not None and self.end_port < self.port:
            raise ValueError("A range goes from the lower port to the higher.")
        return self


class OpeningOut(Output):
    """Traffic that is let in."""

    id: UUID
    namespace_id: UUID
    from_namespace_id: UUID
    pod_labels: dict[str, str]
    protocol: str
    port: int
    end_port: int
    description: str
    created_at: datetime


class NamespaceOut(ResourceOut):
    """A namespace with its quota, and what is open to it."""

    cluster_id: UUID
    cloud_id: str | None = Field(description="What it is called in the cluster, once it has been made there.")
    vcpus: int
    ram_mib: int
    pods: int
    openings: list[OpeningOut]


class WorkloadOut(Output):
    """Something that runs pods, or a pod by itself."""

    kind: str
    name: str
    ready: int
    desired: int
    status: str
    images: list[str]
    created_at: datetime | None


class EventOut(Output):
    """What the cluster tells of a namespace."""

    type: str
    reason: str
    object: str
    message: str
    count: int
    at: datetime | None


class UseOut(Output):
    """How much of the quota the pods ask for."""

    vcpus: float
    ram_mib: int
    pods: int


class WorkloadsOut(Output):
    """What was seen in a namespace when it was last read."""

    read_at: datetime | None = Field(description="Null if it has not been read yet.")
    workloads: list[WorkloadOut]
    events: list[EventOut]
    used: UseOut | None


class KubeconfigCreate(Input):
    """A way in with kubectl, to all of the tenant's namespaces in one cluster, for some time."""

    name: Annotated[Name, Field(examples=["laptop"])]
    cluster_id: UUID | None = None
    lifetime_seconds: Integer = Field(default=3600, ge=SHORTEST_LIFETIME, le=LONGEST_LIFETIME)


class KubeconfigOut(ResourceOut):
    """An issued way in. Its token is in the kubeconfig alone, which is collected once."""

    cluster_id: UUID
    issued_to: str
    lifetime_seconds: int
    expires_at: datetime | None = Field(description="Null until it has been issued.")
    collected_at: datetime | None


class KubeconfigAccepted(Output):
    """It is being issued. `key` is answered this once, and opens the kubeconfig when it is collected."""

    operation: OperationOut
    resource: KubeconfigOut
    key: str


class KubeconfigCollect(Input):
    """The key that opens it."""

    key: CollectionKey


class KubeconfigFile(Output):
    """The kubeconfig: YAML with the token in it. Keep it as a password."""

    kubeconfig: str


class RevokedKubeconfigsOut(Output):
    """How many are being revoked."""

    revoked: int
