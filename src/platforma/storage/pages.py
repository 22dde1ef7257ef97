"""Pages of volumes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field
from sqlalchemy import select

from platforma.api.fields import Description, Name
from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.compute.models import Server
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, EditForm, show_deletion, show_edit
from platforma.portal.routes import PageRoute, shown_on
from platforma.storage import service
from platforma.storage.endpoints import Reads, Writes
from platforma.storage.models import Volume
from platforma.storage.schemas import (
    LARGEST_VOLUME_GIB,
    VolumeAttach,
    VolumeChange,
    VolumeCreate,
    VolumeExtend,
    VolumeQuery,
)
from platforma.storage.types import find_type, list_offered

volumes = APIRouter(prefix="/volumes", tags=["Volumes"], route_class=PageRoute)

Plans = Annotated[Reading, may_read(Permission.VOLUMES_WRITE)]

_MOST_SERVERS = 200


class VolumesQuery(PageListQuery, VolumeQuery):
    """The address of a list of volumes."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class VolumeForm(FormInput):
    """An empty volume."""

    name: Annotated[Name, Field(examples=["data"])]
    description: Description = ""
    size_gib: int = Field(ge=1, le=LARGEST_VOLUME_GIB)
    volume_type_id: UUID | None = None


class SizeForm(FormInput):
    """A larger size."""

    size_gib: int = Field(ge=1, le=LARGEST_VOLUME_GIB, examples=[20])


class AttachForm(FormInput):
    """The server to attach a volume to."""

    server_id: UUID


@volumes.get("")
async def show_volumes(request: Request, query: Annotated[VolumesQuery, Query()], reading: Reads) -> Response:
    """The list of volumes."""
    rows, cursor = await service.list_volumes(reading.session, query)
    return render(
        request,
        "storage/volumes.html",
        reading,
        rows=rows,
        running=await find_running_operations(reading.session, [row.volume.id for row in rows]),
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
    )


@volumes.get("/new")
async def show_new_volume(request: Request, reading: Plans) -> Response:
    """The form for a volume."""
    types = await list_offered(reading.session)
    return render(request, "storage/new_volume.html", reading, largest=LARGEST_VOLUME_GIB, types=types)


@volumes.post("")
@shown_on("/volumes/new")
async def create_volume(form: Annotated[VolumeForm, Form()], writing: Writes) -> Response:
    """Make a volume."""
    wanted = VolumeCreate(**form.model_dump())
    details, _operation = await service.create_volume(writing.session, writing.principal, wanted)
    return see_other(f"/volumes/{details.volume.id}")


@volumes.get("/{volume_id}")
async def show_volume(volume_id: UUID, request: Request, reading: Reads) -> Response:
    """A volume, where it is attached, and what can be done with it."""
    details = await service.get_volume(reading.session, volume_id)
    servers = []
    if reading.principal.may(Permission.SERVERS_READ):
        statement = (
            select(Server)
            .where(Server.deletion_requested_at.is_(None), Server.power_state.is_not(None))
            .order_by(Server.name)
            .limit(_MOST_SERVERS)
        )
        servers = list(await reading.session.scalars(statement))
    return render(
        request,
        "storage/volume.html",
        reading,
        volume=details.volume,
        attachment=details.attachment,
        server=details.server,
        servers=servers,
        operation=await find_latest_operation(reading.session, volume_id),
        largest=LARGEST_VOLUME_GIB,
        volume_type=await find_type(reading.session, details.volume),
    )


@volumes.get("/{volume_id}/edit")
async def show_edit_volume(volume_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a volume's name."""
    volume = await get_resource(reading.session, Volume, volume_id)
    return show_edit(request, reading, volume, kind="volume", at=f"/volumes/{volume_id}")


@volumes.post("/{volume_id}/edit")
@shown_on("/volumes/{volume_id}/edit")
async def edit_volume(volume_id: UUID, form: Annotated[EditForm, Form()], writing: Writes) -> Response:
    """Rename a volume."""
    change = VolumeChange(name=form.name, description=form.description)
    await service.change_volume(writing.session, writing.principal, volume_id, change)
    return see_other(f"/volumes/{volume_id}")


@volumes.post("/{volume_id}/extend")
@shown_on("/volumes/{volume_id}")
async def extend_volume(volume_id: UUID, form: Annotated[SizeForm, Form()], writing: Writes) -> Response:
    """Make a volume larger."""
    wanted = VolumeExtend(size_gib=form.size_gib)
    await service.extend_volume(writing.session, writing.principal, volume_id, wanted)
    return see_other(f"/volumes/{volume_id}")


@volumes.post("/{volume_id}/attach")
@shown_on("/volumes/{volume_id}")
async def attach_volume(volume_id: UUID, form: Annotated[AttachForm, Form()], writing: Writes) -> Response:
    """Attach a volume to a server."""
    wanted = VolumeAttach(server_id=form.server_id)
    await service.attach_volume(writing.session, writing.principal, volume_id, wanted)
    return see_other(f"/volumes/{volume_id}")


@volumes.get("/{volume_id}/detach")
async def show_detach_volume(volume_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a volume shall be detached."""
    details = await service.get_volume(reading.session, volume_id)
    return render(request, "storage/detach_volume.html", reading, volume=details.volume, server=details.server)


@volumes.post("/{volume_id}/detach")
@shown_on("/volumes/{volume_id}")
async def detach_volume(volume_id: UUID, writing: Writes) -> Response:
    """Detach a volume from its server."""
    await service.detach_volume(writing.session, writing.principal, volume_id)
    return see_other(f"/volumes/{volume_id}")


@volumes.get("/{volume_id}/delete")
async def show_delete_volume(volume_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a volume shall go."""
    volume = await get_resource(reading.session, Volume, volume_id)
    lost = (f"All {volume.size_gib} GiB are deleted. Nobody can bring them back.",)
    at = f"/volumes/{volume_id}"
    return show_deletion(request, reading, volume, kind="volume", at=at, consequences=lost)


@volumes.post("/{volume_id}/delete")
@shown_on("/volumes/{volume_id}/delete")
async def delete_volume(volume_id: UUID, writing: Writes) -> Response:
    """Delete a volume."""
    await service.delete_volume(writing.session, writing.principal, volume_id)
    return see_other("/volumes", notice="deletion-requested")
