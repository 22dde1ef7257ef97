"""Pages of floating IPs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field

from platforma.api.fields import Description, Name
from platforma.database.tenant_session import ReadSession
from platforma.network import floating_ips as service
from platforma.network.endpoints import Reads, Writes
from platforma.network.models import FloatingIp
from platforma.network.pages import NetworksQuery, Plans
from platforma.network.ports import list_ports
from platforma.network.schemas import FloatingIpAttach, FloatingIpCreate, NameChange, PortQuery
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput
from platforma.portal.listing import Listing
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, EditForm, show_deletion, show_edit
from platforma.portal.routes import PageRoute, shown_on

floating_ips = APIRouter(prefix="/floating-ips", tags=["Floating IPs"], route_class=PageRoute)


class FloatingIpForm(FormInput):
    """A floating IP, and the port that it shall lead to."""

    name: Annotated[Name, Field(examples=["web"])]
    description: Description = ""
    port_id: UUID | None = None


class AttachForm(FormInput):
    """The port that a floating IP shall lead to."""

    port_id: UUID


@floating_ips.get("")
async def show_floating_ips(request: Request, query: Annotated[NetworksQuery, Query()], reading: Reads) -> Response:
    """The list of floating IPs."""
    rows, cursor = await service.list_floating_ips(reading.session, query)
    return render(
        request,
        "network/floating_ips.html",
        reading,
        rows=rows,
        running=await find_running_operations(reading.session, [row.floating_ip.id for row in rows]),
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
    )


@floating_ips.get("/new")
async def show_new_floating_ip(request: Request, reading: Plans) -> Response:
    """The form for a floating IP."""
    return render(request, "network/new_floating_ip.html", reading, targets=await _targets(reading.session))


@floating_ips.post("")
@shown_on("/floating-ips/new")
async def create_floating_ip(form: Annotated[FloatingIpForm, Form()], writing: Writes) -> Response:
    """Get a floating IP."""
    wanted = FloatingIpCreate(**form.model_dump())
    details, _operation = await service.create_floating_ip(writing.session, writing.principal, wanted)
    return see_other(f"/floating-ips/{details.floating_ip.id}")


@floating_ips.get("/{floating_ip_id}")
async def show_floating_ip(floating_ip_id: UUID, request: Request, reading: Reads) -> Response:
    """A floating IP, and where it leads."""
    details = await service.get_floating_ip(reading.session, floating_ip_id)
    return render(
        request,
        "network/floating_ip.html",
        reading,
        floating_ip=details.floating_ip,
        port=details.port,
        targets=await _targets(reading.session),
        operation=await find_latest_operation(reading.session, floating_ip_id),
    )


@floating_ips.get("/{floating_ip_id}/edit")
async def show_edit_floating_ip(floating_ip_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a floating IP's name."""
    row = await get_resource(reading.session, FloatingIp, floating_ip_id)
    return show_edit(request, reading, row, kind="floating IP", at=f"/floating-ips/{floating_ip_id}")


@floating_ips.post("/{floating_ip_id}/edit")
@shown_on("/floating-ips/{floating_ip_id}/edit")
async def edit_floating_ip(floating_ip_id: UUID, form: Annotated[EditForm, Form()], writing: Writes) -> Response:
    """Rename a floating IP."""
    change = NameChange(name=form.name, description=form.description)
    await service.change_floating_ip(writing.session, writing.principal, floating_ip_id, change)
    return see_other(f"/floating-ips/{floating_ip_id}")


@floating_ips.post("/{floating_ip_id}/attach")
@shown_on("/floating-ips/{floating_ip_id}")
async def attach_floating_ip(floating_ip_id: UUID, form: Annotated[AttachForm, Form()], writing: Writes) -> Response:
    """Lead a floating IP to a port."""
    wanted = FloatingIpAttach(port_id=form.port_id)
    await service.attach_floating_ip(writing.session, writing.principal, floating_ip_id, wanted)
    return see_other(f"/floating-ips/{floating_ip_id}")


@floating_ips.post("/{floating_ip_id}/detach")
@shown_on("/floating-ips/{floating_ip_id}")
async def detach_floating_ip(floating_ip_id: UUID, writing: Writes) -> Response:
    """Let a floating IP lead nowhere."""
    await service.detach_floating_ip(writing.session, writing.principal, floating_ip_id)
    return see_other(f"/floating-ips/{floating_ip_id}")


@floating_ips.get("/{floating_ip_id}/delete")
async def show_delete_floating_ip(floating_ip_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a floating IP shall be given back."""
    row = await get_resource(reading.session, FloatingIp, floating_ip_id)
    lost = (f"{row.address} is given back, and may go to somebody else.",) if row.address else ()
    at = f"/floating-ips/{floating_ip_id}"
    return show_deletion(request, reading, row, kind="floating IP", at=at, consequences=lost)


@floating_ips.post("/{floating_ip_id}/delete")
@shown_on("/floating-ips/{floating_ip_id}/delete")
async def delete_floating_ip(floating_ip_id: UUID, writing: Writes) -> Response:
    """Give a floating IP back."""
    await service.delete_floating_ip(writing.session, writing.principal, floating_ip_id)
    return see_other("/floating-ips", notice="deletion-requested")


async def _targets(session: ReadSession) -> list[tuple[str, str]]:
    """Return the ports that no floating IP leads to, for a select."""
    ports, _cursor = await list_ports(session, PortQuery(limit=200))
    free = [
        port
        for port in ports
        if port.floating_ip is None
        and port.port.deletion_requested_at is None
        and (port.server is None or port.server.deletion_requested_at is None)
    ]
    return sorted(((str(port.port.id), port.title) for port in free), key=lambda target: target[1])
