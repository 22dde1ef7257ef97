"""Operations as the rest of the product sees them: asked for, looked up, tried once more."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.ids import new_id
from platforma.kit.problems import Conflict, NotFound, TooManyRequests
from platforma.operations.models import ACCESS, Operation, OperationStatus, Plane, Resource
from platforma.tenants.models import AuditEvent

MOST_UNFINISHED = 100
"""How many operations of a tenant may be unfinished. Deletions, which make things less, may be more."""
MOST_UNFINISHED_DELETIONS = 500
RETRY_AFTER_SECONDS = 10
_UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)


class TooManyOperations(TooManyRequests):
    type = "too-many-operations"
    title = "Too much is under way already"


@dataclass(frozen=True)
class ResourceReference:
    """What an operation is about, where there is no `Resource` row to name it by."""

    kind: str
    id: UUID
    name: str


def resource_kind(model: type[Resource]) -> str:
    """Return the kind of a resource as operations name it: the table `key_pairs` holds resources of kind `key_pair`."""
    table: str = model.__tablename__
    return table.removesuffix("s")


async def request_operation(
    session: WriteSession,
    *,
    action: str,
    resource: Resource | ResourceReference,
    requested_by: str,
    plane: Plane = Plane.TENANT,
    audit: dict[str, Any] | None = None,
) -> Operation:
    """Write an operation, its line in the tenant's audit log, and queue its job: all in this transaction.

    `action` is `kind.verb` (`server.create`); one of the `REMOVALS` succeeds when the resource is gone. The
    job reconciles the whole resource, so write what is desired first, in the same transaction. Subnets belong
    to their network and rules to their security group: name those as the resource. `audit` adds to the audit log's
    line. Raises TooManyOperations if too much is under way in the tenant.
    """
    if plane is Plane.TENANT:
        is_deletion = action.endswith(".delete")
        if not action.endswith(".revoke"):  # what ends somebody's access waits for nothing
            await _check_backlog(session, MOST_UNFINISHED_DELETIONS if is_deletion else MOST_UNFINISHED)
    if isinstance(resource, Resource):
        resource = ResourceReference(resource_kind(type(resource)), await _flushed_id(session, resource), resource.name)
    operation = Operation(
        id=new_id(),
        plane=plane,
        action=action,
        resource_kind=resource.kind,
        resource_id=resource.id,
        resource_name=resource.name,
        requested_by=requested_by,
        status=OperationStatus.QUEUED,
        progress=0,
        attempts=0,
    )
    session.add(operation)
    if plane is Plane.TENANT and resource.kind != ACCESS:  # those follow from acts that have a line of their own
        _audit(session, operation, requested_by, action, audit)
    await defer_operation(session, operation.id)
    await session.refresh(operation)
    return operation


async def get_operation(session: TenantSession, operation_id: UUID) -> Operation:
    """Return an operation of the tenant; raises NotFound."""
    operation = await session.get(Operation, operation_id)
    if operation is None:
        raise NotFound
    return operation


async def retry_operation(session: WriteSession, operation_id: UUID, requested_by: str) -> Operation:
    """Queue a failed operation of the tenants' plane once more; raises NotFound, or Conflict if it has not failed."""
    operation = await session.get(Operation, operation_id, with_for_update=True)
    if operation is None:
        raise NotFound
    if operation.status != OperationStatus.FAILED:
        raise Conflict("Only an operation that has failed can be tried again.")
    if operation.plane != Plane.TENANT:
        raise Conflict("Only the operator can try this operation again.")
    await _check_backlog(session, MOST_UNFINISHED)
    await queue_again(session, operation)
    _audit(session, operation, requested_by, "operation.retry", {"operation": operation.action})
    return operation


async def queue_again(session: WriteSession, operation: Operation) -> None:
    """Put an operation back to where it began, and queue its job."""
    operation.status = OperationStatus.QUEUED
    operation.error = None
    operation.step = None
    operation.attempts = 0
    operation.trouble_since = None
    operation.claim = None
    operation.finished_at = None
    await defer_operation(session, operation.id)
    await session.refresh(operation)


async def defer_operation(session: WriteSession, operation_id: UUID, delay_seconds: float = 0.0) -> None:
    """Queue the next step of an operation in this transaction. An operation waits in the queue at most once."""
    await session.call_gate("defer_operation", operation=operation_id, delay_seconds=delay_seconds)


def _audit(
    session: WriteSession, operation: Operation, actor: str, action: str, details: dict[str, Any] | None
) -> None:
    told = {"kind": operation.resource_kind, "id": str(operation.resource_id)} | (details or {})
    session.add(AuditEvent(actor=actor, action=action, target=operation.resource_name, details=told))


async def _check_backlog(session: WriteSession, most: int) -> None:
    """Raise TooManyOperations if the tenant has this many unfinished operations."""
    statement = select(func.count()).where(Operation.plane == Plane.TENANT, Operation.status.in_(_UNFINISHED))
    if (await session.scalar(statement) or 0) >= most:
        raise TooManyOperations(
            f"{most} operations of your organisation are unfinished. Wait until some of them have ended.",
            retry_after=RETRY_AFTER_SECONDS,
        )


async def _flushed_id(session: WriteSession, resource: Resource) -> UUID:
    """Return the id of a resource, which a new row gets when it is flushed."""
    await session.flush()
    return resource.id
