"""Volume types: copied from the cloud, and offered only while a canary proves that their method erases.

An operator wants to offer a type and says how it is erased. A provisioner sends a canary through it, then each week
anew; whoever has seen a canary's bytes afterwards withdraws the type at once. One that has shown nothing, because the
space did not come back or the cloud was away, is repeated each hour; after a day without a proof that is young enough
the type is withdrawn as well.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from platforma.clouds.errors import CloudError
from platforma.clouds.openstack.resources import CloudVolumeType
from platforma.database.database import Database
from platforma.kit.clock import utc_now
from platforma.kit.ids import new_id
from platforma.operations.cloud_access import CloudAccess
from platforma.storage.canary import CanaryFlight, Verdict
from platforma.storage.erasure_models import ErasureMethod
from platforma.storage.models import VolumeType
from platforma.storage.sampling import Assurance

logger = structlog.get_logger(__name__)

PROVE_EVERY = timedelta(days=7)
PROOF_HOLDS = timedelta(days=8)
TRY_AGAIN = timedelta(hours=1)
COPY_SECONDS = 600.0
LOOK_SECONDS = 5.0
"""How often it is looked whether a canary is due."""

Fly = Callable[[VolumeType], Verdict]


async def keep_volume_types(database: Database, access: CloudAccess, executor: Executor, assurance: Assurance) -> None:
    """Copy the types from time to time, and prove those that are wanted, until cancelled. For the provisioner."""
    copied: float | None = None
    clock = asyncio.get_running_loop().time
    while True:
        try:
            if copied is None or clock() - copied > COPY_SECONDS:
                await copy_types(database, access, executor)
                copied = clock()
            while await prove_next(database, access, executor, assurance):
                pass
        except (CloudError, DBAPIError) as error:
            logger.warning("the volume types could not be looked at", error=type(error).__name__)
        await asyncio.sleep(LOOK_SECONDS)


async def copy_types(database: Database, access: CloudAccess, executor: Executor | None = None) -> None:
    """Copy the public volume types; what the cloud has no more is not offered any more. Raises CloudError."""

    def fetch() -> list[CloudVolumeType]:
        return access.open_administration().list_volume_types()

    types = await asyncio.get_running_loop().run_in_executor(executor, fetch)
    async with database.platform() as session:
        for each in types:
            values = {"cloud_id": each.cloud_id, "name": each.name, "is_present": True}
            await session.execute(
                insert(VolumeType)
                .values(id=new_id(), **values)
                .on_conflict_do_update(
                    index_elements=["cloud_id"],
                    set_={**values, "updated_at": func.now()},
                    where=or_(VolumeType.name != each.name, VolumeType.is_present.is_(False)),
                )
            )
        gone = VolumeType.cloud_id.not_in([each.cloud_id for each in types])
        await session.execute(
            update(VolumeType)
            .where(VolumeType.is_present, gone)
            .values(is_present=False)
            .execution_options(synchronize_session=False)
        )


async def prove_next(
    database: Database, access: CloudAccess, executor: Executor | None, assurance: Assurance, *, fly: Fly | None = None
) -> bool:
    """Send a canary through the type that waits longest, and write down what it has shown; False if none is due."""
    kind = await _claim(database)
    if kind is None:
        return False

    def send() -> Verdict:
        if fly is not None:
            return fly(kind)
        flight = CanaryFlight.of(*access.as_administrator(), assurance)
        return flight.send(kind.name, is_erased=kind.method == ErasureMethod.PLATFORM)

    try:
        verdict = await asyncio.get_running_loop().run_in_executor(executor, send)
    except CloudError as error:
        verdict = Verdict(kind.name, False, f"Nothing was shown: {error}", has_shown=False)
    await _record(database, kind, verdict)
    log = logger.info if verdict.is_clean else logger.error
    log("a canary is back", volume_type=kind.name, method=kind.method, is_clean=verdict.is_clean, words=verdict.words)
    return True


def _is_due(now: datetime) -> ColumnElement[bool]:
    old = or_(VolumeType.proven_at.is_(None), VolumeType.proven_at < now - PROVE_EVERY)
    stale = or_(old, VolumeType.proven_method.is_distinct_from(VolumeType.method))
    return and_(
        VolumeType.is_present,
        VolumeType.wanted_at.is_not(None),
        or_(
            VolumeType.tried_at.is_(None),
            VolumeType.tried_at < VolumeType.wanted_at,
            and_(stale, VolumeType.tried_at < now - TRY_AGAIN),
        ),
    )


async def _claim(database: Database) -> VolumeType | None:
    """Take a type that is due, so that no other provisioner sends a canary through it meanwhile."""
    now = utc_now()
    async with database.platform() as session:
        kind: VolumeType | None = await session.scalar(
            select(VolumeType)
            .where(_is_due(now))
            .order_by(VolumeType.tried_at.nulls_first())
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if kind is not None:
            kind.tried_at = now
            await session.flush()
            await session.refresh(kind)
            session.expunge(kind)
    return kind


async def _record(database: Database, kind: VolumeType, verdict: Verdict) -> None:
    """Write down what a canary has shown of the method that it was sent for."""
    now = utc_now()
    async with database.platform() as session:
        row: VolumeType | None = await session.get(VolumeType, kind.id, with_for_update=True)
        if row is None:
            return
        row.finding = verdict.words
        if verdict.is_clean:
            row.proven_at, row.proven_method = now, kind.method
        elif verdict.has_shown or (row.proven_at is not None and row.proven_at < now - PROOF_HOLDS):
            row.proven_at = row.proven_method = None
