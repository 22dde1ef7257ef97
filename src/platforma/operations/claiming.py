"""The first transaction of a step: claim the operation, and load what the step needs to know."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select

from platforma.database.tenant_session import WriteSession
from platforma.operations.claims import Claim
from platforma.operations.models import Operation, OperationStatus, Plane, Resource, ResourceStatus
from platforma.operations.reconciling import Reconciler, Reconcilers
from platforma.operations.recording import cancel_operation, end_without_resource, fail_operation
from platforma.operations.service import defer_operation
from platforma.operations.troubles import UNKNOWN_KIND
from platforma.tenants.models import Tenant, TenantStatus

logger = structlog.get_logger(__name__)

UNFINISHED = (OperationStatus.QUEUED, OperationStatus.RUNNING)
SUSPENDED_DELAY_SECONDS = 60.0
ONBOARDING_DELAY_SECONDS = 3.0


async def claim_operation(
    session: WriteSession, operation_id: UUID, reconcilers: Reconcilers, *, token: UUID, now: datetime
) -> Claim | None:
    """Claim an operation for one step; None if there is nothing to do now, and then the rows say why.

    A suspended tenant's cloud is left alone, but for deletions: these were wished for before, and free what
    the tenant would otherwise pay for. Its other operations wait until the tenant is resumed. Those of a tenant that
    is being offboarded are cancelled: the provisioner removes everything.
    """
    operation: Operation | None = await session.get(Operation, operation_id, with_for_update=True)
    if operation is None or operation.status not in UNFINISHED:
        return None
    plane = Plane(operation.plane)
    if operation.status == OperationStatus.QUEUED or operation.started_at is None:
        operation.started_at = now
    operation.status = OperationStatus.RUNNING
    reconciler = reconcilers.find(plane, operation.resource_kind)
    if reconciler is None:
        fail_operation(operation, UNKNOWN_KIND, now=now)
        logger.error("no reconciler", action=operation.action, kind=operation.resource_kind)
        return None
    resource = await _mark_resource(session, reconciler, operation.resource_id)
    if plane is Plane.TENANT and await _is_held_by_tenant(session, operation, resource, reconciler, now):
        return None
    view = await reconciler.load(session, operation.resource_id)
    if view is None:
        end_without_resource(operation, now=now)
        return None
    key = await reconciler.find_key(session, view)
    if key is None:
        await _wait(session, operation, "Your cloud is being set up", ONBOARDING_DELAY_SECONDS)
        return None
    operation.claim = token
    return Claim(
        token,
        operation.id,
        session.tenant_id,
        operation.action,
        plane,
        reconciler,
        operation.resource_id,
        view,
        key,
    )


async def _mark_resource(session: WriteSession, reconciler: Reconciler[Any, Any], resource_id: UUID) -> Resource | None:
    """Show on the resource that it is being worked on."""
    if reconciler.model is None:
        return None
    resource: Resource | None = await session.get(reconciler.model, resource_id, with_for_update=True)
    if resource is None:
        return None
    if resource.deletion_requested_at is not None:
        resource.status = ResourceStatus.DELETING
    elif resource.status == ResourceStatus.PENDING or resource.cloud_id is None:
        resource.status = ResourceStatus.CREATING
    elif resource.status != ResourceStatus.CREATING:
        resource.status = ResourceStatus.UPDATING
    return resource


async def _is_held_by_tenant(
    session: WriteSession,
    operation: Operation,
    resource: Resource | None,
    reconciler: Reconciler[Any, Any],
    now: datetime,
) -> bool:
    """Let an operation of a suspended tenant wait, unless it deletes; cancel one of a tenant that is being removed,
    unless it erases."""
    status = await session.scalar(select(Tenant.status).where(Tenant.id == session.tenant_id))
    is_deletion = resource is None or resource.deletion_requested_at is not None
    if status in (TenantStatus.OFFBOARDING, TenantStatus.OFFBOARDED):
        if reconciler.leaves_evidence and is_deletion and status == TenantStatus.OFFBOARDING:
            return False
        cancel_operation(operation, now=now)
        return True
    if status != TenantStatus.SUSPENDED or is_deletion:
        return False
    await _wait(session, operation, "Waiting until the tenant is resumed", SUSPENDED_DELAY_SECONDS)
    return True


async def _wait(session: WriteSession, operation: Operation, words: str, seconds: float) -> None:
    operation.step = words
    operation.started_at = None
    operation.claim = None
    await defer_operation(session, operation.id, seconds)
