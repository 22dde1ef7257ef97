"""The stage of these tests: the engine of each plane on a fake cloud, a clock that is set by hand, and a tenant."""

from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from platforma.authentication.principals import SessionBinding
from platforma.clouds.kubernetes.fake import FakeClusters
from platforma.clouds.openstack.fake import FakeCall, FakeCloud
from platforma.database.database import Database
from platforma.database.tenant_session import WriteSession
from platforma.kit.crypto import KeyRing, new_key
from platforma.kit.ids import new_id
from platforma.operations.cloud_access import CloudAccess
from platforma.operations.engine import Engine
from platforma.operations.models import Plane, Resource
from platforma.operations.reconciling import Reconcilers
from platforma.operations.registry import reconcilers_of
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation, resource_kind
from platforma.portal.models import Domain, Portal
from platforma.settings import WorkerSettings
from platforma.tenants.service import OperatorAct, create_tenant
from tests.database.tenants import PROVEN, Secret, invite_and_accept, sign_in

ACT = OperatorAct("operator@tests", "A test needs it.")
SETTINGS = WorkerSettings(heartbeat_seconds=1, stalled_after_seconds=6, give_up_after_seconds=60)
STEPS_AT_MOST = 60


class Crash(BaseException):
    """A worker that dies here: nothing catches it, as nothing catches kill -9."""


@dataclass
class SetClock:
    """A clock that only goes when it is told to."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def go(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


@dataclass
class Databases:
    """The database as each process has it, and as the superuser, to look behind the scenes."""

    portal: Database
    worker: Database
    provisioner: Database
    operator: Database
    administrator: psycopg.AsyncConnection[Any]


@dataclass
class Stage:
    """What a test acts on."""

    databases: Databases
    cloud: FakeCloud = field(default_factory=FakeCloud)
    clusters: FakeClusters = field(default_factory=FakeClusters)
    clock: SetClock = field(default_factory=SetClock)
    settings: WorkerSettings = SETTINGS
    seam: Callable[[str], None] = lambda _: None
    executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4))
    secret: Secret = field(kw_only=True)
    keys: KeyRing = field(default_factory=lambda: KeyRing([new_key()]))

    real_access: CloudAccess | None = None

    @property
    def access(self) -> CloudAccess:
        """Access to the cloud, with the administrator's credential: the fake one, unless a real one was given."""
        return self.real_access or CloudAccess(
            self.cloud, self.cloud.settings, self.keys, self.cloud.administrator, self.clusters
        )

    def engine(self, plane: Plane = Plane.TENANT, reconcilers: Reconcilers | None = None) -> Engine:
        """Return an engine of a plane, as a worker process would make it."""
        return Engine(
            self.databases.worker if plane is Plane.TENANT else self.databases.provisioner,
            reconcilers or reconcilers_of(plane, self.access),
            self.access,
            self.settings,
            executor=self.executor,
            clock=self.clock,
            seam=lambda name: self.seam(name),
        )

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Read rows past all walls."""
        async with self.databases.administrator.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query.encode(), arguments)
            return await cursor.fetchall()

    async def row(self, query: str, *arguments: Any) -> dict[str, Any]:
        """Read the one row there is."""
        (row,) = await self.rows(query, *arguments)
        return row

    async def operation(self, operation_id: UUID) -> dict[str, Any]:
        """Read an operation."""
        return await self.row("SELECT * FROM operations WHERE id = %s", operation_id)

    async def finish(self, operation_id: UUID) -> dict[str, Any]:
        """Take steps without waiting between them until the operation has ended; return its row, {} if that is gone."""
        for _ in range(STEPS_AT_MOST):
            found = await self.rows("SELECT * FROM operations WHERE id = %s", operation_id)
            if not found or found[0]["status"] not in {"queued", "running"}:
                return found[0] if found else {}
            await self.engine(Plane(found[0]["plane"])).reconcile(operation_id)
        raise AssertionError(f"The operation has not ended: {await self.operation(operation_id)}")

    async def finish_all(self, tenant_id: UUID) -> list[dict[str, Any]]:
        """Take steps until every operation of a tenant has ended; return them all."""
        for _ in range(STEPS_AT_MOST):
            unfinished = await self.rows(
                "SELECT id, plane FROM operations WHERE tenant_id = %s AND status IN ('queued', 'running') ORDER BY id",
                tenant_id,
            )
            if not unfinished:
                return await self.rows("SELECT * FROM operations WHERE tenant_id = %s ORDER BY id", tenant_id)
            for row in unfinished:
                await self.engine(Plane(row["plane"])).reconcile(row["id"])
        raise AssertionError("Some operations have not ended.")

    async def make_portal(self) -> str:
        """Make a portal with a domain; return its name."""
        portal_id = new_id()
        name = f"portal-{portal_id.hex[-10:]}"
        async with self.databases.operator.platform() as session:
            session.add(Portal(id=portal_id, name=name, title="Tests"))
            await session.flush()
            session.add(Domain(host=f"{name}.localhost", portal_id=portal_id, is_canonical=True, **PROVEN))
        return name

    async def make_tenant(self, *, onboard: bool = True) -> UUID:
        """Make a tenant as an operator does, and onboard it with all it begins with."""
        portal = await self.make_portal()
        tenant_id = await create_tenant(self.databases.operator, ACT, portal_name=portal, name="Acme")
        if onboard:
            await self.finish_all(tenant_id)
        return tenant_id

    async def sign_in(self, tenant_id: UUID) -> SessionBinding:
        """Sign an owner of the tenant in."""
        secret = self.secret
        host = (
            await self.row(
                "SELECT host FROM domains d JOIN tenants t ON t.portal_id = d.portal_id WHERE t.id = %s", tenant_id
            )
        )["host"]
        email = f"owner-{new_id().hex[-8:]}@{host}"
        await invite_and_accept(
            self.databases.operator, self.databases.portal, secret, tenant_id, host, email, role="owner"
        )
        _, token = await sign_in(self.databases.portal, secret, host, email)
        return SessionBinding(token, host)

    @asynccontextmanager
    async def wish(self, member: SessionBinding) -> AsyncIterator[WriteSession]:
        """Open a member's session, to wish for something as a request does."""
        async with self.databases.portal.write(SessionBinding(member.token, member.host)) as session:
            yield session

    async def create(self, member: SessionBinding, *rows: Resource) -> list[UUID]:
        """Wish for resources; return the ids of the operations that make them."""
        async with self.wish(member) as session:
            session.add_all(rows)
            await session.flush()
            operations = [
                await request_operation(
                    session, action=f"{resource_kind(type(row))}.create", resource=row, requested_by="member"
                )
                for row in rows
            ]
        return [operation.id for operation in operations]

    async def delete(self, member: SessionBinding, model: type[Resource], resource_id: UUID) -> UUID:
        """Wish a resource away; return the id of the operation."""
        async with self.wish(member) as session:
            row = await get_resource(session, model, resource_id, for_change=True)
            action = f"{resource_kind(model)}.delete"
            operation = await delete_resource(session, row, action, requested_by="member")
        return operation.id

    async def take_jobs_away(self, operation_id: UUID) -> None:
        """Remove the jobs of an operation from the queue, as its worker does."""
        await self.databases.administrator.execute(b"SET search_path = public, jobs")
        await self.databases.administrator.execute(
            b"DELETE FROM jobs.procrastinate_jobs WHERE queueing_lock LIKE 'operation:' || %s || ':%%'", (operation_id,)
        )

    @contextmanager
    def crash_at(self, seam: str, occurrence: int = 1) -> Iterator[list[str]]:
        """Kill the worker at a seam, the nth time it comes by; the list tells whether it did."""
        crashed: list[str] = []
        seen = 0

        def crash(name: str) -> None:
            nonlocal seen
            seen += name == seam
            if name == seam and seen == occurrence:
                crashed.append(name)
                raise Crash(name)

        self.seam = crash
        yield crashed
        self.crash_no_more()

    @contextmanager
    def crash_at_call(self, occurrence: int, *, is_after: bool) -> Iterator[list[str]]:
        """Kill the worker in the nth call of the cloud, before it has done anything or after it has done all."""
        crashed: list[str] = []
        seen = 0
        take = self.cloud.take

        def crash(call: FakeCall, work: Callable[[], Any]) -> Any:
            nonlocal seen
            seen += 1
            if seen != occurrence:
                return take(call, work)
            crashed.append(call.method)
            if is_after:
                take(call, work)
            raise Crash(call.method)

        self.cloud.take = crash  # type: ignore[method-assign]
        yield crashed
        self.crash_no_more()

    def crash_no_more(self) -> None:
        """Let the workers live."""
        self.seam = lambda _: None
        self.cloud.__dict__.pop("take", None)

    def objects(self, tenant_id: UUID) -> dict[str, int]:
        """Count what the tenant's project has in the cloud, by kind."""
        counts: dict[str, int] = {}
        for item in self.cloud.objects.values():
            if item.project_id == tenant_id.hex:
                counts[item.kind.value] = counts.get(item.kind.value, 0) + 1
        return counts
