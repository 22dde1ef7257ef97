"""Clusters, examined by the provisioner: when they are connected, when an operator asks, and from time to time.

An examination brings what Platforma keeps in a cluster for all tenants to what it should be, looks at the cluster as a
whole, and renews the tenants' worker's credential. It is taken by a lease, which ends by itself when a provisioner
dies; one whose lease was taken over, or that was asked for anew meanwhile, records nothing.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from platforma.clouds.errors import CloudError, CloudNotFound, CloudRefused
from platforma.clouds.kubernetes import ClusterAdministration, ClusterCredential, ClusterOptions, Examination
from platforma.database.database import Database, PlatformSession
from platforma.kubernetes.models import Cluster, ClusterAccess, ClusterAdministrator, ClusterStatus, SealingKey
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.troubles import delay_seconds

logger = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
EVERY_SECONDS = 3600.0
LEASE_SECONDS = 900.0
"""Longer than any examination takes: it runs pods."""
AT_ONCE = 4
CREDENTIAL_SECONDS = 24 * 3600
"""How long the tenants' worker's credential is good; it is renewed when half of that is over."""


@dataclass(frozen=True)
class Examinee:
    """A cluster that is to be examined, and the lease for it."""

    id: UUID
    name: str
    sealed: bytes
    options: ClusterOptions
    needs_credential: bool
    attempts: int
    lease: datetime


@dataclass(frozen=True)
class Verdict:
    """What came of an examination. `access` is the tenants' worker's new credential, if it was made."""

    status: ClusterStatus
    reason: str | None
    examination: Examination | None = None
    access: ClusterCredential | None = None
    retry_after: float | None = None


async def publish_sealing_key(database: Database, access: CloudAccess) -> None:
    """Say to which key operators seal. For the provisioner."""
    async with database.platform() as session:
        if await session.get(SealingKey, access.public_key) is None:
            session.add(SealingKey(public_key=access.public_key))


async def keep_clusters(database: Database, access: CloudAccess, executor: Executor) -> None:
    """Examine clusters when they are due, until cancelled; hand back then what has not been finished."""
    is_published = False
    tasks: set[asyncio.Task[None]] = set()
    try:
        while True:
            try:
                if not is_published:
                    await publish_sealing_key(database, access)
                    is_published = True
                if len(tasks) < AT_ONCE and (examinee := await take_due(database)) is not None:
                    task = asyncio.create_task(_examine_and_record(database, access, executor, examinee))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                    continue
            except DBAPIError as error:
                logger.warning("clusters could not be looked up", error=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def take_due(database: Database) -> Examinee | None:
    """Take the lease for a cluster that is due, or return None."""
    async with database.platform() as session:
        statement = (
            select(Cluster, ClusterAdministrator.sealed, ClusterAccess.expires_at, func.now())
            .join(ClusterAdministrator, ClusterAdministrator.cluster_id == Cluster.id)
            .outerjoin(ClusterAccess, ClusterAccess.cluster_id == Cluster.id)
            .where(Cluster.check_due_at <= func.now())
            .order_by(Cluster.check_due_at)
            .limit(1)
            .with_for_update(of=Cluster, skip_locked=True)
        )
        found = (await session.execute(statement)).one_or_none()
        if found is None:
            return None
        cluster, sealed, expires_at, now = found
        cluster.check_due_at = now + timedelta(seconds=LEASE_SECONDS)
        await session.flush()
        return Examinee(
            cluster.id,
            cluster.name,
            sealed,
            _options(cluster.options),
            needs_credential=expires_at is None or expires_at < now + timedelta(seconds=CREDENTIAL_SECONDS / 2),
            attempts=cluster.check_attempts + 1,
            lease=cluster.check_due_at,
        )


def examine(examinee: Examinee, access: CloudAccess) -> Verdict:
    """Examine a cluster, and make it ready if it is fit. Called in a thread; raises nothing but what is a bug."""
    try:
        administration = access.open_cluster_administration(examinee.id, examinee.sealed)
        examination = _look(administration, examinee.options)
        if not examination.is_fit:
            bad = [finding.message for finding in examination.findings if not finding.is_good]
            return Verdict(ClusterStatus.REFUSED, " ".join(bad), examination)
        credential = None
        if examinee.needs_credential:
            credential = administration.issue_worker_credential(lifetime_seconds=CREDENTIAL_SECONDS)
        return Verdict(ClusterStatus.READY, None, examination, credential)
    except CloudError as error:
        logger.warning("a cluster cannot be examined", cluster=examinee.name, error=type(error).__name__)
        status = ClusterStatus.REFUSED if isinstance(error, CloudRefused) else ClusterStatus.UNAVAILABLE
        return Verdict(status, str(error), retry_after=error.retry_after)


def _look(administration: ClusterAdministration, options: ClusterOptions) -> Examination:
    """Install and examine. What is too old to take what is installed is examined all the same, to say so."""
    try:
        administration.install(options)
    except (CloudRefused, CloudNotFound):
        examination = administration.examine(options)
        if examination.is_fit:
            raise
        return examination
    return administration.examine(options)


async def record(database: Database, access: CloudAccess, examinee: Examinee, verdict: Verdict) -> bool:
    """Write what came of an examination, if the lease still holds; say whether it did."""
    async with database.platform() as session:
        cluster = await session.get(Cluster, examinee.id, with_for_update=True)
        if cluster is None or cluster.check_due_at != examinee.lease:
            return False
        cluster.status = verdict.status
        cluster.status_reason = verdict.reason
        cluster.check_requested_at = None
        delay = EVERY_SECONDS
        if verdict.status is ClusterStatus.UNAVAILABLE:
            cluster.check_attempts = examinee.attempts
            delay = delay_seconds(examinee.attempts, verdict.retry_after)
        else:
            cluster.check_attempts = 0
        now: datetime = await session.scalar(select(func.now()))  # type: ignore[assignment]
        cluster.check_due_at = now + timedelta(seconds=delay)
        if verdict.examination is not None:
            _write_examination(cluster, verdict.examination, now)
        if verdict.access is not None:
            await _write_access(session, access, cluster.id, verdict.access)
    logger.info("a cluster was examined", cluster=examinee.name, status=verdict.status, reason=verdict.reason)
    return True


async def _examine_and_record(database: Database, access: CloudAccess, executor: Executor, examinee: Examinee) -> None:
    try:
        verdict = await asyncio.get_running_loop().run_in_executor(executor, examine, examinee, access)
        await record(database, access, examinee, verdict)
    except asyncio.CancelledError:
        with contextlib.suppress(DBAPIError):
            await asyncio.shield(_hand_back(database, examinee))
        raise
    except DBAPIError:
        logger.warning("an examination could not be recorded", cluster=examinee.name)
    except Exception:
        logger.exception("an examination raised", cluster=examinee.name)


async def _hand_back(database: Database, examinee: Examinee) -> None:
    """Let another provisioner take the cluster at once."""
    async with database.platform() as session:
        cluster = await session.get(Cluster, examinee.id, with_for_update=True)
        if cluster is not None and cluster.check_due_at == examinee.lease:
            cluster.check_due_at = func.now()


def _write_examination(cluster: Cluster, examination: Examination, now: datetime) -> None:
    cluster.version = examination.version
    cluster.is_simulated = examination.is_simulated
    cluster.checked_at = now
    words = {finding.subject: finding.message for finding in examination.findings}
    cluster.findings = words | {"network": f"Network policies: {examination.network.replace('_', ' ')}"}


async def _write_access(
    session: PlatformSession, access: CloudAccess, cluster_id: UUID, credential: ClusterCredential
) -> None:
    sealed = access.seal_cluster(cluster_id, credential)
    row = await session.get(ClusterAccess, cluster_id)
    if row is None:
        session.add(ClusterAccess(cluster_id=cluster_id, sealed=sealed, expires_at=credential.expires_at))
    else:
        row.sealed, row.expires_at = sealed, credential.expires_at


def _options(stored: Mapping[str, Any]) -> ClusterOptions:
    """Return what the operator said, as the client wants it."""
    lists = {name: tuple(stored[name]) for name in ("private_ranges", "dns_addresses") if name in stored}
    return ClusterOptions(**dict(stored) | lists)
