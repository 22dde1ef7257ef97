"""Pages of routers."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field
from sqlalchemy import func, select

from platforma.api.fields import Description, Name
from platforma.network import service
from platforma.network.endpoints import Reads, Writes
from platforma.network.models import Network, Router, Subnet
from platforma.network.pages import NetworksQuery, Plans
from platforma.network.schemas import RouterChange, RouterCreate
from platforma.operations.latest import find_latest_operation, find_running_operations
from platforma.operations.resources import get_resource
from platforma.portal.forms import FormInput, Ticked
from platforma.portal.listing import Listing
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.resources import STATUSES, show_deletion
from platforma.portal.routes import PageRoute, shown_on

routers = APIRouter(prefix="/routers", tags=["Routers"], route_class=PageRoute)


class RouterForm(FormInput):
    """A router."""

    name: Annotated[Name, Field(examples=["edge"])]
    description: Description = ""
    has_external_gateway: Ticked = False


@routers.get("")
async def show_routers(request: Request, query: Annotated[NetworksQuery, Query()], reading: Reads) -> Response:
    """The list of routers."""
    rows, cursor = await service.list_routers(reading.session, query)
    ids = [row.id for row in rows]
    statement = select(Subnet.router_id, func.count()).where(Subnet.router_id.in_(ids)).group_by(Subnet.router_id)
    subnets = {row[0]: row[1] for row in await reading.session.execute(statement)}
    return render(
        request,
        "network/routers.html",
        reading,
        rows=rows,
        running=await find_running_operations(reading.session, ids),
        subnets=subnets,
        listing=Listing(request, query, cursor),
        statuses=STATUSES,
    )


@routers.get("/new")
async def show_new_router(request: Request, reading: Plans) -> Response:
    """The form for a router."""
    return render(request, "network/new_router.html", reading)


@routers.post("")
@shown_on("/routers/new")
async def create_router(form: Annotated[RouterForm, Form()], writing: Writes) -> Response:
    """Make a router."""
    router, _operation = await service.create_router(
        writing.session, writing.principal, RouterCreate(**form.model_dump())
    )
    return see_other(f"/routers/{router.id}")


@routers.get("/{router_id}")
async def show_router(router_id: UUID, request: Request, reading: Reads) -> Response:
    """A router with the subnets that it connects."""
    router = await get_resource(reading.session, Router, router_id)
    statement = (
        select(Subnet, Network)
        .join(Network, Network.id == Subnet.network_id)
        .where(Subnet.router_id == router_id)
        .order_by(Network.name, Subnet.name)
    )
    attached = (await reading.session.execute(statement)).all()
    operation = await find_latest_operation(reading.session, router_id)
    return render(request, "network/router.html", reading, router=router, attached=attached, operation=operation)


@routers.get("/{router_id}/edit")
async def show_edit_router(router_id: UUID, request: Request, reading: Plans) -> Response:
    """The form for a router."""
    router = await get_resource(reading.session, Router, router_id)
    return render(request, "network/edit_router.html", reading, router=router)


@routers.post("/{router_id}/edit")
@shown_on("/routers/{router_id}/edit")
async def edit_router(router_id: UUID, form: Annotated[RouterForm, Form()], writing: Writes) -> Response:
    """Change a router."""
    change = RouterChange(**form.model_dump())
    await service.change_router(writing.session, writing.principal, router_id, change)
    return see_other(f"/routers/{router_id}")


@routers.get("/{router_id}/delete")
async def show_delete_router(router_id: UUID, request: Request, reading: Plans) -> Response:
    """Ask whether a router shall go."""
    router = await get_resource(reading.session, Router, router_id)
    lost = (f"Its external address {router.external_address} is given back.",) if router.external_address else ()
    return show_deletion(request, reading, router, kind="router", at=f"/routers/{router_id}", consequences=lost)


@routers.post("/{router_id}/delete")
@shown_on("/routers/{router_id}/delete")
async def delete_router(router_id: UUID, writing: Writes) -> Response:
    """Delete a router."""
    await service.delete_router(writing.session, writing.principal, router_id)
    return see_other("/routers", notice="deletion-requested")
