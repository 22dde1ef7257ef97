"""What the API says and hears about volumes."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator

from platforma.api.fields import Description, Input, Integer, Name, Output
from platforma.api.lists import ListQuery, ResourceQuery
from platforma.operations.schemas import ResourceOut
from platforma.storage.erasure_models import ErasureMethod, ErasureState

LARGEST_VOLUME_GIB = 65_536


class VolumeQuery(ResourceQuery):
    """Filters of the list of volumes."""

    server_id: UUID | None = None


class VolumeTypeOut(Output):
    """A kind of volume to choose, and how what it holds is erased when it is deleted."""

    id: UUID
    name: str
    method: ErasureMethod
    proven_at: datetime = Field(description="When it was last shown that nothing is left behind.")


class VolumeCreate(Input):
    """A volume: empty, or a copy of a snapshot, of another volume or of an image."""

    name: Name
    description: Description = ""
    size_gib: Integer = Field(ge=1, le=LARGEST_VOLUME_GIB)
    volume_type_id: UUID | None = Field(default=None, description="If not given: its source's, or the default.")
    snapshot_id: UUID | None = None
    source_volume_id: UUID | None = None
    image_id: UUID | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> "VolumeCreate":
        if sum(each is not None for each in (self.snapshot_id, self.source_volume_id, self.image_id)) > 1:
            raise ValueError("Name one source at most.")
        return self


class VolumeChange(Input):
    """A new name or description."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend"}]})

    name: Name = Field(default=None)  # type: ignore[assignment]
    description: Description = Field(default=None)  # type: ignore[assignment]


class VolumeExtend(Input):
    """A larger size."""

    size_gib: Integer = Field(ge=1, le=LARGEST_VOLUME_GIB, examples=[20])


class VolumeAttach(Input):
    """The server to attach it to."""

    server_id: UUID


class AttachmentOut(Output):
    """Where a volume is attached."""

    server_id: UUID
    server_name: str
    device: str | None
    status: str = Field(description="`pending`, `attaching`, `attached` or `detaching`.")


class VolumeOut(ResourceOut):
    """A volume."""

    size_gib: int
    volume_type_id: UUID | None = Field(description="Null for the default.")
    observed_size_gib: int | None = Field(description="What it has in the cloud so far; null until it has been made.")
    source_kind: Literal["volume", "snapshot", "image"] | None = Field(description="What it began as a copy of.")
    source_id: UUID | None
    attachment: AttachmentOut | None


class SnapshotQuery(ResourceQuery):
    """Filters of the list of snapshots."""

    volume_id: UUID | None = None


class SnapshotCreate(Input):
    """A volume, kept as it is now."""

    name: Name
    description: Description = ""


class SnapshotOut(ResourceOut):
    """A volume as it was. It takes as much space, and stays when the volume goes."""

    volume_id: UUID
    volume_name: str
    size_gib: int


class ErasureQuery(ListQuery):
    """Filters of the list of erasures."""

    sort: str = Field(default="-created_at", pattern=r"^-?[a-z_]{1,40}$")
    state: ErasureState | None = None


class ErasureOut(Output):
    """How far the erasure of a deleted volume or snapshot has come."""

    id: UUID
    subject_kind: Literal["volume", "snapshot"]
    subject_id: UUID
    name: str
    size_gib: int
    method: ErasureMethod
    state: ErasureState
    position: int = Field(description="Bytes that have been overwritten so far.")
    requested_by: str
    created_at: datetime
    updated_at: datetime


class ErasureRecordOut(Output):
    """One event, in the organisation's chain of them."""

    sequence: int
    event: str
    at: datetime
    content: str = Field(description="What was recorded, as JSON, letter by letter as it was hashed.")
    previous_hash: str
    hash: str = Field(description="SHA-256 of `sequence|previous_hash|content`, in hexadecimal.")


class ErasureDetail(ErasureOut):
    """An erasure with its records."""

    records: list[ErasureRecordOut]


class CertificateOut(Output):
    """What proves an erasure, to keep outside of the cloud."""

    statement: str
    erasure: ErasureDetail
    chain_length: int
    chain_head: str = Field(description="Hash of the organisation's last record when this was made.")
    chain_is_whole: bool = Field(description="Whether every record of the organisation fits to the one before it.")
    how_to_check: str
    made_at: datetime
