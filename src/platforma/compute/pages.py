"""Pages of servers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field
from sqlalchemy import select

from platforma.api.fields import Description, Name
from platforma.api.lists import ResourceQuery
from platforma.api.routes import Reading, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.compute import catalogue, key_pairs, power, service
from platforma.compute.endpoints import Reads, Writes
from platforma.compute.models import Server
from platforma.compute.schemas import CatalogueQuery, ServerChange, ServerCreate, ServerQuery
from platforma.kit.problems import Invalid
from platforma.network import security_groups as security_group_service
from platforma.network import service as network_service
from platforma.network.port_pages import in_words
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput, Ticked
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, EditForm, show_deletion, show_edit
from platforma.portal.routes import PageRoute, shown_on
from platforma.storage import service as volume_service
from platforma.storage.models import Volume, VolumeAttachment
from platforma.storage.schemas import VolumeAttach

servers = APIRouter(prefix="/servers", tags=["Servers"], route_class=PageRoute)

Plans = Annotated[Reading, may_read(Permission.SERVERS_WRITE)]
Attaches = Annotated[Reading, may_read(Permission.VOLUMES_WRITE)]

_EVERYTHING = ResourceQuery(limit=200, sort="name")


class ServersQuery(PageListQuery, ServerQuery):
    """The address of a list of servers."""

    sort: str = Field(default="name", pattern=r"^-?[a-z_]{1,40}$")


class ServerForm(FormInput):
    """A server."""

    name: Annotated[Name, Field(examples=["web-1"])]
    description: Description = ""
    flavor_id: UUID
    image_id: UUID
    key_pair_id: UUID | None = None
    network_ids: list[UUID] = Field(min_length=1, max_length=8)
    fixed_addresses: str = Field(default="", max_length=400)
    """One on each line."""
    security_group_ids: list[UUID] = Field(default_factory=list, max_length=10)

    def wanted(self) -> ServerCreate:
        """Return the server that is asked for; raises Invalid."""
        return in_words(
            ServerCreate,
            name=self.name,
            description=self.description,
            flavor_id=self.flavor_id,
            image_id=self.image_id,
            key_pair_id=self.key_pair_id,
            network_ids=list(dict.fromkeys(self.network_ids)),
            fixed_addresses=self.fixed_addresses.split(),
            security_group_ids=list(dict.fromkeys(self.security_group_ids)) or None,
        )


class RebootForm(FormInput):
    """How to reboot."""

    hard: Ticked = False


class AttachForm(FormInput):
    """Which volume."""

    volume_id: UUID


class DeletionForm(FormInput):
    """The server's name, typed."""

    name: Annotated[str, Field(max_length=255, examples=["web-1"])]


@servers.get("")
async def show_servers(request: Request, query: Annotated[ServersQuery, Query()], reading: Reads) -> Response:
    """The list of servers."""
    rows, cursor = await service.list_servers(reading.session, query)
    return render(
        request,
        "compute/servers.html",
        reading,
        rows=rows,
        running=await find_running_operations(reading.session, [row.server.id for row in rows]),
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
    )


@servers.get("/new")
async def show_new_server(request: Request, reading: Plans) -> Response:
    """The form for a server, with what most people want chosen already."""
    session = reading.session
    networks, _cursor = await network_service.list_networks(session, _EVERYTHING)
    groups, _cursor = await security_group_service.list_security_groups(session, _EVERYTHING)
    keys, _cursor = await key_pairs.list_key_pairs(session, _EVERYTHING)
    flavors, _cursor = await catalogue.list_flavors(session, CatalogueQuery(limit=200, sort="vcpus"))
    images, _cursor = await catalogue.list_images(session, CatalogueQuery(limit=200))
    return render(
        request,
        "compute/new_server.html",
        reading,
        flavors=sorted(flavors, key=lambda flavor: (flavor.vcpus, flavor.ram_mib, flavor.disk_gib)),
        images=images,
        networks=[(row, subnets) for row, subnets in networks if subnets and row.deletion_requested_at is None],
        groups=[group for group, _rules in groups if group.deletion_requested_at is None],
        keys=[key for key in keys if key.deletion_requested_at is None],
    )


@servers.post("")
@shown_on("/servers/new")
async def create_server(form: Annotated[ServerForm, Form()], writing: Writes) -> Response:
    """Make a server."""
    details, _operation = await service.create_server(writing.session, writing.principal, form.wanted())
    return see_other(f"/servers/{details.server.id}")


@servers.get("/{server_id}")
async def show_server(server_id: UUID, request: Request, reading: Reads) -> Response:
    """A server with its networks, security groups, volumes and console."""
    details = await service.get_server(reading.session, server_id)
    operation = await find_latest_operation(reading.session, server_id)
    return render(request, "compute/server.html", reading, details=details, server=details.server, operation=operation)


@servers.get("/{server_id}/edit")
async def show_edit_server(server_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a server's name."""
    server = await get_resource(reading.session, Server, server_id)
    return show_edit(request, reading, server, kind="server", at=f"/servers/{server_id}")


@servers.post("/{server_id}/edit")
@shown_on("/servers/{server_id}/edit")
async def edit_server(server_id: UUID, form: Annotated[EditForm, Form()], writing: Writes) -> Response:
    """Rename a server."""
    change = ServerChange(name=form.name, description=form.description)
    await service.change_server(writing.session, writing.principal, server_id, change)
    return see_other(f"/servers/{server_id}")


@servers.post("/{server_id}/start")
@shown_on("/servers/{server_id}")
async def start_server(server_id: UUID, writing: Writes) -> Response:
    """Start a server."""
    await power.start_server(writing.session, writing.principal, server_id)
    return see_other(f"/servers/{server_id}")


@servers.get("/{server_id}/stop")
async def show_stop_server(server_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a server shall stop."""
    return await _confirm(request, reading, server_id, "stop")


@servers.post("/{server_id}/stop")
@shown_on("/servers/{server_id}/stop")
async def stop_server(server_id: UUID, writing: Writes) -> Response:
    """Stop a server."""
    await power.stop_server(writing.session, writing.principal, server_id)
    return see_other(f"/servers/{server_id}")


@servers.get("/{server_id}/reboot")
async def show_reboot_server(
    server_id: UUID, request: Request, reading: Plans, hard: Annotated[bool, Query()] = False
) -> Response:
    """Ask whether a server shall be rebooted."""
    return await _confirm(request, reading, server_id, "reboot", is_hard=hard)


@servers.post("/{server_id}/reboot")
@shown_on("/servers/{server_id}/reboot")
async def reboot_server(server_id: UUID, form: Annotated[RebootForm, Form()], writing: Writes) -> Response:
    """Reboot a server."""
    await power.reboot_server(writing.session, writing.principal, server_id, hard=form.hard)
    return see_other(f"/servers/{server_id}")


@servers.post("/{server_id}/console-output")
@shown_on("/servers/{server_id}")
async def fetch_console_output(server_id: UUID, writing: Writes) -> Response:
    """Fetch what a server has written to its console."""
    await power.fetch_console_output(writing.session, writing.principal, server_id)
    return see_other(f"/servers/{server_id}#console")


@servers.get("/{server_id}/volumes/attach")
async def show_attach_volume(server_id: UUID, request: Request, reading: Attaches) -> Response:
    """The form for a volume that is free."""
    server = await get_resource(reading.session, Server, server_id)
    attached = select(VolumeAttachment.volume_id)
    free = (
        select(Volume).where(Volume.deletion_requested_at.is_(None), Volume.id.not_in(attached)).order_by(Volume.name)
    )
    volumes = [(str(row.id), f"{row.name} ({row.size_gib:,} GiB)") for row in await reading.session.scalars(free)]
    return render(request, "compute/attach_volume.html", reading, server=server, volumes=volumes)


@servers.post("/{server_id}/volumes/attach")
@shown_on("/servers/{server_id}/volumes/attach")
async def attach_chosen_volume(
    server_id: UUID,
    form: Annotated[AttachForm, Form()],
    writing: Annotated[Writing, may_write(Permission.VOLUMES_WRITE)],
) -> Response:
    """Attach a volume to this server."""
    wanted = VolumeAttach(server_id=server_id)
    await volume_service.attach_volume(writing.session, writing.principal, form.volume_id, wanted)
    return see_other(f"/servers/{server_id}")


@servers.get("/{server_id}/delete")
async def show_delete_server(server_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a server shall go."""
    details = await service.get_server(reading.session, server_id)
    lost = ["Its disk and everything on it is lost."]
    lost += [f"Volume {attached.volume.name} is detached, and stays." for attached in details.volumes]
    return show_deletion(
        request,
        reading,
        details.server,
        kind="server",
        at=f"/servers/{server_id}",
        consequences=tuple(lost),
        is_name_asked=True,
    )


@servers.post("/{server_id}/delete")
@shown_on("/servers/{server_id}/delete")
async def delete_server(server_id: UUID, form: Annotated[DeletionForm, Form()], writing: Writes) -> Response:
    """Delete a server whose name was typed."""
    server = await get_resource(writing.session, Server, server_id)
    if form.name.strip() != server.name.strip():
        raise Invalid(errors=[{"where": "body.name", "detail": "This is not the server's name."}])
    await service.delete_server(writing.session, writing.principal, server_id)
    return see_other("/servers", notice="deletion-requested")


async def _confirm(request: Request, reading: Reading, server_id: UUID, act: str, *, is_hard: bool = False) -> Response:
    server = await get_resource(reading.session, Server, server_id)
    return render(request, "compute/confirm_power.html", reading, server=server, act=act, is_hard=is_hard)
