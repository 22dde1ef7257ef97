"""The operation that the page of a resource shows: the last one, while it runs or if it failed."""

from uuid import UUID

from sqlalchemy import select

from platforma.database.tenant_session import TenantSession
from platforma.operations.models import Operation, OperationStatus

_WORTH_SHOWING = (OperationStatus.QUEUED, OperationStatus.RUNNING, OperationStatus.FAILED)


async def find_latest_operation(session: TenantSession, resource_id: UUID) -> Operation | None:
    """Return the last operation of a resource, unless it has ended well."""
    statement = (
        select(Operation)
        .where(Operation.resource_id == resource_id)
        .order_by(Operation.created_at.desc(), Operation.id.desc())
        .limit(1)
    )
    operation: Operation | None = await session.scalar(statement)
    return operation if operation is not None and operation.status in _WORTH_SHOWING else None
