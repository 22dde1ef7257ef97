"""`/api/v1/volumes`, `/volume-types` and `/snapshots`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.operations.models import Operation
from platforma.operations.resources import get_resource
from platforma.operations.schemas import Accepted, OperationOut
from platforma.storage import service
from platforma.storage import snapshots as snapshots_service
from platforma.storage.models import Snapshot
from platforma.storage.schemas import (
    AttachmentOut,
    SnapshotCreate,
    SnapshotOut,
    SnapshotQuery,
    VolumeAttach,
    VolumeChange,
    VolumeCreate,
    VolumeExtend,
    VolumeOut,
    VolumeQuery,
    VolumeTypeOut,
)
from platforma.storage.service import VolumeDetails
from platforma.storage.types import list_offered

volume_types = APIRouter(prefix="/volume-types", tags=["Volumes"], route_class=TenantRoute)
volumes = APIRouter(prefix="/volumes", tags=["Volumes"], route_class=TenantRoute)
snapshots = APIRouter(prefix="/snapshots", tags=["Snapshots"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.VOLUMES_READ)]
Writes = Annotated[Writing, may_write(Permission.VOLUMES_WRITE)]


@volume_types.get("")
async def list_volume_types(reading: Reads) -> Page[VolumeTypeOut]:
    """The volume types that are offered."""
    return Page(items=[VolumeTypeOut.model_validate(row) for row in await list_offered(reading.session)])


@volumes.get("")
async def list_volumes(query: Annotated[VolumeQuery, Query()], reading: Reads) -> Page[VolumeOut]:
    """Volumes, and where they are attached."""
    rows, cursor = await service.list_volumes(reading.session, query)
    return Page(items=[volume_out(row) for row in rows], next=cursor)


@volumes.post("", status_code=202)
async def create_volume(body: VolumeCreate, writing: Writes) -> Accepted[VolumeOut]:
    """Make a volume: empty, or a copy of a snapshot, of another volume or of an image."""
    return accepted_volume(*await service.create_volume(writing.session, writing.principal, body))


@volumes.get("/{volume_id}")
async def get_volume(volume_id: UUID, reading: Reads) -> VolumeOut:
    """One volume."""
    return volume_out(await service.get_volume(reading.session, volume_id))


@volumes.patch("/{volume_id}", status_code=202)
async def change_volume(volume_id: UUID, body: VolumeChange, writing: Writes) -> Accepted[VolumeOut]:
    """Rename a volume or describe it anew."""
    return accepted_volume(*await service.change_volume(writing.session, writing.principal, volume_id, body))


@volumes.delete("/{volume_id}", status_code=202)
async def delete_volume(volume_id: UUID, writing: Writes) -> Accepted[VolumeOut]:
    """Delete a volume with all that is on it. Refused while it is attached."""
    return accepted_volume(*await service.delete_volume(writing.session, writing.principal, volume_id))


@volumes.post("/{volume_id}/extend", status_code=202)
async def extend_volume(volume_id: UUID, body: VolumeExtend, writing: Writes) -> Accepted[VolumeOut]:
    """Make a volume larger."""
    return accepted_volume(*await service.extend_volume(writing.session, writing.principal, volume_id, body))


@volumes.post("/{volume_id}/attach", status_code=202)
async def attach_volume(volume_id: UUID, body: VolumeAttach, writing: Writes) -> Accepted[VolumeOut]:
    """Attach a volume to an active server."""
    return accepted_volume(*await service.attach_volume(writing.session, writing.principal, volume_id, body))


@volumes.post("/{volume_id}/snapshots", status_code=202)
async def create_snapshot(volume_id: UUID, body: SnapshotCreate, writing: Writes) -> Accepted[SnapshotOut]:
    """Keep a volume as it is now. What a server has not written out yet is not in it."""
    snapshot, operation = await snapshots_service.create_snapshot(writing.session, writing.principal, volume_id, body)
    return accepted_snapshot(snapshot, operation)


@volumes.post("/{volume_id}/detach", status_code=202)
async def detach_volume(volume_id: UUID, writing: Writes) -> Accepted[VolumeOut]:
    """Detach a volume from its server. Unmount it there first."""
    return accepted_volume(*await service.detach_volume(writing.session, writing.principal, volume_id))


@snapshots.get("")
async def list_snapshots(query: Annotated[SnapshotQuery, Query()], reading: Reads) -> Page[SnapshotOut]:
    """Snapshots."""
    rows, cursor = await snapshots_service.list_snapshots(reading.session, query)
    return Page(items=[SnapshotOut.model_validate(row) for row in rows], next=cursor)


@snapshots.get("/{snapshot_id}")
async def get_snapshot(snapshot_id: UUID, reading: Reads) -> SnapshotOut:
    """One snapshot."""
    return SnapshotOut.model_validate(await get_resource(reading.session, Snapshot, snapshot_id))


@snapshots.patch("/{snapshot_id}", status_code=202)
async def change_snapshot(snapshot_id: UUID, body: VolumeChange, writing: Writes) -> Accepted[SnapshotOut]:
    """Rename a snapshot or describe it anew."""
    return accepted_snapshot(
        *await snapshots_service.change_snapshot(writing.session, writing.principal, snapshot_id, body)
    )


@snapshots.delete("/{snapshot_id}", status_code=202)
async def delete_snapshot(snapshot_id: UUID, writing: Writes) -> Accepted[SnapshotOut]:
    """Delete a snapshot. It is erased as a volume is."""
    return accepted_snapshot(*await snapshots_service.delete_snapshot(writing.session, writing.principal, snapshot_id))


def accepted_snapshot(snapshot: Snapshot, operation: Operation) -> Accepted[SnapshotOut]:
    """Answer a change of a snapshot."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=SnapshotOut.model_validate(snapshot))


def volume_out(details: VolumeDetails) -> VolumeOut:
    """Describe a volume."""
    attachment = None
    if details.attachment is not None and details.server is not None:
        attachment = AttachmentOut(
            server_id=details.server.id,
            server_name=details.server.name,
            device=details.attachment.device,
            status=details.attachment.status,
        )
    fields = {name: getattr(details.volume, name) for name in VolumeOut.model_fields if name != "attachment"}
    return VolumeOut(**fields, attachment=attachment)


def accepted_volume(details: VolumeDetails, operation: Operation) -> Accepted[VolumeOut]:
    """Answer a change of a volume."""
    return Accepted(operation=OperationOut.model_validate(operation), resource=volume_out(details))
