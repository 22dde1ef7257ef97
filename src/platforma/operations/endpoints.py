"""`/api/v1/operations`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from platforma.api.lists import Page, list_page
from platforma.api.routes import Reading, TenantRoute, Writing, may_read, may_write
from platforma.authentication.permissions import Permission
from platforma.database.tenant_session import ReadSession
from platforma.kit.problems import NotFound
from platforma.operations.models import Operation, Plane
from platforma.operations.schemas import OperationOut, OperationQuery
from platforma.operations.service import retry_operation as retry

router = APIRouter(prefix="/operations", tags=["Operations"], route_class=TenantRoute)

Reads = Annotated[Reading, may_read(Permission.OPERATIONS_READ)]
Retries = Annotated[Writing, may_write(Permission.OPERATIONS_RETRY)]

_SORTABLE = {
    "created_at": Operation.created_at,
    "updated_at": Operation.updated_at,
    "status": Operation.status,
    "action": Operation.action,
}


@router.get("")
async def list_operations(query: Annotated[OperationQuery, Query()], reading: Reads) -> Page[OperationOut]:
    """Operations, the newest first."""
    rows, cursor = await find_operations(reading.session, query)
    return Page(items=[OperationOut.model_validate(row) for row in rows], next=cursor)


@router.get("/{operation_id}")
async def get_operation(operation_id: UUID, reading: Reads) -> OperationOut:
    """One operation."""
    row = await reading.session.get(Operation, operation_id)
    if row is None:
        raise NotFound
    return OperationOut.model_validate(row)


@router.post("/{operation_id}/retry", status_code=202)
async def retry_operation(operation_id: UUID, writing: Retries) -> OperationOut:
    """Try a failed operation again."""
    return OperationOut.model_validate(await retry(writing.session, operation_id, writing.principal.email))


async def find_operations(session: ReadSession, query: OperationQuery) -> tuple[list[Operation], str | None]:
    """Return a page of the tenants' operations."""
    where = [Operation.plane == Plane.TENANT]
    if query.status is not None:
        where.append(Operation.status == query.status)
    if query.resource_id is not None:
        where.append(Operation.resource_id == query.resource_id)
    if query.resource_kind is not None:
        where.append(Operation.resource_kind == query.resource_kind)
    return await list_page(session, Operation, query, sortable=_SORTABLE, where=where)
