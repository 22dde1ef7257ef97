"""What every portal has beside its domains' pages: its colours."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

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
