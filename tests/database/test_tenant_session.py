"""A session's life with its one tenant, and each of its guards taken away in turn."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, func, insert, select, text, update
from sqlalchemy.orm import Session, make_transient_to_detached

from platforma.authentication.principals import SessionBinding
from platforma.database import scoping, tenant_session
from platforma.database.database import Database
from platforma.database.errors import CrossTenantError, HeldTransactionError, NotBoundError, UnscopedAccessError
from platforma.database.scoping import check_emitted
from platforma.database.tenant_session import ReadSession, ScopedSession, WriteSession
from platforma.kit.ids import new_id
from platforma.network.models import Network
from platforma.portal.models import Portal
from platforma.tenants.models import Member, Tenant
from tests.database.server import TestDatabase
from tests.database.tenants import Secret, SignedIn, TwoTenants, make_two_tenants
from tests.database.test_access_paths import database_without_row_security as database_without_row_security
from tests.database.world import CANARY, OWN, World, digest, make_world

NETWORKS = Network.__table__


@pytest.fixture
async def world(portal_database: Database, two_tenants: TwoTenants) -> World:
    return await make_world(portal_database, two_tenants)


async def names_seen(portal: Database, tenant: SignedIn) -> list[str]:
    async with portal.read(tenant.binding()) as session:
        return list(await session.scalars(select(Network.name)))


class TestLife:
    async def test_stays_with_its_tenant_across_commits(self, portal_database: Database, world: World) -> None:
        async with WriteSession(portal_database.engine, world.a.binding()) as session:
            assert list(await session.scalars(select(Network.name))) == [OWN]
            await session.commit()
            assert list(await session.scalars(select(Network.name))) == [OWN]
            session.add(Network(name="one more"))
            await session.commit()
            await session.rollback()
            await session.close()
            assert await session.scalar(select(func.count()).select_from(Network)) == 2

    async def test_cannot_change_its_tenant(self, portal_database: Database, world: World) -> None:
        binding = world.a.binding()
        async with WriteSession(portal_database.engine, binding) as session:
            await session.scalars(select(Network))
            await session.commit()
            binding.token, binding.host = world.b.token, world.b.host
            with pytest.raises(CrossTenantError, match="cannot change its tenant"):
                await session.scalars(select(Network))

    async def test_ends_when_the_sign_in_ends_between_transactions(
        self, portal_database: Database, world: World
    ) -> None:
        async with WriteSession(portal_database.engine, world.a.binding()) as session:
            await session.scalars(select(Network))
            await session.commit()
            await portal_database.call_gate("close_session", token=world.a.token, host=world.a.host)
            with pytest.raises(NotBoundError):
                await session.scalars(select(Network))

    async def test_is_not_bound_by_a_wrong_token(self, portal_database: Database, world: World) -> None:
        with pytest.raises(NotBoundError):
            async with portal_database.read(SessionBinding("x" * 43, world.a.host)):
                pytest.fail("opened")

    async def test_has_no_tenant_before_its_first_transaction(self, portal_database: Database, world: World) -> None:
        async with ReadSession(portal_database.engine, world.a.binding()) as session:
            with pytest.raises(NotBoundError, match="yet"):
                _ = session.tenant_id

    async def test_binds_with_the_first_statement_if_not_before(self, portal_database: Database, world: World) -> None:
        async with WriteSession(portal_database.engine, world.a.binding()) as session:
            session.add(Network(name="first"))
            await session.flush()
            assert session.tenant_id == world.a.tenant_id

    async def test_foreign_object_given_before_the_tenant_is_known_is_refused_at_flush(
        self, portal_database: Database, world: World
    ) -> None:
        async with WriteSession(portal_database.engine, world.a.binding()) as session:
            session.add(Network(name="planted", tenant_id=world.b.tenant_id))
            with pytest.raises(CrossTenantError):
                await session.flush()

    async def test_object_of_one_session_is_refused_by_another_tenants(
        self, portal_database: Database, world: World
    ) -> None:
        async with portal_database.read(world.b.binding()) as theirs:
            network = (await theirs.scalars(select(Network))).one()
            theirs.expunge(network)
        async with portal_database.write(world.a.binding()) as session:
            with pytest.raises(CrossTenantError):
                session.add(network)
            theirs.sync_session.expire_all()
            with pytest.raises(CrossTenantError):
                await session.delete(network)

    async def test_expired_object_of_another_tenant_is_refused(self, portal_database: Database, world: World) -> None:
        async with portal_database.read(world.b.binding()) as theirs:
            network = (await theirs.scalars(select(Network))).one()
            theirs.expire(network)
            theirs.expunge(network)
        async with portal_database.write(world.a.binding()) as session:
            with pytest.raises(CrossTenantError):
                session.add(network)

    async def test_one_statement_serves_many_tenants_in_turn(self, portal_database: Database, world: World) -> None:
        """Criteria whose value stuck in the statement cache have leaked before: sqlalchemy 8399 and 12905."""
        statement = select(Network.name).where(Network.id.in_(select(Network.id)))
        for _ in range(4):
            for tenant, name in ((world.a, OWN), (world.b, CANARY)):
                async with portal_database.read(tenant.binding()) as session:
                    assert list(await session.scalars(statement)) == [name]
                    assert [network.name for network in await session.scalars(select(Network))] == [name]

    async def test_tenants_at_the_same_time_on_a_small_pool(self, database: TestDatabase, world: World) -> None:
        from platforma.database.roles import DatabaseRole

        async with database.open(DatabaseRole.PORTAL, pool_size=2) as portal:

            async def look(number: int) -> None:
                tenant, name = ((world.a, OWN), (world.b, CANARY))[number % 2]
                async with portal.write(tenant.binding()) as session:
                    found = list(await session.scalars(select(Network.name)))
                    await asyncio.sleep(0)
                    network = (await session.scalars(select(Network))).one()
                    network.description = f"seen {number}"
                    await session.flush()
                    assert found == [name] == list(await session.scalars(select(Network.name)))

            await asyncio.gather(*(look(number) for number in range(24)))

    async def test_connection_given_back_is_bound_to_nobody(self, portal_database: Database, world: World) -> None:
        await names_seen(portal_database, world.a)
        async with portal_database.engine.connect() as connection:
            raw: Any = await connection.get_raw_connection()
            rows = await (await raw.driver_connection.execute("SELECT name FROM networks")).fetchall()
        assert rows == []

    async def test_the_gate_is_not_called_beside_it(self, portal_database: Database, world: World) -> None:
        """A call on another connection could wait for the rows that its own request has locked."""
        gate = {"token": world.a.token, "host": world.a.host}
        for opened in (portal_database.read, portal_database.write):
            async with opened(world.a.binding()) as session:
                with pytest.raises(HeldTransactionError, match="own request"):
                    await portal_database.call_gate("open_session", **gate)
                assert await session.call_gate("open_session", **gate)
            assert await portal_database.call_gate("open_session", **gate)
        with pytest.raises(NotBoundError):
            async with portal_database.read(SessionBinding("wrong", world.a.host)):
                pass
        assert await portal_database.call_gate("open_session", **gate)


class TestReadSession:
    @pytest.mark.parametrize(
        "write",
        [
            lambda session: session.execute(update(Network).values(name="x")),
            lambda session: session.execute(insert(Network).values(tenant_id=session.tenant_id, id=new_id(), name="x")),
            lambda session: session.execute(
                select(update(Network).values(name="x").returning(Network.name).cte("changed").c.name)
            ),
        ],
        ids=["update", "insert", "update in an expression"],
    )
    async def test_refuses_writing_statements(self, portal_database: Database, world: World, write: Any) -> None:
        async with portal_database.write(world.a.binding()) as session:
            await write(session)
        async with portal_database.read(world.a.binding()) as session:
            with pytest.raises(UnscopedAccessError, match="Use a WriteSession"):
                await write(session)

    async def test_refuses_changed_objects(self, portal_database: Database, world: World) -> None:
        async with portal_database.read(world.a.binding()) as session:
            network = (await session.scalars(select(Network))).one()
            network.name = "x"
            with pytest.raises(UnscopedAccessError, match="Use a WriteSession"):
                await session.flush()
            session.expire(network)


class TestPlatformSession:
    async def test_refuses_rows_of_tenants(self, operator_database: Database, world: World) -> None:
        async with operator_database.platform() as session:
            assert await session.get(Tenant, world.a.tenant_id) is not None
            for statement in (select(Member), select(Tenant.id).where(Tenant.id.in_(select(Member.tenant_id)))):
                with pytest.raises(UnscopedAccessError, match="Open the tenant first"):
                    await session.scalars(statement)
            with pytest.raises(UnscopedAccessError, match="Open the tenant first"):
                session.add(Member(tenant_id=world.a.tenant_id, email="x", name="x", role="owner"))
            with pytest.raises(UnscopedAccessError):
                await session.execute(text("SELECT 1"))
            with pytest.raises(UnscopedAccessError):
                await session.connection()

    async def test_gate_calls_alone_need_no_scope(self, operator_database: Database) -> None:
        async with operator_database.engine.connect() as connection:
            with pytest.raises(UnscopedAccessError, match="without a tenant"):
                await connection.execute(select(Portal.id))
            with pytest.raises(UnscopedAccessError, match="Raw SQL"):
                await connection.exec_driver_sql("SELECT 1")
            with pytest.raises(UnscopedAccessError, match="text"):
                await connection.execute(text("SELECT 1").execution_options(platforma_call=True))


@dataclass
class Careless:
    """A binding that believes what it is told. No such thing is in the product: here it stands for a broken gate."""

    tenant_id: UUID

    def bind(self, connection: Connection) -> UUID | None:
        return self.tenant_id


class TestWithoutGuards:
    """Row-level security is off here: the ORM's guards stand alone, and each is taken away in turn."""

    @pytest.fixture
    def database(self, database_without_row_security: TestDatabase) -> TestDatabase:
        return database_without_row_security

    @pytest.fixture
    async def world(self, operator_database: Database, portal_database: Database, secret: Secret) -> World:
        return await make_world(portal_database, await make_two_tenants(operator_database, portal_database, secret))

    @pytest.fixture
    def no_filters(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(tenant_session, "tenant_filters", lambda _: (object(),))
        event.remove(ScopedSession, "do_orm_execute", tenant_session._confine_statement)
        yield
        event.listen(ScopedSession, "do_orm_execute", tenant_session._confine_statement)

    @pytest.fixture
    def no_emission_check(self, portal_database: Database) -> None:
        event.remove(portal_database.engine.sync_engine, "before_cursor_execute", check_emitted)

    @pytest.fixture
    def no_object_guards(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tenant_session, "_check_owner", lambda session, instance: None)

    async def test_all_guards_together_hold(self, portal_database: Database, world: World) -> None:
        assert await names_seen(portal_database, world.a) == [OWN]

    @pytest.mark.usefixtures("no_filters")
    async def test_without_filters_nothing_is_sent(self, portal_database: Database, world: World) -> None:
        with pytest.raises(UnscopedAccessError, match="filter is missing"):
            await names_seen(portal_database, world.a)

    @pytest.mark.usefixtures("no_filters", "no_emission_check")
    async def test_without_filters_and_check_a_select_leaks(self, portal_database: Database, world: World) -> None:
        async with portal_database.read(world.a.binding()) as session:
            assert CANARY in list(await session.scalars(select(Network.name)))

    @pytest.mark.usefixtures("no_emission_check")
    @pytest.mark.parametrize(
        "statement",
        [select(NETWORKS.c.name), text("SELECT name FROM networks")],
        ids=["table", "text"],
    )
    async def test_without_check_what_has_no_class_leaks(
        self, portal_database: Database, world: World, statement: Any
    ) -> None:
        async with portal_database.read(world.a.binding()) as session:
            assert CANARY in list(await session.scalars(statement))

    @pytest.mark.usefixtures("no_emission_check", "no_object_guards")
    async def test_without_object_guards_a_foreign_row_is_overwritten(
        self, portal_database: Database, world: World
    ) -> None:
        before = await digest(portal_database, world.b)
        async with portal_database.write(world.a.binding()) as session:
            network = Network(tenant_id=world.b.tenant_id, id=world.b_rows.network_id)
            make_transient_to_detached(network)
            session.add(network)
            network.name = "taken"
        assert await digest(portal_database, world.b) != before

    @pytest.mark.usefixtures("no_object_guards")
    async def test_without_object_guards_the_check_still_holds(self, portal_database: Database, world: World) -> None:
        before = await digest(portal_database, world.b)
        async with portal_database.write(world.a.binding()) as session:
            network = Network(tenant_id=world.b.tenant_id, id=world.b_rows.network_id)
            make_transient_to_detached(network)
            session.add(network)
            network.name = "taken"
            with pytest.raises(CrossTenantError):
                await session.flush()
            session.expunge_all()
        assert await digest(portal_database, world.b) == before

    async def test_stale_filter_is_noticed(
        self, portal_database: Database, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As if SQLAlchemy reused another tenant's value from its cache."""
        stale = scoping.tenant_filters(world.b.tenant_id)
        monkeypatch.setattr(tenant_session, "tenant_filters", lambda _: stale)
        with pytest.raises(CrossTenantError, match="names another tenant"):
            await names_seen(portal_database, world.a)

    async def test_broken_gate_opens_the_orm_and_nothing_but_row_security_is_left(
        self, portal_database: Database, world: World
    ) -> None:
        async with portal_database.read(Careless(world.b.tenant_id)) as session:
            assert list(await session.scalars(select(Network.name))) == [CANARY]


async def test_broken_gate_shows_nothing_under_row_security(portal_database: Database, world: World) -> None:
    async with portal_database.read(Careless(world.b.tenant_id)) as session:
        assert list(await session.scalars(select(Network.name))) == []


async def test_plain_session_without_the_orms_wall_sees_nothing_under_row_security(
    portal_database: Database, world: World
) -> None:
    """The twin of the knock-out: SQLAlchemy with no guard at all, under row-level security."""
    event.remove(portal_database.engine.sync_engine, "before_cursor_execute", check_emitted)
    async with portal_database.engine.connect() as connection:

        def look(sync: Connection) -> list[str]:
            world.a.binding().bind(sync)
            with Session(sync) as session:
                return list(session.scalars(select(Network.name)))

        assert await connection.run_sync(look) == [OWN]
