"""`/api/v1/portals/{id}/brand`."""

import base64
import binascii
from uuid import UUID

from fastapi import APIRouter

from platforma.kit.problems import Invalid
from platforma.operator import brands as service
from platforma.operator.routes import OperatorRoute, Signed
from platforma.operator.schemas import BrandChange, BrandFileIn, BrandOut
from platforma.portal.branding import ImageKind

brands = APIRouter(prefix="/portals/{portal_id}/brand", tags=["Portals"], route_class=OperatorRoute)


@brands.get("")
async def get_brand(portal_id: UUID, acting: Signed) -> BrandOut:
    """A portal's colours, words and pictures, and how well the colours are seen."""
    return await service.describe_brand(acting, portal_id)


@brands.patch("")
async def change_brand(portal_id: UUID, body: BrandChange, acting: Signed) -> BrandOut:
    """Change colours and words."""
    await service.change_brand(acting, portal_id, body)
    return await service.describe_brand(acting, portal_id)


@brands.put("/{kind}")
async def set_brand_file(portal_id: UUID, kind: ImageKind, body: BrandFileIn, acting: Signed) -> BrandOut:
    """Set a picture. It is made anew from what is sent, without what could act or tell of who made it."""
    try:
        sent = base64.b64decode(body.content, validate=True)
    except binascii.Error:
        raise Invalid(errors=[{"where": "body.content", "detail": "This is no base64."}]) from None
    await service.set_brand_file(acting, portal_id, kind, sent)
    return await service.describe_brand(acting, portal_id)


@brands.delete("/{kind}", status_code=204)
async def remove_brand_file(portal_id: UUID, kind: ImageKind, acting: Signed) -> None:
    """Show a picture no more."""
    await service.remove_brand_file(acting, portal_id, kind)
