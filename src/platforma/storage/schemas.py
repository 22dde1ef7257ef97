"""What the API says and hears about volumes."""

from uuid import UUID

from pydantic import ConfigDict, Field

from platforma.api.fields import Description, Input, Integer, Name, Output
from platforma.api.lists import ResourceQuery
from platforma.operations.schemas import ResourceOut

LARGEST_VOLUME_GIB = 65_536


class VolumeQuery(ResourceQuery):
    """Filters of the list of volumes."""

    server_id: UUID | None = None


class VolumeCreate(Input):
    """An empty volume."""

    name: Name
    description: Description = ""
    size_gib: Integer = Field(ge=1, le=LARGEST_VOLUME_GIB)


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
    observed_size_gib: int | None = Field(description="What it has in the cloud so far; null until it has been made.")
    attachment: AttachmentOut | None
