"""`/api/v1/search`."""

from typing import Annotated

from fastapi import APIRouter, Query

from platforma.api.lists import Page
from platforma.api.routes import Reading, TenantRoute, may_read
from platforma.authentication.permissions import Permission
from platforma.operations.service import resource_kind
from platforma.portal.search import FoundOut, SearchQuery
from platforma.portal.search import search as find

search = APIRouter(prefix="/search", tags=["Search"], route_class=TenantRoute)


@search.get("")
async def search_resources(
    query: Annotated[SearchQuery, Query()], reading: Annotated[Reading, may_read(Permission.TENANT_READ)]
) -> Page[FoundOut]:
    """Resources by part of their name or address, or by id: of each kind the first ten, by name."""
    return Page(
        items=[
            FoundOut(
                kind=resource_kind(found.kind.model),
                id=row.id,
                name=row.name,
                description=row.description,
                status=row.status,
            )
            for found in await find(reading.session, reading.principal, query.q)
            for row in found.rows
        ]
    )
