"""The reaper: in every worker, it queues again what dead workers have left behind."""

import asyncio

import structlog
from sqlalchemy.exc import DBAPIError

from platforma.database.database import Database
from platforma.settings import WorkerSettings

logger = structlog.get_logger(__name__)


class Reaper:
    """Looks for jobs of dead workers and for operations without a job, at the start and from time to time.

    What counts as dead is decided in the database, by its clock: no heartbeat for `stalled_after_seconds`. A
    worker that is slow but alive goes on sending its heartbeat, and keeps its jobs.
    """

    def __init__(self, database: Database, settings: WorkerSettings) -> None:
        self._database = database
        self._settings = settings

    async def run(self) -> None:
        """Reap until cancelled. While the database is away it tries again."""
        while True:
            try:
                await self.reap()
            except DBAPIError:
                logger.warning("the reaper could not reach the database")
            await asyncio.sleep(min(self._settings.heartbeat_seconds, self._settings.stalled_after_seconds / 2))

    async def reap(self) -> tuple[int, int]:
        """Reap once; return how many jobs were abandoned and how many operations stranded."""
        row = await self._database.call_gate(
            "reap_jobs",
            stalled_after_seconds=self._settings.stalled_after_seconds,
            quiet_seconds=self._settings.heartbeat_seconds,
        )
        if row is None:
            return (0, 0)
        if row.abandoned or row.stranded:
            logger.warning("queued again what was left behind", abandoned=row.abandoned, stranded=row.stranded)
        return (row.abandoned, row.stranded)
