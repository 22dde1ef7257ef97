"""The engine: takes the steps of operations until their resources are what is desired.

A step is three acts: a transaction that claims the operation and loads the view; the step itself, in a thread and
outside any transaction; a transaction that records what came of it, and only if the claim is still this worker's.
Whatever is killed between them is found again by the reaper (`gate.reap_jobs`), and taken once more.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from uuid import UUID, uuid4

import structlog
from sqlalchemy import delete
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from platforma.clouds.openstack.errors import CloudError
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import OperationBinding
from platforma.database.tenant_session import WriteSession
from platforma.kit.clock import Clock, utc_now
from platforma.operations.claiming import claim_operation
from platforma.operations.claims import Claim
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.fence import Fence, StepTimeUp
from platforma.operations.models import Operation
from platforma.operations.reconciling import Outcome, Reconcilers, Step
from platforma.operations.recording import fail_operation, record_step, record_trouble
from platforma.operations.service import defer_operation
from platforma.operations.troubles import INTERNAL_TROUBLE, Trouble, trouble_of
from platforma.settings import WorkerSettings

logger = structlog.get_logger(__name__)

STEPS_PER_JOB = 20
"""How many steps that need no waiting a job takes before it queues the next one, so that others get their turn."""


@dataclass(frozen=True)
class StepLimits:
    """Seconds for a step, and seconds after which its thread is left alone although it has not answered."""

    seconds: float
    abandon_after_seconds: float


class Engine:
    """Carries out operations of one plane."""

    def __init__(
        self,
        database: Database,
        reconcilers: Reconcilers,
        access: CloudAccess,
        settings: WorkerSettings,
        *,
        executor: Executor,
        call_timeout_seconds: float = 20.0,
        clock: Clock = utc_now,
        seam: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`call_timeout_seconds` is the longest that one call of the cloud takes.

        `seam` is called between the acts of a step with the name of the seam: a test raises there, to see that a
        worker may die anywhere.
        """
        self._database = database
        self._reconcilers = reconcilers
        self._access = access
        self._settings = settings
        self._executor = executor
        seconds = settings.stalled_after_seconds * 2 / 3
        self._limits = StepLimits(seconds, seconds + call_timeout_seconds + 5)
        self._clock = clock
        self._seam = seam

    async def reconcile(self, operation_id: UUID) -> None:
        """Take the steps of an operation until it ends or has to wait; then its next job is queued.

        Safe to run twice, also at once: only the holder of the newest claim records anything. Raises what the
        database raises; the operation then is unfinished and without a job, and the reaper queues it again.
        """
        with structlog.contextvars.bound_contextvars(operation_id=str(operation_id)):
            for taken in range(1, STEPS_PER_JOB + 1):
                if not await self._advance(operation_id, queues_next=taken == STEPS_PER_JOB):
                    return

    async def _advance(self, operation_id: UUID, *, queues_next: bool) -> bool:
        """Take one step. Return whether this job goes on with the next one at once."""
        try:
            claim = await self._claim(operation_id)
        except NotBoundError:
            logger.info("operation is not there any more")
            return False
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("operation cannot be loaded")
            await self._fail(operation_id)
            return False
        if claim is None:
            return False
        self._seam("claimed")
        try:
            result = await self._take_step(claim)
            self._seam("stepped")
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_back(claim))
            raise
        try:
            return await self._record(claim, result, queues_next=queues_next)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # The rows do not admit what the step says, or its words are wrong: it would be so every time.
            logger.exception("step cannot be recorded", action=claim.action)
            return await self._record(claim, INTERNAL_TROUBLE, queues_next=queues_next)

    async def _claim(self, operation_id: UUID) -> Claim | None:
        async with self._database.write(OperationBinding(operation_id)) as session:
            return await claim_operation(session, operation_id, self._reconcilers, token=uuid4(), now=self._clock())

    async def _take_step(self, claim: Claim) -> Step | Trouble:
        """Run the step in a thread. A thread cannot be stopped, but its fence stops its calls of the cloud."""
        fence = Fence(self._limits.seconds)
        future = asyncio.get_running_loop().run_in_executor(self._executor, self._step, claim, fence)
        try:
            finished, _ = await asyncio.wait([future], timeout=self._limits.abandon_after_seconds)
        finally:
            fence.close()
        if not finished:
            logger.error("step does not answer", action=claim.action)
            return trouble_of(StepTimeUp())
        try:
            return future.result()
        except CloudError as error:
            logger.warning("cloud error", action=claim.action, error=type(error).__name__, reason=error.reason)
            return trouble_of(error)
        except Exception:
            logger.exception("step raised", action=claim.action)
            return INTERNAL_TROUBLE

    def _step(self, claim: Claim, fence: Fence) -> Step:
        cloud = self._access.open(claim.tenant_id, claim.key)
        step: Step = claim.reconciler.step(claim.view, fence.around(cloud))
        return step

    async def _record(self, claim: Claim, result: Step | Trouble, *, queues_next: bool) -> bool:
        """Record what came of a step, if the claim still holds. Return whether to go on at once."""
        try:
            async with self._database.write(OperationBinding(claim.operation_id)) as session:
                operation = await self._held_operation(session, claim)
                if operation is None:
                    return False
                goes_on = await self._write(session, operation, claim, result, queues_next=queues_next)
                self._seam("recording")
        except NotBoundError:
            logger.info("operation went while its step was taken")
            return False
        self._seam("recorded")
        return goes_on

    async def _write(
        self, session: WriteSession, operation: Operation, claim: Claim, result: Step | Trouble, *, queues_next: bool
    ) -> bool:
        now = self._clock()
        if isinstance(result, Trouble):
            delay = await record_trouble(session, operation, claim, result, now=now, settings=self._settings)
            if delay is not None:
                await defer_operation(session, operation.id, delay)
            return False
        delay = await record_step(session, operation, claim, result, now=now, settings=self._settings)
        if delay is None:
            logger.info("operation ended", action=claim.action, status=operation.status)
            if result.outcome is Outcome.GONE and claim.reconciler.leaves_nothing:
                await session.flush()
                await session.execute(delete(Operation).execution_options(synchronize_session=False))
            return False
        if delay > 0 or queues_next:
            await defer_operation(session, operation.id, delay)
            return False
        return True

    async def _held_operation(self, session: WriteSession, claim: Claim) -> Operation | None:
        operation: Operation | None = await session.get(Operation, claim.operation_id, with_for_update=True)
        if operation is None or operation.claim != claim.token:
            logger.warning("claim was lost; nothing is recorded", action=claim.action)
            return None
        return operation

    async def _fail(self, operation_id: UUID) -> None:
        """End an operation whose rows a reconciler cannot even load: it would be so every time."""
        async with self._database.write(OperationBinding(operation_id)) as session:
            operation = await session.get(Operation, operation_id, with_for_update=True)
            if operation is not None:
                fail_operation(operation, INTERNAL_TROUBLE, now=self._clock())

    async def _hand_back(self, claim: Claim) -> None:
        """Give the operation back to the queue: this worker has to stop in mid-step."""
        try:
            async with self._database.write(OperationBinding(claim.operation_id)) as session:
                operation = await self._held_operation(session, claim)
                if operation is not None:
                    operation.claim = None
                    await defer_operation(session, operation.id)
        except (DBAPIError, NotBoundError):
            logger.warning("could not hand the operation back; the reaper will", action=claim.action)
