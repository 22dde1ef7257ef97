"""Pages of snapshots."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field

from platforma.api.fields import Description, Name
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, show_deletion
from platforma.portal.routes import PageRoute, shown_on
from platforma.storage import service as volumes_service
from platforma.storage import snapshots as service
from platforma.storage.endpoints import Reads, Writes
from platforma.storage.models import Snapshot
from platforma.storage.pages import Plans
from platforma.storage.schemas import LARGEST_VOLUME_GIB, SnapshotCreate, SnapshotQuery, VolumeCreate

snapshots = APIRouter(tags=["Snapshots"], route_class=PageRoute)


class SnapshotsQuery(PageListQuery, SnapshotQuery):
    """The address of a list of snapshots."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class SnapshotForm(FormInput):
    """What a snapshot shall be called."""

    name: Annotated[Name, Field(examples=["before the upgrade"])]
    description: Description = ""


class CopyForm(FormInput):
    """A volume that begins as the snapshot."""

    name: Annotated[Name, Field(examples=["data"])]
    size_gib: int = Field(ge=1, le=LARGEST_VOLUME_GIB)


@snapshots.get("/snapshots")
async def show_snapshots(request: Request, query: Annotated[SnapshotsQuery, Query()], reading: Reads) -> Response:
    """The list of snapshots."""
    rows, cursor = await service.list_snapshots(reading.session, query)
    return render(
        request,
        "storage/snapshots.html",
        reading,
        rows=rows,
        running=await find_running_operations(reading.session, [row.id for row in rows]),
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
    )


@snapshots.get("/volumes/{volume_id}/snapshots/new")
async def show_new_snapshot(volume_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a snapshot of a volume."""
    details = await volumes_service.get_volume(reading.session, volume_id)
    return render(request, "storage/new_snapshot.html", reading, volume=details.volume)


@snapshots.post("/volumes/{volume_id}/snapshots")
@shown_on("/volumes/{volume_id}/snapshots/new")
async def create_snapshot(volume_id: UUID, form: Annotated[SnapshotForm, Form()], writing: Writes) -> Response:
    """Keep a volume as it is."""
    wanted = SnapshotCreate(name=form.name, description=form.description)
    snapshot, _operation = await service.create_snapshot(writing.session, writing.principal, volume_id, wanted)
    return see_other(f"/snapshots/{snapshot.id}")


@snapshots.get("/snapshots/{snapshot_id}")
async def show_snapshot(snapshot_id: UUID, request: Request, reading: Reads) -> Response:
    """A snapshot, and what can be done with it."""
    return render(
        request,
        "storage/snapshot.html",
        reading,
        snapshot=await get_resource(reading.session, Snapshot, snapshot_id),
        operation=await find_latest_operation(reading.session, snapshot_id),
        largest=LARGEST_VOLUME_GIB,
    )


@snapshots.post("/snapshots/{snapshot_id}/volumes")
@shown_on("/snapshots/{snapshot_id}")
async def create_volume_of_snapshot(snapshot_id: UUID, form: Annotated[CopyForm, Form()], writing: Writes) -> Response:
    """Make a volume that begins as the snapshot."""
    wanted = VolumeCreate(name=form.name, size_gib=form.size_gib, snapshot_id=snapshot_id)
    details, _operation = await volumes_service.create_volume(writing.session, writing.principal, wanted)
    return see_other(f"/volumes/{details.volume.id}")


@snapshots.get("/snapshots/{snapshot_id}/delete")
async def show_delete_snapshot(snapshot_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a snapshot shall go."""
    snapshot = await get_resource(reading.session, Snapshot, snapshot_id)
    at = f"/snapshots/{snapshot_id}"
    lost = ("It is overwritten and read back. Nobody can bring it back.",)
    return show_deletion(request, reading, snapshot, kind="snapshot", at=at, consequences=lost)


@snapshots.post("/snapshots/{snapshot_id}/delete")
@shown_on("/snapshots/{snapshot_id}/delete")
async def delete_snapshot(snapshot_id: UUID, writing: Writes) -> Response:
    """Delete a snapshot."""
    await service.delete_snapshot(writing.session, writing.principal, snapshot_id)
    return see_other("/snapshots", notice="deletion-requested")
