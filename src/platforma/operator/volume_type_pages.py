"""The console's page of volume types."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from platforma.operator import volume_types as service
from platforma.operator.console import ConsoleRoute
from platforma.operator.pages import see_other
from platforma.operator.rendering import render
from platforma.operator.routes import Signed
from platforma.operator.schemas import VolumeTypeChange
from platforma.portal.forms import FormInput
from platforma.storage.erasure_models import ErasureMethod

volume_types = APIRouter(prefix="/volume-types", tags=["Storage"], route_class=ConsoleRoute)


class TypeForm(FormInput):
    """Whether to offer a type, and how it is erased."""

    is_wanted: bool
    method: ErasureMethod | None = None


@volume_types.get("")
async def show_volume_types(request: Request, acting: Signed) -> Response:
    """The volume types of the cloud, and which are offered."""
    types = await service.list_types(acting)
    waiting = any(each.wanted_at and (each.tried_at is None or each.tried_at < each.wanted_at) for each in types)
    return render(request, "volume_types.html", acting, types=types, methods=list(ErasureMethod), is_waiting=waiting)


@volume_types.post("/{volume_type_id}")
async def change_volume_type(volume_type_id: UUID, form: Annotated[TypeForm, Form()], acting: Signed) -> Response:
    """Offer a type, or withdraw it."""
    await service.change_type(acting, volume_type_id, VolumeTypeChange(**form.model_dump()))
    return see_other("/volume-types")
