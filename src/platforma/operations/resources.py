"""What every service does with a resource: find it, and wish it away."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import func

from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.problems import Conflict, NotFound
from platforma.operations.models import Operation, Resource, ResourceStatus
from platforma.operations.service import request_operation

R = TypeVar("R", bound=Resource)


async def get_resource(session: TenantSession, model: type[R], id_: UUID, *, for_change: bool = False) -> R:
    """Return a resource of the tenant; raises NotFound.

    With `for_change` the row is locked until the transaction ends, and one that is being deleted is a Conflict.
    """
    row = await session.get(model, id_, with_for_update=for_change or None)
    if row is None:
        raise NotFound
    if for_change and row.deletion_requested_at is not None:
        raise Conflict(f"{row.name} is being deleted.")
    return row


async def delete_resource(
    session: WriteSession, row: Resource, action: str, requested_by: str, audit: dict[str, Any] | None = None
) -> Operation:
    """Wish a resource away: it goes on being shown as `deleting` until the cloud has forgotten it."""
    row.deletion_requested_at = func.now()
    row.status = ResourceStatus.DELETING
    await session.flush()
    await session.refresh(row)
    return await request_operation(session, action=action, resource=row, requested_by=requested_by, audit=audit)
