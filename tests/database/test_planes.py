"""Who may call what: operations and their planes, operators, and every function by every role."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import select

from platforma.database.census import declared_gate_grants
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import OperationBinding, OperatorBinding
from platforma.database.roles import APPLICATION_ROLES, DatabaseRole
from platforma.kit.ids import new_id
from platforma.network.models import Network
from platforma.operations.models import Operation
from tests.database.gate import Connection, bound, call, values
from tests.database.server import TestDatabase
from tests.database.tenants import SignedIn, TwoTenants

JOB = "SELECT count(*) FROM jobs.procrastinate_jobs WHERE queueing_lock LIKE 'operation:' || %s || ':%%'"


async def make_operation(database: Database, binding: Any, plane: str = "tenant") -> UUID:
    """Write an operation in the bound tenant."""
    operation = Operation(
        plane=plane, action="x.y", resource_kind="network", resource_id=new_id(), resource_name="x", requested_by="x"
    )
    async with database.write(binding) as session:
        session.add(operation)
        await session.flush()
    return operation.id


async def make_platform_operation(operator: Database, tenant: SignedIn) -> UUID:
    return await make_operation(operator, OperatorBinding(tenant.tenant_id, "tests", "onboard", "A test."), "platform")


class TestPlanes:
    async def test_worker_opens_the_tenants_operations_alone(
        self,
        portal_database: Database,
        operator_database: Database,
        worker_database: Database,
        provisioner_database: Database,
        two_tenants: TwoTenants,
    ) -> None:
        ours = await make_operation(portal_database, two_tenants.a.binding())
        platforms = await make_platform_operation(operator_database, two_tenants.a)
        for database, opened, closed in (
            (worker_database, ours, platforms),
            (provisioner_database, platforms, ours),
        ):
            async with database.read(OperationBinding(opened)) as session:
                assert session.tenant_id == two_tenants.a.tenant_id
                assert set(await session.scalars(select(Operation.id))) == {ours, platforms}
            with pytest.raises(NotBoundError):
                async with database.read(OperationBinding(closed)):
                    pytest.fail("opened")
            with pytest.raises(NotBoundError):
                async with database.read(OperationBinding(new_id())):
                    pytest.fail("opened")

    @pytest.mark.parametrize("role", [DatabaseRole.PORTAL, DatabaseRole.OPERATOR])
    async def test_others_open_none(
        self, database: TestDatabase, portal_database: Database, two_tenants: TwoTenants, role: DatabaseRole
    ) -> None:
        operation = await make_operation(portal_database, two_tenants.a.binding())
        async with database.connect(role) as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await call(connection, "open_operation", operation=operation)

    async def test_elder_of_two_operations_of_one_id_is_meant(
        self, database: TestDatabase, portal_database: Database, worker_database: Database, two_tenants: TwoTenants
    ) -> None:
        """Somebody who has learned the id of B's operation plants one of the same id in A."""
        operation = await make_operation(portal_database, two_tenants.b.binding())
        plant = (
            "INSERT INTO operations (tenant_id, id, action, resource_kind, resource_id, resource_name, requested_by{})"
            " SELECT tenant_id, %s, 'x.y', 'network', %s, 'x', 'x'{} FROM members LIMIT 1"
        )
        async with bound(database, two_tenants.a) as connection:
            for column, value in ((", created_at", ", now() - interval '1 day'"), (", plane", ", 'platform'")):
                with pytest.raises(psycopg.errors.InsufficientPrivilege, match="own_plane_and_time"):
                    async with connection.transaction():
                        await connection.execute(plant.format(column, value).encode(), [operation, new_id()])
            await connection.execute(plant.format("", "").encode(), [operation, new_id()])
            await connection.commit()
        async with worker_database.read(OperationBinding(operation)) as session:
            assert session.tenant_id == two_tenants.b.tenant_id


class TestDeferring:
    async def test_own_operation_once(
        self, portal_database: Database, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        operation = await make_operation(portal_database, two_tenants.a.binding())
        async with portal_database.write(two_tenants.a.binding()) as session:
            await session.call_gate("defer_operation", operation=operation)
            await session.call_gate("defer_operation", operation=operation)
        assert await values(administrator, JOB, str(operation)) == [1]

    async def test_is_undone_with_its_transaction(
        self, database: TestDatabase, portal_database: Database, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        operation = await make_operation(portal_database, two_tenants.a.binding())
        async with bound(database, two_tenants.a) as connection:
            await call(connection, "defer_operation", operation=operation)
        assert await values(administrator, JOB, str(operation)) == [0]

    async def test_neither_foreign_nor_unknown_nor_the_platforms(
        self,
        database: TestDatabase,
        portal_database: Database,
        operator_database: Database,
        administrator: Connection,
        two_tenants: TwoTenants,
    ) -> None:
        foreign = await make_operation(portal_database, two_tenants.b.binding())
        platforms = await make_platform_operation(operator_database, two_tenants.a)
        messages = set()
        async with bound(database, two_tenants.a) as connection:
            for operation in (foreign, new_id(), platforms):
                with pytest.raises(psycopg.errors.NoDataFound) as raised:
                    async with connection.transaction():
                        await call(connection, "defer_operation", operation=operation)
                messages.add(raised.value.diag.message_primary)
        assert len(messages) == 1
        assert await values(administrator, JOB, str(foreign)) == [0]

    async def test_lock_is_of_the_tenant(
        self, database: TestDatabase, portal_database: Database, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        """An operation of A on B's resource holds none of B's jobs up."""
        a, b = two_tenants.a, two_tenants.b
        resource = new_id()
        for tenant in (a, b):
            async with portal_database.write(tenant.binding()) as session:
                operation = Operation(
                    action="x.y", resource_kind="x", resource_id=resource, resource_name="x", requested_by="x"
                )
                session.add(operation)
                await session.flush()
                await session.call_gate("defer_operation", operation=operation.id, delay_seconds=60.0)
        locks = "SELECT DISTINCT lock FROM jobs.procrastinate_jobs WHERE lock LIKE '%%' || %s"
        assert set(await values(administrator, locks, str(resource))) == {
            f"{a.tenant_id}:{resource}",
            f"{b.tenant_id}:{resource}",
        }

    async def test_queue_cannot_be_touched(self, database: TestDatabase, two_tenants: TwoTenants) -> None:
        async with bound(database, two_tenants.a) as connection:
            for statement in (
                "SELECT * FROM jobs.procrastinate_jobs",
                "INSERT INTO jobs.procrastinate_jobs (task_name) VALUES ('reconcile')",
                "SELECT jobs.procrastinate_fetch_job_v2(NULL, 1)",
                "SELECT * FROM jobs.procrastinate_workers",
                "SELECT nextval('jobs.procrastinate_jobs_id_seq')",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    async with connection.transaction():
                        await connection.execute(statement.encode())


class TestOperators:
    async def test_opening_a_tenant_is_written_to_both_logs(
        self, operator_database: Database, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        async with operator_database.read(OperatorBinding(a.tenant_id, "ann", "support", "Ticket 7")) as session:
            assert session.tenant_id == a.tenant_id
        row = "SELECT reason FROM operator_audit WHERE tenant_id = %s AND actor = 'ann' AND action = 'support'"
        assert await values(administrator, row, a.tenant_id) == ["Ticket 7"]
        row = "SELECT details ->> 'reason' FROM audit_events WHERE tenant_id = %s AND actor = 'operator ann'"
        assert await values(administrator, row, a.tenant_id) == ["Ticket 7"]

    async def test_neither_log_without_the_other(
        self, database: TestDatabase, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        async with database.connect(DatabaseRole.OPERATOR) as connection:
            async with connection.transaction(force_rollback=True):
                await call(connection, "open_tenant", tenant=a.tenant_id, actor="bob", action="x", reason="y")
                assert await values(connection, "SELECT count(*) FROM members") == [1]
            assert await values(connection, "SELECT count(*) FROM members") == [0]
        assert await values(administrator, "SELECT count(*) FROM operator_audit WHERE actor = 'bob'") == [0]
        assert await values(administrator, "SELECT count(*) FROM audit_events WHERE actor = 'operator bob'") == [0]

    @pytest.mark.parametrize(
        ("actor", "reason"), [("", "x"), ("x", ""), (" ", "x"), ("x", " "), (None, "x"), ("x", None)]
    )
    async def test_needs_a_name_and_a_reason(
        self, database: TestDatabase, two_tenants: TwoTenants, actor: str | None, reason: str | None
    ) -> None:
        async with database.connect(DatabaseRole.OPERATOR) as connection:
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="an actor and a reason"):
                await call(
                    connection, "open_tenant", tenant=two_tenants.a.tenant_id, actor=actor, action="x", reason=reason
                )

    async def test_unknown_tenant_opens_nothing(self, operator_database: Database) -> None:
        with pytest.raises(NotBoundError):
            async with operator_database.read(OperatorBinding(new_id(), "ann", "x", "y")):
                pytest.fail("opened")

    async def test_logs_are_added_to_and_never_changed(self, database: TestDatabase, two_tenants: TwoTenants) -> None:
        a = two_tenants.a
        async with database.connect(DatabaseRole.OPERATOR) as connection, connection.transaction():
            await call(connection, "open_tenant", tenant=a.tenant_id, actor="eve", action="x", reason="y")
            for statement in (
                "UPDATE operator_audit SET reason = 'z'",
                "DELETE FROM operator_audit",
                "UPDATE audit_events SET actor = 'z'",
                "DELETE FROM audit_events",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    async with connection.transaction():
                        await connection.execute(statement.encode())

    async def test_operators_see_no_resources(self, database: TestDatabase, two_tenants: TwoTenants) -> None:
        async with database.connect(DatabaseRole.OPERATOR) as connection, connection.transaction():
            await call(connection, "open_tenant", tenant=two_tenants.a.tenant_id, actor="eve", action="x", reason="y")
            for table in (Network.__tablename__, "servers", "volumes", "cloud_credentials"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    async with connection.transaction():
                        await connection.execute(f"SELECT * FROM {table}".encode())


class TestFunctions:
    @pytest.mark.parametrize("role", APPLICATION_ROLES)
    async def test_role_calls_what_is_declared_and_nothing_else(
        self, database: TestDatabase, administrator: Connection, role: DatabaseRole
    ) -> None:
        """Each function is really called, with nothing for every argument."""
        query = (
            "SELECT p.proname, array(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t)"
            " FROM pg_proc p WHERE p.pronamespace = 'gate'::regnamespace"
        )
        functions = await (await administrator.execute(query.encode())).fetchall()
        assert len(functions) >= 30
        declared = declared_gate_grants()
        called = set()
        denied = set()
        async with database.connect(role) as connection:
            for name, types in functions:
                arguments = ", ".join(f"NULL::{each}" for each in types)
                try:
                    async with connection.transaction(force_rollback=True):
                        await connection.execute(f"SELECT gate.{name}({arguments})".encode())
                    called.add(name)
                except psycopg.errors.InsufficientPrivilege as error:
                    denied.add((name, f"permission denied for function {name}" in str(error)))
                except psycopg.Error:
                    called.add(name)
        assert denied == {(name, True) for name, _ in functions if name not in called}
        assert called == {name for name, roles in declared.items() if role in roles}

    async def test_an_id_of_anothers_operation_parks_nothing_of_it(
        self, portal_database: Database, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        """A makes an operation of the same id and has it wait for years: B's job is B's, and A's waits an hour."""
        a, b = two_tenants.a, two_tenants.b
        id_ = await make_operation(portal_database, b.binding())
        async with portal_database.write(a.binding()) as session:
            session.add(
                Operation(
                    id=id_, action="x.y", resource_kind="x", resource_id=new_id(), resource_name="x", requested_by="x"
                )
            )
            await session.flush()
            await session.call_gate("defer_operation", operation=id_, delay_seconds=1e9)
        async with portal_database.write(b.binding()) as session:
            await session.call_gate("defer_operation", operation=id_)
        waits = (
            "SELECT coalesce(scheduled_at <= now() + interval '1 hour', true) FROM jobs.procrastinate_jobs"
            " WHERE queueing_lock LIKE 'operation:' || %s || ':%%' ORDER BY scheduled_at NULLS FIRST"
        )
        assert await values(administrator, waits, str(id_)) == [True, True]
        now = "SELECT count(*) FROM jobs.procrastinate_jobs WHERE queueing_lock LIKE 'operation:' || %s || ':%%'"
        assert await values(administrator, f"{now} AND scheduled_at IS NULL", str(id_)) == [1]
