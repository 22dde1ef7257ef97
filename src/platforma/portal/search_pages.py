"""The page of what was searched for."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from platforma.api.routes import Reading, may_read
from platforma.authentication.permissions import Permission
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute
from platforma.portal.search import SearchQuery
from platforma.portal.search import search as find

search = APIRouter(prefix="/search", tags=["Search"], route_class=PageRoute)


@search.get("")
async def show_search(
    request: Request,
    query: Annotated[SearchQuery, Query()],
    reading: Annotated[Reading, may_read(Permission.TENANT_READ)],
) -> Response:
    """What was found of the tenant's own."""
    found = await find(reading.session, reading.principal, query.q)
    return render(request, "portal/search.html", reading, words=query.q, found=found)
