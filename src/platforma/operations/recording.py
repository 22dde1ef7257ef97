"""The last transaction of a step: what came of it, in the rows that the portal shows."""

import math
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import inspect

from platforma.database.tenant_session import WriteSession
from platforma.operations.claims import Claim
from platforma.operations.models import REMOVALS, Operation, OperationStatus, Plane, Resource, ResourceStatus
from platforma.operations.reconciling import Changes, Outcome, RowKey, Step
from platforma.operations.troubles import Trouble, delay_seconds
from platforma.settings import WorkerSettings

PATIENT_POLLS = 20
"""So often a step is repeated as fast as it asks for; then more and more slowly."""
SLOWEST_POLL_SECONDS = 30.0


async def record_step(
    session: WriteSession,
    operation: Operation,
    claim: Claim,
    step: Step,
    *,
    now: datetime,
    settings: WorkerSettings,
) -> float | None:
    """Write what a step observed and how far the operation is; return the seconds until the next step, None at the end.

    The resource's own row is deleted when the step says that it is gone.
    """
    await _apply(session, step.changes)
    if step.record is not None:
        await step.record(session)
    await _delete(session, step.deletions)
    resource = await _find_resource(session, claim)
    operation.claim = None
    operation.error = None
    operation.trouble_since = None
    if step.outcome is Outcome.AGAIN:
        lasted = (now - (operation.started_at or now)).total_seconds()
        if claim.plane is Plane.PLATFORM or lasted < settings.longest_operation_seconds:
            return _go_on(operation, step)
        trouble = _too_long(step, lasted)
        fail_operation(operation, trouble, now=now)
        _show_error(resource, trouble.detail)
        return None
    operation.finished_at = now
    operation.step = None
    if step.outcome is Outcome.FAILED:
        trouble = Trouble("cloud-error", "The cloud could not do it", step.words or "")
        fail_operation(operation, trouble, now=now)
        _show_error(resource, trouble.detail)
    elif step.outcome is Outcome.GONE:
        end_without_resource(operation, now=now)
        if resource is not None:
            await session.delete(resource)
    else:
        operation.status = OperationStatus.SUCCEEDED
        operation.progress = 100
        if resource is not None and resource.deletion_requested_at is None:
            resource.status = ResourceStatus.ACTIVE
            resource.status_reason = None
    return None


async def record_trouble(
    session: WriteSession,
    operation: Operation,
    claim: Claim,
    trouble: Trouble,
    *,
    now: datetime,
    settings: WorkerSettings,
) -> float | None:
    """Write what stands in the way; return the seconds until the next try, or None if there will be none."""
    operation.claim = None
    operation.attempts += 1
    operation.trouble_since = operation.trouble_since or now
    lasted = (now - operation.trouble_since).total_seconds()
    resource = await _find_resource(session, claim)
    if trouble.is_transient and lasted < settings.give_up_after_seconds:
        delay = delay_seconds(operation.attempts, trouble.retry_after)
        words = f"{trouble.title}; trying again in {math.ceil(delay)} s"
        operation.step = words
        operation.error = trouble.problem()
        if resource is not None:
            resource.status_reason = words
        return delay
    detail = trouble.detail
    if trouble.is_transient:
        detail = f"{detail} It was tried again and again for {_duration(lasted)}. Try it once more later."
    fail_operation(operation, trouble, now=now, detail=detail)
    _show_error(resource, detail)
    return None


def end_without_resource(operation: Operation, *, now: datetime) -> None:
    """End an operation whose resource is gone: that is success for a deletion, and for all else the end of it."""
    cancel_operation(operation, now=now)
    if operation.action.endswith(REMOVALS):
        operation.status = OperationStatus.SUCCEEDED
        operation.progress = 100


def cancel_operation(operation: Operation, *, now: datetime) -> None:
    """End an operation that is not wanted any more."""
    operation.status = OperationStatus.CANCELLED
    operation.step = None
    operation.error = None
    operation.claim = None
    operation.finished_at = now


def fail_operation(operation: Operation, trouble: Trouble, *, now: datetime, detail: str | None = None) -> None:
    """End an operation in failure, for this reason."""
    operation.status = OperationStatus.FAILED
    operation.step = None
    operation.error = trouble.problem(detail)
    operation.claim = None
    operation.finished_at = now


def _too_long(step: Step, lasted: float) -> Trouble:
    """Say that the cloud accepts what it is asked for, and does not do it."""
    return Trouble(
        "took-too-long",
        "The cloud does not get it done",
        f"For {_duration(lasted)} it has come no further than this: {step.words}. Try again, or tell your provider the "
        "id of this operation.",
    )


def _go_on(operation: Operation, step: Step) -> float:
    """Show what is done or waited for. What is waited for long is looked at less and less often."""
    is_waiting_on = step.after_seconds > 0 and step.words == operation.step
    operation.attempts = operation.attempts + 1 if is_waiting_on else 0
    operation.step = step.words
    operation.progress = step.progress if step.progress is not None else operation.progress
    slower = 1.2 ** max(0, min(operation.attempts - PATIENT_POLLS, 40))
    return max(step.after_seconds, min(SLOWEST_POLL_SECONDS, step.after_seconds * slower))


def _show_error(resource: Resource | None, reason: str) -> None:
    if resource is not None:
        resource.status = ResourceStatus.ERROR
        resource.status_reason = reason


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes > 1 else f"{math.ceil(seconds)} seconds"


async def _find_resource(session: WriteSession, claim: Claim) -> Resource | None:
    model = claim.reconciler.model
    if model is None:
        return None
    resource: Resource | None = await session.get(model, claim.resource_id, with_for_update=True)
    return resource


async def _apply(session: WriteSession, changes: Changes) -> None:
    """Write observed values, in the order of the rows' keys, so that two workers never wait for each other."""
    for (model, id_), values in sorted(changes.items(), key=lambda item: (item[0][0].__name__, item[0][1])):
        unknown = set(values) - set(inspect(model).column_attrs.keys())
        if unknown:
            raise TypeError(f"{model.__name__} has no column {', '.join(sorted(unknown))}.")
        row = await session.get(model, id_, with_for_update=True)
        if row is not None:
            for name, value in values.items():
                if getattr(row, name) != value:
                    setattr(row, name, value)


async def _delete(session: WriteSession, keys: Iterable[RowKey]) -> None:
    for model, id_ in keys:
        row = await session.get(model, id_)
        if row is not None:
            await session.delete(row)
    await session.flush()
