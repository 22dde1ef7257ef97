"""Workers take turns at sweeping tenants' projects, whichever is due, on any number of machines.

A turn is a lease that the gate gives out and a dead worker loses; all that is done in it is safe to do twice. A cloud
that is away or throttles costs nothing but time: the turn is taken again, later each time.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from platforma.clouds.openstack.errors import CloudConflict, CloudError, CloudNotFound, CloudRefused
from platforma.clouds.openstack.protocol import ProjectCloud
from platforma.clouds.openstack.resources import CloudId, CloudKind
from platforma.clouds.openstack.survey import CloudSurvey
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import call_gate
from platforma.database.tenant_session import WriteSession
from platforma.kit.clock import utc_now
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.fence import Fence
from platforma.operations.models import Resource
from platforma.operations.service import TooManyOperations, request_operation, resource_kind
from platforma.operations.troubles import delay_seconds
from platforma.sweep.comparing import Drift, compare
from platforma.sweep.expecting import Expected, load_expected
from platforma.sweep.kinds import MEANINGS, OPENINGS, DriftKind, Mode
from platforma.sweep.models import Sweep, SweepChoice, SweepFinding
from platforma.sweep.namespaces import (
    NAMESPACE_KINDS,
    NamespaceSurvey,
    WantedNamespaces,
    lasting,
    load_namespaces,
    survey_namespaces,
)
from platforma.tenants.models import OPENSTACK, AuditEvent, CloudCredential

logger = structlog.get_logger(__name__)

ACTOR = "platforma"
POLL_SECONDS = 2.0
LEASE_SECONDS = 300.0
SURVEY_SECONDS = 200.0

_DELETIONS = {
    CloudKind.SERVER: "delete_server",
    CloudKind.SNAPSHOT: "delete_snapshot",
    CloudKind.VOLUME: "delete_volume",
    CloudKind.FLOATING_IP: "delete_floating_ip",
    CloudKind.PORT: "delete_port",
    CloudKind.ROUTER: "delete_router",
    CloudKind.SUBNET: "delete_subnet",
    CloudKind.NETWORK: "delete_network",
    CloudKind.SECURITY_GROUP: "delete_security_group",
    CloudKind.KEY_PAIR: "delete_key_pair",
}
"""In the order of `CloudKind`, which is the order in which they can go."""


@dataclass
class NextSweep:
    """Binds to the tenant whose project is due, which the gate chooses, and keeps the token of the turn."""

    lease: UUID | None = None

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(connection, "take_sweep", lease_seconds=LEASE_SECONDS)
        if row is None:
            return None
        self.lease = row.lease
        tenant: UUID = row.tenant_id
        return tenant


@dataclass
class SweepTurn:
    """Binds to the tenant at whose project this worker has the turn."""

    lease: UUID

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(connection, "open_sweep", turn=self.lease)
        return row.tenant_id if row else None


@dataclass(frozen=True)
class Before:
    """What a tenant's rows said before the look."""

    project: Expected
    namespaces: WantedNamespaces


@dataclass(frozen=True)
class Removal:
    """What to take away from the project: an object of a kind, or a share; or a volume from a server."""

    cloud_id: CloudId
    kind: CloudKind | None
    server_cloud_id: CloudId | None = None


class Sweeper:
    """Sweeps projects for one worker process."""

    def __init__(self, database: Database, access: CloudAccess, executor: Executor, *, every_seconds: float) -> None:
        self._database = database
        self._access = access
        self._executor = executor
        self._every = timedelta(seconds=every_seconds)

    async def keep_sweeping(self) -> None:
        """Sweep what is due until cancelled. While the database is away it tries again."""
        while True:
            try:
                await self._database.call_gate("add_sweeps")
                while await self.take_turn():
                    pass
            except DBAPIError:
                logger.warning("the sweep could not reach the database")
            await asyncio.sleep(POLL_SECONDS)

    async def take_turn(self) -> bool:
        """Sweep one project that is due; return whether there was one."""
        taken = NextSweep()
        try:
            async with self._database.write(taken) as session:
                tenant_id = session.tenant_id
                sealed = await session.scalar(select(CloudCredential.sealed).where(CloudCredential.cloud == OPENSTACK))
                before = Before(await load_expected(session), await load_namespaces(session))
        except NotBoundError:
            return False
        assert taken.lease is not None  # noqa: S101 (it is bound)
        turn = SweepTurn(taken.lease)
        try:
            await self._sweep(turn, tenant_id, sealed, before)
        except NotBoundError:
            logger.warning("another worker has the turn")
        except CloudError as error:
            logger.warning("a project could not be swept", tenant_id=str(tenant_id), error=type(error).__name__)
            await self._try_later(turn, error)
        except DBAPIError:
            raise
        except Exception:
            logger.exception("a project could not be swept", tenant_id=str(tenant_id))
        return True

    async def _sweep(self, turn: SweepTurn, tenant_id: UUID, sealed: bytes | None, before: Before) -> None:
        if sealed is None:
            async with self._database.write(turn) as session:
                await _finish(session, self._every)
            return
        loop = asyncio.get_running_loop()
        fence = Fence(SURVEY_SECONDS)

        def survey() -> tuple[ProjectCloud, CloudSurvey, NamespaceSurvey]:
            cloud = fence.around(self._access.open_project(tenant_id, sealed))
            return cloud, cloud.survey(), survey_namespaces(self._access, tenant_id, before.namespaces, fence)

        cloud, seen, namespaces = await loop.run_in_executor(self._executor, survey)
        async with self._database.write(turn) as session:
            # What the rows said before and say after the look is not drift, but work under way.
            still = {key for key, drift in compare(before.project, seen).items() if drift.is_settled}
            present = compare(await load_expected(session), seen)
            drifts = [drift for key, drift in present.items() if key in still and drift.is_settled]
            drifts += await self._suspect(session, [drift for drift in present.values() if not drift.is_settled])
            drifts += lasting(namespaces, await load_namespaces(session))
            unseen: frozenset[DriftKind] = frozenset() if namespaces.is_whole else NAMESPACE_KINDS
            removals = await record_drifts(session, drifts, unseen, frozenset(present))
            await _finish(session, self._every)
        await loop.run_in_executor(self._executor, remove, cloud, removals)

    async def _suspect(self, session: WriteSession, unsettled: Sequence[Drift]) -> list[Drift]:
        """Return the walls that have been open for long, at what is worked on again and again, or without end."""
        row = (await session.scalars(select(Sweep).with_for_update())).one()
        now = utc_now()
        since = {
            drift.key: row.suspected.get(drift.key, now.isoformat()) for drift in unsettled if drift.kind in OPENINGS
        }
        row.suspected = since
        patience = 2 * self._every
        return [
            drift
            for drift in unsettled
            if drift.key in since and datetime.fromisoformat(since[drift.key]) <= now - patience
        ]

    async def _try_later(self, turn: SweepTurn, error: CloudError) -> None:
        try:
            async with self._database.write(turn) as session:
                row = (await session.scalars(select(Sweep).with_for_update())).one()
                row.trouble = str(error)
                row.lease = None
                row.wake_at = func.now() + timedelta(seconds=delay_seconds(row.attempts, error.retry_after))
        except NotBoundError:
            logger.warning("another worker has the turn")


async def _finish(session: WriteSession, every: timedelta) -> None:
    row = (await session.scalars(select(Sweep).with_for_update())).one()
    row.attempts = 0
    row.lease = None
    row.trouble = None
    row.finished_at = func.now()
    row.wake_at = func.now() + every


async def record_drifts(
    session: WriteSession,
    drifts: Sequence[Drift],
    unseen: frozenset[DriftKind] = frozenset(),
    present_keys: frozenset[str] = frozenset(),
) -> list[Removal]:
    """Write what was found and what has ended, and ask for what shall be mended; return what is to be removed.

    Of kinds that are `unseen` nobody knows whether they have ended; and what is in `present_keys` has not, though
    something may be done about it just now.
    """
    modes = {DriftKind(row.kind): Mode(row.mode) for row in await session.scalars(select(SweepChoice))}
    open_rows = await session.scalars(
        select(SweepFinding).where(SweepFinding.status.in_(("open", "mending"))).with_for_update()
    )
    present = {row.key: row for row in open_rows}
    removals: list[Removal] = []
    asked: set[UUID] = set()
    for drift in drifts:
        row = present.pop(drift.key, None)
        if row is None:
            row = SweepFinding(
                key=drift.key, kind=drift.kind, subject=drift.subject, evidence=drift.evidence, status="open"
            )
            session.add(row)
            _audit(session, "sweep.found", drift.kind, drift.subject, drift.evidence)
            logger.warning("drift", tenant_id=str(session.tenant_id), kind=drift.kind, evidence=drift.evidence)
        row.evidence = drift.evidence
        row.last_seen_at = func.now()
        meaning = MEANINGS[drift.kind]
        if not meaning.is_mendable or modes.get(drift.kind, meaning.default) is Mode.REPORT:
            row.status = "open"
            continue
        if row.status != "mending":
            _audit(session, "sweep.mend", drift.kind, drift.subject, drift.evidence)
        elif drift.kind is DriftKind.RULE_ADDED:
            await session.call_gate("request_eviction")  # the tenant's credential did not get rid of it
        row.status = "mending"
        if drift.resource is None:
            removals.append(Removal(drift.cloud_id, drift.object_kind, drift.server_cloud_id))
        elif drift.resource.id not in asked:
            asked.add(drift.resource.id)
            await _ask_to_mend(session, drift.resource.model, drift.resource.id)
    for row in present.values():
        if row.kind in unseen or row.key in present_keys:
            continue
        was_mending = row.status == "mending"
        row.status = "mended" if was_mending else "gone"
        row.ended_at = func.now()
        _audit(session, f"sweep.{row.status}", row.kind, row.subject, row.evidence)
    await session.flush()
    order = list(CloudKind)
    return sorted(removals, key=lambda removal: order.index(removal.kind) if removal.kind else -1)


def remove(cloud: ProjectCloud, removals: Sequence[Removal]) -> None:
    """Take away what is not ours. What cannot go yet is found again by the next sweep."""
    for removal in removals:
        try:
            if removal.server_cloud_id is not None:
                cloud.sever_volume(removal.server_cloud_id, removal.cloud_id)
            elif removal.kind is None:
                cloud.delete_share(removal.cloud_id)
            else:
                getattr(cloud, _DELETIONS[removal.kind])(removal.cloud_id)
        except (CloudConflict, CloudNotFound, CloudRefused) as error:
            logger.warning("a stranger stays for now", cloud_id=removal.cloud_id, reason=error.reason)
        except CloudError:
            logger.warning("the cloud is away: the next sweep goes on")
            return


async def _ask_to_mend(session: WriteSession, model: type[Resource], id_: UUID) -> None:
    """Ask for the resource to be reconciled, which brings it back to what is desired."""
    row = await session.get(model, id_)
    if row is None:
        return
    try:
        await request_operation(session, action=f"{resource_kind(model)}.mend", resource=row, requested_by=ACTOR)
    except TooManyOperations:
        logger.warning("too much is under way in the tenant: the next sweep asks again")


def _audit(session: WriteSession, action: str, kind: str, subject: str, evidence: dict[str, object]) -> None:
    details = {"finding": str(kind), **evidence}
    session.add(AuditEvent(actor=ACTOR, action=action, target=subject, details=details))
