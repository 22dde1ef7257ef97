"""The worker process: takes jobs from the queue, one step after another, and reaps what dead workers left.

There are two planes, which differ in what they may do: the tenants' worker acts in each tenant's cloud with that
tenant's credential, and the provisioner makes and removes tenants with the administrator's. Run any number of either,
on any number of machines. All that they keep is in the database.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import procrastinate
import structlog
from procrastinate.exceptions import ProcrastinateException
from psycopg import Error as PsycopgError
from sqlalchemy.exc import DBAPIError

import platforma.models  # noqa: F401 (completes the metadata, which offboarding goes by)
from platforma.billing.turns import keep_billing
from platforma.clouds.blocks import LocalBlocks
from platforma.clouds.dns import DnsResolver, TxtResolver
from platforma.clouds.kubernetes import ClusterPool, Clusters
from platforma.clouds.openstack import CloudPool, Clouds
from platforma.clouds.stripe import PaymentProvider, StripeSettings, open_stripe
from platforma.database.database import Database
from platforma.database.engine import libpq_dsn
from platforma.kubernetes.onboarding import keep_clusters
from platforma.operations.cloud_access import CloudAccess, cloud_access
from platforma.operations.engine import Engine
from platforma.operations.models import Plane
from platforma.operations.reaper import Reaper
from platforma.operations.reconciling import Reconcilers
from platforma.operations.registry import reconcilers_of
from platforma.portal.proving import keep_domains
from platforma.settings import DomainSettings, Settings, SettingsError, WorkerSettings, need
from platforma.storage.proving import keep_volume_types
from platforma.storage.sampling import Assurance
from platforma.sweep.turns import Sweeper
from platforma.tenants.catalogue import keep_catalogue

logger = structlog.get_logger(__name__)

QUEUES = {Plane.TENANT: "resources", Plane.PLATFORM: "provisioning"}
"""The queue of each plane, as `gate.queue_of` has it."""

POLL_SECONDS = 0.25
"""How often the queue is looked at."""
RESTART_SECONDS = 2.0
"""How long to wait before going on after the database was away."""


class Worker:
    """One worker process of one plane."""

    def __init__(
        self,
        url: str,
        plane: Plane,
        access: CloudAccess,
        reconcilers: Reconcilers,
        settings: WorkerSettings,
        *,
        call_timeout_seconds: float = 20.0,
        stripe: PaymentProvider | None = None,
        assurance: Assurance | None = None,
        domains: tuple[TxtResolver, DomainSettings] | None = None,
    ) -> None:
        """`domains`: look after the portals' domains too, which the platform's worker does."""
        self._assurance = assurance or Assurance()
        self._plane = plane
        self._domains = domains
        self._stripe = stripe
        self._settings = settings
        self._url = url
        self._executor = ThreadPoolExecutor(settings.concurrency * 2, thread_name_prefix="step")
        self._database = Database(url, pool_size=settings.concurrency + 2)
        self._engine = Engine(
            self._database,
            reconcilers,
            access,
            settings,
            executor=self._executor,
            call_timeout_seconds=call_timeout_seconds,
        )
        self._reaper = Reaper(self._database, settings)
        self._access = access
        self._name = f"{plane}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take no more jobs, finish the steps that are being taken, and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`, also across times in which the database is away."""
        with structlog.contextvars.bound_contextvars(worker=self._name):
            logger.info("worker starts", plane=self._plane)
            try:
                while not self._stopping.is_set():
                    try:
                        await self._work()
                    except (ProcrastinateException, PsycopgError, DBAPIError, OSError):
                        logger.exception("worker lost the database")
                    if not self._stopping.is_set():
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(self._stopping.wait(), RESTART_SECONDS)
            finally:
                await self._database.close()
                self._executor.shutdown(wait=False, cancel_futures=True)
                logger.info("worker has stopped")

    async def _work(self) -> None:
        """Work with one registration of this worker, until it has to stop or loses the database."""
        app = self._application()
        async with (
            app.open_async(),
            self._beside(self._reaper.run()),
            self._beside(self._keep_catalogue()),
            self._beside(self._keep_clusters()),
            self._beside(self._keep_volume_types()),
            self._beside(self._keep_domains()),
            self._beside(self._keep_billing()),
            self._beside(self._keep_sweeping()),
        ):
            working = asyncio.ensure_future(
                app.run_worker_async(
                    queues=[QUEUES[self._plane]],
                    name=self._name,
                    concurrency=self._settings.concurrency,
                    fetch_job_polling_interval=POLL_SECONDS,
                    shutdown_graceful_timeout=self._settings.stalled_after_seconds,
                    delete_jobs="always",
                    install_signal_handlers=False,
                    listen_notify=False,  # anybody may write to a channel: the queue is polled
                    update_heartbeat_interval=self._settings.heartbeat_seconds,
                    stalled_worker_timeout=self._settings.stalled_after_seconds,
                )
            )
            stopping = asyncio.ensure_future(self._stopping.wait())
            try:
                await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopping.cancel()
                if not working.done():
                    working.cancel()  # which stops it gracefully
                with contextlib.suppress(asyncio.CancelledError):
                    await working

    async def _keep_catalogue(self) -> None:
        if self._plane is Plane.PLATFORM:
            await keep_catalogue(self._database, self._access, self._executor)

    async def _keep_clusters(self) -> None:
        if self._plane is Plane.PLATFORM:
            await keep_clusters(self._database, self._access, self._executor)

    async def _keep_volume_types(self) -> None:
        if self._plane is Plane.PLATFORM:
            await keep_volume_types(self._database, self._access, self._executor, self._assurance)

    async def _keep_domains(self) -> None:
        if self._domains is not None:
            await keep_domains(self._database, *self._domains)

    async def _keep_billing(self) -> None:
        if self._plane is Plane.TENANT:
            settling = timedelta(seconds=self._settings.billing_settling_seconds)
            await keep_billing(self._database, self._stripe, executor=self._executor, settling=settling)

    async def _keep_sweeping(self) -> None:
        if self._plane is Plane.TENANT:
            every = self._settings.sweep_seconds
            await Sweeper(self._database, self._access, self._executor, every_seconds=every).keep_sweeping()

    @contextlib.asynccontextmanager
    async def _beside(self, duty: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
        """Run a duty beside the jobs, and end it with them."""
        task = asyncio.ensure_future(duty)
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _application(self) -> procrastinate.App:
        app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=libpq_dsn(self._url),
                min_size=1,
                max_size=4,
                kwargs={"prepare_threshold": None},
            )
        )

        @app.task(name="reconcile", queue=QUEUES[self._plane])
        async def reconcile(operation_id: str) -> None:
            """The one task there is. Jobs carry an operation's id and nothing else."""
            try:
                await self._engine.reconcile(UUID(operation_id))
            except DBAPIError:
                logger.exception("database error; the reaper queues the operation again", operation_id=operation_id)

        return app


async def run_worker(
    settings: Settings, plane: Plane, *, clouds: Clouds | None = None, clusters: Clusters | None = None
) -> None:
    """Run a worker of this plane until SIGTERM or SIGINT; steps that are being taken are finished or handed back.

    Raises SettingsError for what is missing.
    """
    role = {Plane.TENANT: "worker", Plane.PLATFORM: "provisioner"}[plane]
    url = need(getattr(settings.database, role), f"DATABASE__{role.upper()}")
    pool = clouds or CloudPool(blocks=LocalBlocks(settings.erasure.local_directory))
    access = cloud_access(settings, pool, plane, clusters or ClusterPool())
    assurance = Assurance(settings.erasure.confidence, settings.erasure.share, settings.erasure.backend_clears)
    timeout = settings.openstack.timeout_seconds if settings.openstack else 20.0
    worker = Worker(
        url,
        plane,
        access,
        reconcilers_of(plane, access, assurance),
        settings.worker,
        call_timeout_seconds=timeout,
        stripe=_stripe(settings, plane),
        assurance=assurance,
        domains=(_resolver(settings.domains), settings.domains) if plane is Plane.PLATFORM else None,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _resolver(settings: DomainSettings) -> TxtResolver:
    try:
        return DnsResolver(settings.resolvers, timeout_seconds=settings.timeout_seconds)
    except ValueError as error:
        raise SettingsError(f"PLATFORMA_DOMAINS__RESOLVERS: {error}") from None


def _stripe(settings: Settings, plane: Plane) -> PaymentProvider | None:
    """Return Stripe for the tenants' worker, if there is a key; without one invoices are issued and not collected."""
    if plane is not Plane.TENANT or settings.stripe.secret_key is None:
        return None
    return open_stripe(
        StripeSettings(
            settings.stripe.base_address,
            settings.stripe.secret_key.get_secret_value(),
            settings.stripe.timeout_seconds,
        )
    )
