"""The console's page of a portal's brand, with its preview: nothing on it needs JavaScript, which keeps it live."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile

from platforma.operator import brands as service
from platforma.operator.console import ConsoleRoute
from platforma.operator.forms import BrandForm, BrandQuery
from platforma.operator.pages import see_other
from platforma.operator.rendering import render
from platforma.operator.routes import Signed
from platforma.operator.schemas import BrandChange
from platforma.portal.branding import Brand, ImageKind
from platforma.portal.images import BadImage
from platforma.portal.pages import picture
from platforma.portal.routes import shown_on

brands = APIRouter(prefix="/portals/{portal_id}/brand", tags=["Portals"], route_class=ConsoleRoute)

PAGE = "/portals/{portal_id}/brand"
_TITLES = {
    ImageKind.LOGO: "Logo",
    ImageKind.LOGO_DARK: "Logo in dark surroundings",
    ImageKind.FAVICON: "Icon of the browser's tab",
    ImageKind.PICTURE: "Picture of the sign-in",
}


@brands.get("")
async def show_brand(
    portal_id: UUID, query: Annotated[BrandQuery, Query()], request: Request, acting: Signed
) -> Response:
    """A portal's brand as it is, or in the preview as it is being typed."""
    portal, brand, files = await service.get_brand(acting, portal_id)
    shown = _previewed(brand, query)
    return render(
        request,
        "brand.html",
        acting,
        portal=portal,
        brand=brand,
        shown=shown,
        files=dict.fromkeys(kind.value for kind in ImageKind) | {file.kind: file for file in files},
        kinds=_TITLES,
    )


@brands.get("/preview.css")
async def show_preview_stylesheet(portal_id: UUID, query: Annotated[BrandQuery, Query()], acting: Signed) -> Response:
    """The colours of the preview."""
    _portal, brand, _files = await service.get_brand(acting, portal_id)
    return Response(_previewed(brand, query).preview_stylesheet(), media_type="text/css")


@brands.post("")
@shown_on(PAGE)
async def change_brand(portal_id: UUID, form: Annotated[BrandForm, Form()], acting: Signed) -> Response:
    """Change colours and words; what is left empty is taken back."""
    await service.change_brand(acting, portal_id, BrandChange(**form.model_dump()))
    return see_other(f"/portals/{portal_id}/brand")


@brands.get("/{kind}")
async def show_brand_file(portal_id: UUID, kind: ImageKind, acting: Signed) -> Response:
    """A picture, as the portal's visitors get it."""
    file = await service.get_brand_file(acting, portal_id, kind)
    return picture(file.content, file.media_type, "no-store")


@brands.post("/{kind}")
@shown_on(PAGE)
async def set_brand_file(
    portal_id: UUID, kind: ImageKind, file: Annotated[UploadFile, File()], acting: Signed
) -> Response:
    """Set a picture."""
    sent = await file.read()
    if not sent:
        raise BadImage("Choose a file first.")
    await service.set_brand_file(acting, portal_id, kind, sent)
    return see_other(f"/portals/{portal_id}/brand")


@brands.post("/{kind}/remove")
@shown_on(PAGE)
async def remove_brand_file(portal_id: UUID, kind: ImageKind, acting: Signed) -> Response:
    """Show a picture no more."""
    await service.remove_brand_file(acting, portal_id, kind)
    return see_other(f"/portals/{portal_id}/brand")


def _previewed(brand: Brand, query: BrandQuery) -> Brand:
    """Return the brand with what is typed, as far as that could be used."""
    typed = Brand.read({name: value for name, value in query.model_dump().items() if value})
    return replace(
        brand,
        accent=typed.accent if query.accent else brand.accent,
        accent_dark=typed.accent_dark if query.accent_dark is not None else brand.accent_dark,
        welcome=typed.welcome if query.welcome is not None else brand.welcome,
    )
