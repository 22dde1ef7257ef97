"""The binding of a transaction: made by the gate alone, for this transaction alone."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from tests.database.gate import Connection, open_session, values
from tests.database.server import TestDatabase
from tests.database.tenants import Secret, TwoTenants, make_two_tenants
from tests.database.world import CANARY, OWN, World, make_world

NAMES = "SELECT name FROM networks"
BINDING = "SELECT current_setting('platforma.binding', true)"


@pytest.fixture
async def world(portal_database: Database, two_tenants: TwoTenants) -> World:
    return await make_world(portal_database, two_tenants)


@pytest.fixture
async def portal(database: TestDatabase) -> AsyncIterator[Connection]:
    async with database.connect(DatabaseRole.PORTAL) as connection:
        yield connection


async def bind(connection: Connection, binding: str | None) -> None:
    await connection.execute("SELECT set_config('platforma.binding', %s, true)", [binding])


async def test_genuine_binding_shows_its_tenant_and_ends_with_its_transaction(portal: Connection, world: World) -> None:
    async with portal.transaction():
        assert await values(portal, NAMES) == []
        assert await open_session(portal, world.a)
        assert await values(portal, NAMES) == [OWN]
    assert await values(portal, NAMES) == []


FORGERIES = {
    "nothing": lambda a, b: "",
    "the tenant alone": lambda a, b: str(b),
    "no signature": lambda a, b: f"{b}:",
    "zeroes": lambda a, b: f"{b}:{'0' * 64}",
    "wildcard": lambda a, b: f"{b}:%",
    "A's signature": lambda a, b: f"{b}{a[36:]}",
    "A's signature, shortened": lambda a, b: f"{b}{a[36:-1]}",
    "A's signature, lengthened": lambda a, b: f"{b}{a[36:]}0",
    "A's binding before B": lambda a, b: f"{a}{b}",
    "B before A's binding": lambda a, b: f"{b}:{a}",
    "A's binding in capitals": lambda a, b: a.upper(),
    "many bytes": lambda a, b: f"{b}:" + "f" * 1_000_000,
    "101 bytes of other letters": lambda a, b: "é" * 50 + "x",
    "not a uuid": lambda a, b: "x" * 36 + a[36:],
    "B in braces": lambda a, b: "{" + str(b).replace("-", "") + "}" + a[36:][:67],
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
async def test_forged_binding_shows_nothing(portal: Connection, world: World, forge: Any) -> None:
    async with portal.transaction():
        await open_session(portal, world.a)
        (genuine,) = await values(portal, BINDING)
        await bind(portal, forge(genuine, world.b.tenant_id))
        assert await values(portal, NAMES) == []
        await bind(portal, genuine)
        assert await values(portal, NAMES) == [OWN], "the twin: the genuine one, put back"


async def test_binding_of_a_former_transaction_shows_nothing(portal: Connection, world: World) -> None:
    async with portal.transaction():
        await open_session(portal, world.b)
        (genuine,) = await values(portal, BINDING)
        assert await values(portal, NAMES) == [CANARY]
    async with portal.transaction():
        await bind(portal, genuine)
        assert await values(portal, NAMES) == []
    await portal.execute("SELECT set_config('platforma.binding', %s, false)", [genuine])
    assert await values(portal, NAMES) == []


async def test_binding_of_another_backend_shows_nothing(
    database: TestDatabase, portal: Connection, world: World
) -> None:
    async with database.connect(DatabaseRole.PORTAL) as other, portal.transaction(), other.transaction():
        await open_session(other, world.b)
        (genuine,) = await values(other, BINDING)
        await bind(portal, genuine)
        assert await values(portal, NAMES) == []
        assert await values(other, NAMES) == [CANARY]


async def test_binding_outlives_a_savepoint_but_not_the_one_it_was_made_in(portal: Connection, world: World) -> None:
    async with portal.transaction():
        await portal.execute("SAVEPOINT one")
        await open_session(portal, world.a)
        await portal.execute("SAVEPOINT two")
        await portal.execute("ROLLBACK TO two")
        assert await values(portal, NAMES) == [OWN]
        await portal.execute("ROLLBACK TO one")
        assert await values(portal, NAMES) == []


async def test_transactions_of_one_message_have_one_tenant_at_most(portal: Connection, world: World) -> None:
    """Statements sent together share their time. The one binding that could be kept is one's own."""
    async with portal.transaction():
        await open_session(portal, world.b)
        (of_b,) = await values(portal, BINDING)
    script = f"BEGIN; SELECT set_config('platforma.binding', '{of_b}', true); COMMIT; BEGIN; {NAMES}; COMMIT"
    cursor = await portal.execute(script.encode())
    rows = []
    while True:
        if cursor.description and cursor.description[0].name == "name":
            rows += await cursor.fetchall()
        if not cursor.nextset():
            break
    assert rows == []


async def test_tenants_in_turn_on_one_backend_as_behind_pgbouncer(portal: Connection, world: World) -> None:
    (backend,) = await values(portal, "SELECT pg_backend_pid()")
    for _ in range(3):
        for tenant, name in ((world.a, OWN), (world.b, CANARY)):
            async with portal.transaction():
                await open_session(portal, tenant)
                assert await values(portal, NAMES) == [name]
            assert await values(portal, NAMES) == []
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await portal.execute(
                    "INSERT INTO networks (tenant_id, id, name) VALUES (%s, gen_random_uuid(), 'x')",
                    [tenant.tenant_id],
                )
    assert await values(portal, "SELECT pg_backend_pid()") == [backend]


async def test_a_new_signing_key_ends_no_transaction_after_it(
    database: TestDatabase, portal: Connection, world: World, administrator: Connection
) -> None:
    await administrator.execute("SELECT gate.add_signing_key()")
    async with portal.transaction():
        await open_session(portal, world.a)
        assert await values(portal, NAMES) == [OWN]


async def test_writes_are_confined_as_reads_are(portal: Connection, world: World) -> None:
    async with portal.transaction(force_rollback=True):
        await open_session(portal, world.a)
        changed = await portal.execute("UPDATE networks SET name = 'taken'")
        assert changed.rowcount == 1
        deleted = await portal.execute("DELETE FROM subnets")
        assert deleted.rowcount == 1
        for statement in (
            "UPDATE networks SET tenant_id = %s",
            "INSERT INTO networks (tenant_id, id, name) VALUES (%s, gen_random_uuid(), 'planted')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                async with portal.transaction():
                    await portal.execute(statement, [world.b.tenant_id])


WALLS = {
    "the signature is not looked at": """
        CREATE OR REPLACE FUNCTION gate.current_tenant() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        AS $$ SELECT left(nullif(current_setting('platforma.binding', true), ''), 36)::uuid $$
    """,
    "the key can be used by the portal": "GRANT EXECUTE ON FUNCTION gate.signature TO platforma_portal",
    "binding can be done by the portal": "GRANT EXECUTE ON FUNCTION gate.bind TO platforma_portal",
    "the policy is open": "ALTER POLICY tenant ON networks USING (true)",
    "row-level security is off": "ALTER TABLE networks DISABLE ROW LEVEL SECURITY",
    "the role owns the table": """
        ALTER TABLE networks OWNER TO platforma_portal;
        ALTER TABLE networks NO FORCE ROW LEVEL SECURITY
    """,
}


@pytest.mark.parametrize("knock_out", WALLS.values(), ids=WALLS)
async def test_forged_binding_leaks_when_a_wall_is_gone(
    fresh_database: TestDatabase, secret: Secret, knock_out: str
) -> None:
    """What shows that the tests above would notice."""
    async with (
        fresh_database.open(DatabaseRole.OPERATOR) as operator,
        fresh_database.open(DatabaseRole.PORTAL) as portal_database,
        fresh_database.connect(DatabaseRole.PORTAL) as portal,
        await psycopg.AsyncConnection.connect(fresh_database.administrator_url, autocommit=True) as administrator,
    ):
        world = await make_world(portal_database, await make_two_tenants(operator, portal_database, secret))

        async def attack() -> set[Any]:
            seen: set[Any] = set()
            for forgery in (
                "SELECT set_config('platforma.binding', %(t)s || ':' || repeat('0', 64), true)",
                "SELECT set_config('platforma.binding', %(t)s || ':' || gate.signature(%(t)s), true)",
                "SELECT gate.bind(%(t)s::uuid)",
            ):
                try:
                    async with portal.transaction(force_rollback=True):
                        await portal.execute(forgery, {"t": str(world.b.tenant_id)})
                        seen |= set(await values(portal, NAMES))
                except psycopg.errors.InsufficientPrivilege:
                    continue
            return seen

        assert await attack() == set()
        await administrator.execute(knock_out.encode())
        assert CANARY in await attack()
