"""The operations that pages of resources show: those that run, and the last one if it failed."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from platforma.database.tenant_session import TenantSession
from platforma.operations.models import Operation, OperationStatus

_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)
_WORTH_SHOWING = (*_UNFINISHED, OperationStatus.FAILED)


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


async def find_running_operations(session: TenantSession, resource_ids: Sequence[UUID]) -> dict[UUID, Operation]:
    """Return the operation that is under way at each of some resources, if one is; the one asked for last."""
    if not resource_ids:
        return {}
    statement = (
        select(Operation)
        .where(Operation.resource_id.in_(resource_ids), Operation.status.in_(_UNFINISHED))
        .order_by(Operation.created_at, Operation.id)
    )
    return {operation.resource_id: operation for operation in await session.scalars(statement)}
