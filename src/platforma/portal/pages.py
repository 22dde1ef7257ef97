"""What every portal has beside its domains' pages: its colours and pictures."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from platforma.api.routes import database_of
from platforma.kit.problems import NotFound
from platforma.portal.branding import PortalView, find_portal
from platforma.portal.routes import OpenPageRoute

brand = APIRouter(tags=["Brand"], route_class=OpenPageRoute)


@brand.get("/brand.css", name="brand_stylesheet")
async def show_brand_stylesheet(portal: Annotated[PortalView, Depends(find_portal)]) -> Response:
    """The portal's colours. The same for everybody at a host, so that browsers and proxies may keep it for a while."""
    return Response(
        portal.brand.stylesheet(),
        media_type="text/css",
        headers={"cache-control": "public, max-age=300", "vary": "Host"},
    )


@brand.get("/brand/file")
async def show_brand_file(
    digest: Annotated[str, Query(pattern="^[0-9a-f]{64}$", examples=["0" * 64])], request: Request
) -> Response:
    """A picture of the portal's brand, by the digest of its content: it never changes, and runs nothing if opened."""
    row = await database_of(request).call_gate("find_brand_file", host=request.state.host, wanted=digest)
    if row is None:
        raise NotFound
    return picture(row.content, row.media_type, "public, max-age=31536000, immutable")


def picture(content: bytes, media_type: str, cache_control: str) -> Response:
    """Answer with a picture that can be shown and can do nothing, even where it is opened by itself."""
    headers = {"content-security-policy": "default-src 'none'; sandbox", "cache-control": cache_control, "vary": "Host"}
    return Response(content, media_type=media_type, headers=headers)
