"""Pages of operations."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from platforma.operations import endpoints, service
from platforma.operations.endpoints import Reads, Retries
from platforma.operations.models import REMOVALS, Operation, OperationStatus, Plane
from platforma.operations.schemas import OperationQuery
from platforma.portal.listing import Listing, PageListQuery
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import PageRoute, shown_on

operations = APIRouter(prefix="/operations", tags=["Operations"], route_class=PageRoute)

RESOURCE_PATHS = {
    "server": "/servers",
    "volume": "/volumes",
    "network": "/networks",
    "router": "/routers",
    "security_group": "/security-groups",
    "key_pair": "/key-pairs",
    "namespace": "/namespaces",
    "kubeconfig": "/kubeconfigs",
}
"""Where the page of a resource is, by its kind."""


class OperationsQuery(PageListQuery, OperationQuery):
    """The address of a list of operations, the newest first if nothing else is said."""

    sort: str = Field(default="-created_at", pattern=r"^-?[a-z_]{1,40}$")


@operations.get("")
async def show_operations(request: Request, query: Annotated[OperationsQuery, Query()], reading: Reads) -> Response:
    """The list of operations, the newest first."""
    rows, cursor = await endpoints.find_operations(reading.session, query)
    return render(
        request,
        "operations/operations.html",
        reading,
        rows=rows,
        listing=Listing(request, query, cursor),
        statuses=[status.value for status in OperationStatus],
    )


@operations.get("/{operation_id}")
async def show_operation(operation_id: UUID, request: Request, reading: Reads) -> Response:
    """An operation, and how far it has come."""
    operation = await service.get_operation(reading.session, operation_id)
    return render(
        request,
        "operations/operation.html",
        reading,
        operation=operation,
        resource_path=_resource_path(operation),
        can_retry=operation.status == OperationStatus.FAILED and operation.plane == Plane.TENANT,
    )


@operations.post("/{operation_id}/retry")
@shown_on("/operations/{operation_id}")
async def retry_operation(operation_id: UUID, writing: Retries) -> Response:
    """Try a failed operation again."""
    await service.retry_operation(writing.session, operation_id, writing.principal.email)
    return see_other(f"/operations/{operation_id}")


def _resource_path(operation: Operation) -> str | None:
    """Return the page of the operation's resource, unless the resource was to go."""
    root = RESOURCE_PATHS.get(operation.resource_kind)
    if root is None or (operation.action.endswith(REMOVALS) and operation.status == OperationStatus.SUCCEEDED):
        return None
    return f"{root}/{operation.resource_id}"
