"""`/api/v1/volume-types`."""

from uuid import UUID

from fastapi import APIRouter

from platforma.api.lists import Page
from platforma.operator import volume_types as service
from platforma.operator.routes import OperatorRoute, Signed
from platforma.operator.schemas import VolumeTypeChange, VolumeTypeOut

volume_types = APIRouter(prefix="/volume-types", tags=["Storage"], route_class=OperatorRoute)


@volume_types.get("")
async def list_volume_types(acting: Signed) -> Page[VolumeTypeOut]:
    """The volume types of the cloud, which are offered, and what the last canary has found."""
    return Page(items=[VolumeTypeOut.model_validate(row) for row in await service.list_types(acting)])


@volume_types.put("/{volume_type_id}")
async def change_volume_type(volume_type_id: UUID, body: VolumeTypeChange, acting: Signed) -> VolumeTypeOut:
    """Offer a type as soon as a canary has proven its method, or withdraw it. Volumes that exist stay."""
    return VolumeTypeOut.model_validate(await service.change_type(acting, volume_type_id, body))
