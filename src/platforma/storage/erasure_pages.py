"""Pages of erasures."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from platforma.operations.latest import find_running_operations
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute
from platforma.portal.wording import Badge
from platforma.storage import erasures as service
from platforma.storage.endpoints import Reads
from platforma.storage.erasure_models import ErasureMethod, ErasureState
from platforma.storage.schemas import ErasureQuery

erasures = APIRouter(prefix="/erasures", tags=["Erasures"], route_class=PageRoute)

_BADGES = {
    ErasureState.REQUESTED: Badge("Requested", "busy"),
    ErasureState.DETACHED: Badge("Being overwritten", "busy"),
    ErasureState.ERASED: Badge("Being read back", "busy"),
    ErasureState.VERIFIED: Badge("Verified", "good"),
    ErasureState.RELEASED: Badge("Erased", "good"),
    ErasureState.LOST: Badge("Lost", "bad"),
}
_METHODS = {
    ErasureMethod.PLATFORM: "overwritten and read back by Platforma",
    ErasureMethod.BACKEND: "overwritten by the storage back end",
}


class ErasuresQuery(PageListQuery, ErasureQuery):
    """The address of a list of erasures."""

    sort: str = Field(default="-created_at", pattern=r"^-?[a-z_]{1,40}$")


@erasures.get("")
async def show_erasures(request: Request, query: Annotated[ErasuresQuery, Query()], reading: Reads) -> Response:
    """What was deleted, and what has become of it."""
    rows, cursor = await service.list_erasures(reading.session, query)
    return render(
        request,
        "storage/erasures.html",
        reading,
        rows=rows,
        badges=_BADGES,
        running=await find_running_operations(reading.session, [row.subject_id for row in rows]),
        listing=Listing(request, query, cursor),
    )


@erasures.get("/{erasure_id}")
async def show_erasure(erasure_id: UUID, request: Request, reading: Reads) -> Response:
    """One erasure with its records, and where to download the certificate."""
    certificate = await service.get_certificate(reading.session, erasure_id)
    return render(
        request,
        "storage/erasure.html",
        reading,
        certificate=certificate,
        erasure=certificate.erasure,
        records=[(record, json.loads(record.content)) for record in certificate.records],
        badge=_BADGES[ErasureState(certificate.erasure.state)],
        method=_METHODS[ErasureMethod(certificate.erasure.method)],
        running=await find_running_operations(reading.session, [certificate.erasure.subject_id]),
    )
