"""SQL injected with the portal's own role, in a transaction that is bound to A: nothing of B (THREATS, D01 to D11).

The attacker can send any statement on a portal process's connection, and knows every id of B.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from platforma.database.census import take_census
from platforma.database.database import Database
from platforma.database.gate_calls import OperatorBinding
from platforma.database.roles import DatabaseRole
from platforma.kit.ids import new_id
from platforma.operations.models import Operation
from platforma.tenants.models import Member
from tests.database.gate import Connection, bound, open_session, values
from tests.database.server import TestDatabase
from tests.database.tenants import Secret, SignedIn, TwoTenants, make_two_tenants
from tests.database.world import CANARY, OWN, World, digest, make_world


@pytest.fixture
async def world(portal_database: Database, two_tenants: TwoTenants) -> World:
    return await make_world(portal_database, two_tenants)


@pytest.fixture
async def attacker(database: TestDatabase, world: World) -> AsyncIterator[Connection]:
    """A's transaction on a portal process's connection."""
    async with bound(database, world.a) as connection:
        yield connection


def canaries(world: World) -> set[str]:
    """What only B may see."""
    b = world.b
    return {
        CANARY,
        b.email,
        str(b.tenant_id),
        str(b.member_id),
        str(b.session_id),
        str(world.b_rows.network_id),
        b.token,
    }


async def attempt(connection: Connection, statement: str) -> str:
    """Run a statement; return everything that it answers, rows and errors and notices, as text."""
    answers: list[str] = []
    connection.add_notice_handler(lambda diagnostic: answers.append(str(diagnostic.message_primary)))
    try:
        async with connection.transaction():
            if statement.startswith("COPY"):
                async with connection.cursor().copy(statement.encode()) as copied:
                    answers += [str(row) async for row in copied.rows()]
                return "\n".join(answers)
            cursor = await connection.execute(statement.encode())
            while True:
                if cursor.description:
                    answers += [repr(row) for row in await cursor.fetchall()]
                if not cursor.nextset():
                    break
    except psycopg.Error as error:
        answers.append(repr(error) + str(error.diag.message_detail) + str(error.diag.context))
    return "\n".join(answers)


DENIED = {
    # To be somebody else.
    **{f"SET ROLE {role}": f"SET ROLE {role}" for role in ("platforma_owner", "platforma_worker", "postgres")},
    "SET ROLE operator": "SET ROLE platforma_operator",
    "SET ROLE provisioner": "SET ROLE platforma_provisioner",
    "SET ROLE pg_read_all_data": "SET ROLE pg_read_all_data",
    "role by set_config": "SELECT set_config('role', 'platforma_owner', true)",
    "SESSION AUTHORIZATION": "SET SESSION AUTHORIZATION platforma_owner",
    "SESSION AUTHORIZATION of a superuser": "SET SESSION AUTHORIZATION postgres",
    "session_authorization by set_config": "SELECT set_config('session_authorization', 'postgres', false)",
    "membership": "GRANT platforma_owner TO platforma_portal",
    "own powers": "ALTER ROLE platforma_portal BYPASSRLS",
    "another role's password": "ALTER ROLE platforma_worker PASSWORD 'x'",
    "another role's settings": "ALTER ROLE platforma_worker SET search_path = pg_temp",
    "a role": "CREATE ROLE friend",
    # To turn the walls off.
    "replication role": "SET session_replication_role = replica",
    "row security of a table": "ALTER TABLE networks DISABLE ROW LEVEL SECURITY",
    "policy": "DROP POLICY tenant ON networks",
    "new policy": "CREATE POLICY all_of_them ON networks USING (true)",
    "owner": "ALTER TABLE networks OWNER TO platforma_portal",
    "grant": "GRANT SELECT ON gate.credentials TO platforma_portal",
    "system catalog": "UPDATE pg_catalog.pg_class SET relrowsecurity = false",
    "system settings": "ALTER SYSTEM SET row_security = off",
    "database settings": "ALTER DATABASE {database} SET row_security = off",
    "function's settings": "ALTER FUNCTION gate.bind(uuid) RESET ALL",
    # To make things that others run into.
    "temporary table": "CREATE TEMPORARY TABLE sessions (id uuid)",
    "temporary view": "CREATE TEMPORARY VIEW v AS SELECT 1",
    "temporary function": "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT NULL::bytea'",
    "temporary operator": "CREATE OPERATOR pg_temp.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = uuid_ne)",
    "temporary sequence": "CREATE TEMPORARY SEQUENCE s",
    "select into": "SELECT * INTO stolen FROM networks",
    "table": "CREATE TABLE public.stolen (x text)",
    "view": "CREATE VIEW public.v AS SELECT * FROM networks",
    "function": "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "function of the gate": (
        "CREATE OR REPLACE FUNCTION gate.current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'"
    ),
    "schema": "CREATE SCHEMA mine",
    "extension": "CREATE EXTENSION vector",
    "language": "CREATE LANGUAGE plpgsql",
    "trigger": "CREATE TRIGGER t BEFORE INSERT ON networks FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger()",
    "rule": "CREATE RULE r AS ON SELECT TO networks DO INSTEAD SELECT 1",
    "index": "CREATE INDEX ON networks (name)",
    "statistics": "CREATE STATISTICS s ON name, status FROM networks",
    "domain": "CREATE DOMAIN public.d AS text",
    "cast": "CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT",
    "event trigger": "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION gate.bind()",
    "foreign server": "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
    "subscription": "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
    "publication": "CREATE PUBLICATION p FOR TABLE networks",
    "block of code": "DO $$ BEGIN RAISE NOTICE 'x'; END $$",
    "comment": "COMMENT ON TABLE networks IS 'x'",
    # To reach the machine.
    "program": "COPY (SELECT 1) TO PROGRAM 'id'",
    "program's output": "COPY networks FROM PROGRAM 'id'",
    "file written": "COPY networks TO '/tmp/x'",
    "file read": "COPY networks FROM '/etc/passwd'",
    "pg_read_file": "SELECT pg_read_file('/etc/passwd')",
    "pg_read_binary_file": "SELECT pg_read_binary_file('global/pg_control')",
    "pg_ls_dir": "SELECT pg_ls_dir('.')",
    "pg_stat_file": "SELECT pg_stat_file('postgresql.conf')",
    "lo_import": "SELECT lo_import('/etc/passwd')",
    "lo_export": "SELECT lo_export(1, '/tmp/x')",
    "large object": "SELECT lo_create(0)",
    "large object from bytes": "SELECT lo_from_bytea(0, 'x')",
    "load": "LOAD 'auto_explain'",
    "settings of the server": "SELECT pg_reload_conf()",
    "log": "SELECT pg_rotate_logfile()",
    "checkpoint": "CHECKPOINT",
    "replication slot": "SELECT pg_create_logical_replication_slot('s', 'test_decoding')",
    # To disturb others of the same role.
    "cancel": "SELECT pg_cancel_backend(pg_backend_pid())",
    "terminate": "SELECT pg_terminate_backend(pg_backend_pid())",
    "terminate with time": "SELECT pg_terminate_backend(pg_backend_pid(), 1)",
    "activity": "SELECT * FROM pg_stat_activity",
    "activity by function": "SELECT * FROM pg_stat_get_activity(NULL)",
    "locks": "SELECT * FROM pg_locks",
    "lasting lock": "SELECT pg_advisory_lock(1)",
    "lasting lock, tried": "SELECT pg_try_advisory_lock(1)",
    "truncate": "TRUNCATE networks CASCADE",
    # To read what is secret.
    "keys": "SELECT * FROM gate.signing_keys",
    "key's use": "SELECT gate.hmac('x')",
    "signature": "SELECT gate.signature('x')",
    "bind": "SELECT gate.bind(gen_random_uuid())",
    "new key": "SELECT gate.add_signing_key()",
    "credentials": "SELECT * FROM gate.credentials",
    "tokens": "SELECT * FROM gate.session_tokens",
    "invitations": "SELECT * FROM gate.invitations",
    "operators": "SELECT * FROM public.operators",
    "operators' log": "SELECT * FROM public.operator_audit",
    "portals": "SELECT * FROM public.portals",
    "domains": "SELECT * FROM public.domains",
    "cloud credentials": "SELECT * FROM public.cloud_credentials",
    "sequence": "SELECT last_value FROM gate.signing_keys_id_seq",
    "next number": "SELECT nextval('gate.signing_keys_id_seq')",
    "planner's statistics": "SELECT * FROM pg_catalog.pg_statistic",
    "passwords": "SELECT * FROM pg_catalog.pg_authid",
    "jobs": "SELECT * FROM jobs.procrastinate_jobs",
    "queries as text": "SELECT query_to_xml('SELECT 1', true, true, '')",
    "open an operator's way": "SELECT gate.open_tenant(gen_random_uuid(), 'a', 'b', 'c')",
    "open an operation": "SELECT gate.open_operation(gen_random_uuid())",
    "invite": "SELECT gate.create_invitation(gen_random_uuid(), 'x', 1)",
    "become an operator": "SELECT gate.create_operator('a', 'b', 'c', 'd')",
}


@pytest.mark.parametrize("statement", DENIED.values(), ids=DENIED)
async def test_denied(attacker: Connection, database: TestDatabase, statement: str) -> None:
    with pytest.raises(psycopg.Error) as raised:
        async with attacker.transaction():
            await attacker.execute(statement.replace("{database}", database.name).encode())
    assert not isinstance(raised.value, psycopg.errors.SyntaxError | psycopg.errors.AdminShutdown), raised.value
    assert await values(attacker, "SELECT name FROM networks") == [OWN], "the twin: A's own work goes on"


READINGS = {
    "by tenant": "SELECT * FROM networks WHERE tenant_id = '{tenant}'",
    "by id": "SELECT * FROM networks WHERE id = '{network}'",
    "everything": "SELECT * FROM networks, subnets, members, tenants, sessions, operations, audit_events",
    "only": "SELECT * FROM ONLY networks",
    "whole rows": "SELECT networks FROM networks",
    "aggregate": "SELECT json_agg(n), string_agg(name, ',') FROM networks n",
    "table command": "TABLE networks",
    "copy of a query": "COPY (SELECT * FROM networks) TO STDOUT",
    "copy of a table": "COPY networks TO STDOUT",
    "union": "SELECT name FROM networks UNION ALL SELECT email FROM members",
    "where true": "SELECT * FROM networks WHERE tenant_id IS NOT NULL OR true",
    "bound by set_config": "SELECT set_config('platforma.binding', '{tenant}', true); SELECT * FROM networks",
    "bound by SET": "SET platforma.binding = '{tenant}'; SELECT * FROM networks",
    "bound by SET LOCAL": "SET LOCAL platforma.binding = '{tenant}:'; SELECT * FROM networks",
    "row security off": "SET LOCAL row_security = off; SELECT * FROM networks",
    "row security off in the gate": "SET LOCAL row_security = off; SELECT * FROM gate.find_portal('{host}')",
    "other search path": "SET LOCAL search_path = gate, jobs, pg_temp; SELECT * FROM networks",
    "other search path for the gate": (
        "SET LOCAL search_path = pg_temp, public; SELECT * FROM gate.open_session('{host}', '{host}')"
    ),
    "wrong token at B's": "SELECT * FROM gate.open_session('x', '{host}')",
    "A's token at B's": "SELECT * FROM gate.open_session('{own_token}', '{host}')",
    "by ctid": "SELECT * FROM networks WHERE ctid = ANY(ARRAY(SELECT format('(%s,%s)', p, i)::tid"
    " FROM generate_series(0, 20) p, generate_series(1, 60) i))",
    "by xmin": "SELECT xmin, ctid, * FROM networks WHERE xmin::text::bigint > 0",
    "by sample": "SELECT * FROM networks TABLESAMPLE BERNOULLI (100)",
    "through an error of a cast": "SELECT * FROM networks WHERE name::integer = 1",
    "through an error of a division": "SELECT * FROM networks WHERE 1 / (length(name) - {length}) > 0",
    "through a leaky function": "SELECT * FROM networks WHERE pg_catalog.set_config('x.y', name, false) IS NOT NULL"
    " UNION ALL SELECT NULL, NULL, current_setting('x.y', true), NULL, NULL, NULL, NULL, NULL, now(), now()",
    "through a leaky operator": "SELECT * FROM networks WHERE name ~ '^canary' OR to_tsvector(name) @@ 'canary'",
    "through xml": "SELECT table_to_xml('networks', true, true, '')",
    "through xml of the schema": "SELECT schema_to_xml('public', true, true, '')",
    "through xml of the database": "SELECT database_to_xml(true, true, '')",
    "through xml of a cursor": (
        "DECLARE c CURSOR FOR SELECT * FROM networks; SELECT cursor_to_xml('c', 100, true, true, '')"
    ),
    "through text search": "SELECT * FROM ts_stat('SELECT to_tsvector(name) FROM networks')",
    "through a cursor": "DECLARE c CURSOR FOR SELECT * FROM networks; FETCH ALL FROM c",
    "through a prepared statement": "PREPARE p AS SELECT * FROM networks; EXECUTE p; DEALLOCATE p",
    "through returning": "UPDATE networks SET name = name RETURNING *",
    "through returning of a delete": "DELETE FROM subnets USING networks RETURNING networks.*",
    "through a merge": "MERGE INTO networks n USING (SELECT '{network}'::uuid AS id) s ON n.id = s.id"
    " WHEN MATCHED THEN UPDATE SET name = 'taken' RETURNING n.*",
    "through locks": "SELECT * FROM networks FOR UPDATE SKIP LOCKED",
    "statistics of columns": "SELECT * FROM pg_stats WHERE tablename IN ('networks', 'members')",
    "extended statistics": "SELECT * FROM pg_stats_ext, pg_stats_ext_exprs",
    "analyse": "ANALYZE networks; EXPLAIN ANALYZE VERBOSE SELECT * FROM networks",
    "sources": "SELECT prosrc FROM pg_proc WHERE pronamespace = 'gate'::regnamespace",
    "settings": "SELECT * FROM pg_settings",
    "settings of roles": "SELECT * FROM pg_db_role_setting",
    "cursors and statements": "SELECT * FROM pg_cursors; SELECT * FROM pg_prepared_statements",
    "constraints": "SELECT pg_get_constraintdef(oid) FROM pg_constraint",
    "large objects": "SELECT * FROM pg_largeobject_metadata",
    "numbers": "SELECT * FROM pg_sequences",
    "snapshots": "SELECT pg_current_snapshot(), pg_export_snapshot()",
}


def spell(statement: str, world: World) -> str:
    for name, value in {
        "tenant": world.b.tenant_id,
        "network": world.b_rows.network_id,
        "host": world.b.host,
        "own_token": world.a.token,
        "length": len(CANARY),
    }.items():
        statement = statement.replace("{" + name + "}", str(value))
    return statement


@pytest.mark.parametrize("statement", READINGS.values(), ids=READINGS)
async def test_reading_finds_nothing_of_b(
    attacker: Connection, portal_database: Database, world: World, statement: str
) -> None:
    spelt = spell(statement, world)
    before = await digest(portal_database, world.b)
    given = {canary for canary in canaries(world) if canary in spelt}
    answer = await attempt(attacker, spelt)
    assert "SyntaxError" not in answer
    assert [canary for canary in canaries(world) - given if canary in answer] == []
    assert CANARY not in answer
    await attacker.rollback()
    assert await digest(portal_database, world.b) == before


async def test_no_relation_that_can_be_read_shows_anything_of_b(
    attacker: Connection, administrator: Connection, world: World
) -> None:
    """Not a list of what to look at, but everything: each table and view of every schema, with fresh statistics."""
    await administrator.execute("ANALYZE")
    relations = await values(
        attacker,
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1",
    )
    assert len(relations) > 250
    read = 0
    for relation in relations:
        answer = await attempt(attacker, f"SELECT t::text FROM {relation} t")
        read += "InsufficientPrivilege" not in answer
        found = [canary for canary in canaries(world) if canary in answer]
        assert found == [], f"{relation} shows {found}"
    assert read > 100
    assert OWN in await attempt(attacker, "SELECT t::text FROM networks t"), "the twin"


async def test_no_function_without_arguments_shows_anything_of_b(
    attacker: Connection, administrator: Connection, world: World
) -> None:
    functions = await values(
        attacker,
        "SELECT DISTINCT format('%I.%I()', n.nspname, p.proname)"
        " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE p.pronargs - p.pronargdefaults <= 0 AND p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype"
        " AND has_function_privilege(p.oid, 'EXECUTE')",
    )
    assert len(functions) > 80
    for function in functions:
        answer = await attempt(attacker, f"SET LOCAL statement_timeout = '2s'; SELECT {function}::text")
        assert [canary for canary in canaries(world) if canary in answer] == [], function


# What is said about rows that cannot be seen.


async def estimate(connection: Connection, condition: str) -> float:
    """Return how many rows the planner expects."""
    (plan,) = await values(connection, f"EXPLAIN (FORMAT JSON) SELECT * FROM networks WHERE {condition}")
    return float((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])


CONDITIONS = {
    "a value": ("name = 'secret of B'", "name = 'no such name'"),
    "a tenant's rows": ("tenant_id = '{tenant}'", "tenant_id = '{nobody}'"),
    "a prefix": ("name LIKE 'secret%'", "name LIKE 'zzzzzz%'"),
    "a range": ("name BETWEEN 'secret a' AND 'secret z'", "name BETWEEN 'x a' AND 'x z'"),
    "a list": ("name IN ('secret of B', 'x')", "name IN ('no such name', 'x')"),
}


async def plant_rows(administrator: Connection, tenant: SignedIn) -> None:
    await administrator.execute(
        "INSERT INTO networks (tenant_id, id, name)"
        " SELECT %s, gen_random_uuid(), 'secret of B' FROM generate_series(1, 600)",
        [tenant.tenant_id],
    )
    await administrator.execute("ANALYZE networks")


@pytest.mark.parametrize("conditions", CONDITIONS.values(), ids=CONDITIONS)
async def test_explain_does_not_tell(
    attacker: Connection, administrator: Connection, world: World, conditions: tuple[str, str]
) -> None:
    await plant_rows(administrator, world.b)
    theirs, nobodys = (
        condition.replace("{tenant}", str(world.b.tenant_id)).replace("{nobody}", str(new_id()))
        for condition in conditions
    )
    assert await estimate(attacker, theirs) == await estimate(attacker, nobodys)


async def test_explain_would_tell_with_statistics(
    fresh_database: TestDatabase, two_tenants_of_fresh: TwoTenants
) -> None:
    """What shows that the test above would notice."""
    b = two_tenants_of_fresh.b
    async with (
        await psycopg.AsyncConnection.connect(fresh_database.administrator_url, autocommit=True) as administrator,
        bound(fresh_database, two_tenants_of_fresh.a) as attacker,
    ):
        for column in ("name", "tenant_id"):
            await administrator.execute(f"ALTER TABLE networks ALTER COLUMN {column} SET STATISTICS 100".encode())
        await plant_rows(administrator, b)
        condition = f"tenant_id = '{b.tenant_id}' AND name = "
        assert await estimate(attacker, condition + "'secret of B'") != await estimate(attacker, condition + "'x'")


@pytest.fixture
async def two_tenants_of_fresh(fresh_database: TestDatabase, secret: Secret) -> TwoTenants:
    async with (
        fresh_database.open(DatabaseRole.OPERATOR) as operator,
        fresh_database.open(DatabaseRole.PORTAL) as portal,
    ):
        return await make_two_tenants(operator, portal, secret)


ORACLES = {
    "insert of B's id as one's own": (
        "INSERT INTO networks (tenant_id, id, name) SELECT tenant_id, '{id}', 'x' FROM members LIMIT 1"
    ),
    "insert of B's id as B's": "INSERT INTO networks (tenant_id, id, name) VALUES ('{tenant}', '{id}', 'x')",
    "insert or update": (
        "INSERT INTO networks (tenant_id, id, name) VALUES ('{tenant}', '{id}', 'x')"
        " ON CONFLICT (tenant_id, id) DO UPDATE SET name = 'taken'"
    ),
    "insert or nothing": (
        "INSERT INTO networks (tenant_id, id, name) VALUES ('{tenant}', '{id}', 'x') ON CONFLICT DO NOTHING"
    ),
    "foreign key to B's row": (
        "INSERT INTO subnets (tenant_id, id, name, network_id, ip_version, cidr)"
        " SELECT tenant_id, gen_random_uuid(), 'x', '{id}', 4, '10.0.0.0/24' FROM members LIMIT 1"
    ),
    "foreign key to B's row, with B": (
        "INSERT INTO subnets (tenant_id, id, name, network_id, ip_version, cidr)"
        " VALUES ('{tenant}', gen_random_uuid(), 'x', '{id}', 4, '10.0.0.0/24')"
    ),
    "foreign key by update": "UPDATE subnets SET network_id = '{id}'",
    "move to B": "UPDATE networks SET tenant_id = '{tenant}'",
    "update of B's row": "UPDATE networks SET name = 'taken' WHERE id = '{id}'",
    "delete of B's row": "DELETE FROM networks WHERE id = '{id}'",
    "delete by tenant": "DELETE FROM networks WHERE tenant_id = '{tenant}'",
    "lock of B's row": "SELECT * FROM networks WHERE id = '{id}' FOR UPDATE NOWAIT",
    "own operation of B's resource": (
        "INSERT INTO operations (tenant_id, id, action, resource_kind, resource_id, resource_name, requested_by)"
        " SELECT tenant_id, '{id}', 'x', 'x', '{id}', 'x', 'x' FROM members LIMIT 1"
    ),
    "defer": "SELECT gate.defer_operation('{id}')",
}


@pytest.mark.parametrize("statement", ORACLES.values(), ids=ORACLES)
async def test_answer_to_bs_row_is_that_to_none(
    attacker: Connection, portal_database: Database, world: World, statement: str
) -> None:
    """D04, D05: unique and foreign keys are checked past row-level security, and tell nothing nevertheless."""

    async def answer(tenant: Any, id_: Any) -> tuple[str | None, int]:
        spelt = statement.replace("{tenant}", str(tenant)).replace("{id}", str(id_))
        try:
            async with attacker.transaction(force_rollback=True):
                return None, (await attacker.execute(spelt.encode())).rowcount
        except psycopg.Error as error:
            diagnostic = error.diag
            told = f"{error.sqlstate} {diagnostic.message_primary} {diagnostic.message_detail}"
            told += f" {diagnostic.constraint_name}"
            return told.replace(str(id_), "ID").replace(str(tenant), "TENANT"), -1

    before = await digest(portal_database, world.b)
    assert await answer(world.b.tenant_id, world.b_rows.network_id) == await answer(new_id(), new_id())
    assert await digest(portal_database, world.b) == before


async def test_email_of_another_tenant_is_no_conflict(
    database: TestDatabase, operator_database: Database, two_tenants: TwoTenants
) -> None:
    """An e-mail is unique in its tenant, as far as the tables of tenants tell."""
    for tenant in (two_tenants.a, two_tenants.b):
        async with operator_database.write(OperatorBinding(tenant.tenant_id, "tests", "x", "y")) as session:
            session.add(Member(email="same@both", name="Same", role="viewer"))


# What is left behind on a pooled connection, or at the server.


async def test_what_the_attacker_leaves_behind_shows_the_next_user_and_himself_nothing(
    database: TestDatabase, world: World
) -> None:
    async with database.connect(DatabaseRole.PORTAL) as connection:
        async with connection.transaction():
            await open_session(connection, world.a)
            for statement in (
                "SELECT set_config('platforma.binding', current_setting('platforma.binding'), false)",
                "PREPARE mine AS SELECT name FROM networks",
                "DECLARE held CURSOR WITH HOLD FOR SELECT name FROM networks",
                "LISTEN procrastinate_any_queue_v1",
            ):
                await connection.execute(statement.encode())
        assert await values(connection, "EXECUTE mine") == []
        assert await values(connection, "FETCH ALL FROM held") == [OWN]
        async with connection.transaction():
            await open_session(connection, world.b)
            assert await values(connection, "SELECT name FROM networks") == [CANARY]
        assert await values(connection, "EXECUTE mine") == []
        assert await values(connection, "FETCH ALL FROM held") == []


async def test_role_leaves_no_binding_in_its_own_defaults_and_the_census_sees_what_it_leaves(
    fresh_database: TestDatabase,
) -> None:
    """PostgreSQL lets a role set its own defaults, and nobody can take that from it."""
    name = fresh_database.name
    async with fresh_database.connect(DatabaseRole.PORTAL) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(
                f"ALTER ROLE platforma_portal IN DATABASE {name} SET platforma.binding = 'x'".encode()
            )
        assert take_census(fresh_database.url(DatabaseRole.WORKER)) == []
        await connection.execute(f"ALTER ROLE platforma_portal IN DATABASE {name} SET row_security = off".encode())
    findings = take_census(fresh_database.url(DatabaseRole.WORKER))
    assert [finding.object for finding in findings] == ["role platforma_portal"]


async def test_transactions_cannot_be_left_prepared(attacker: Connection) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
        await attacker.execute("PREPARE TRANSACTION 'x'")


async def test_queue_says_nothing_to_listeners(database: TestDatabase, portal_database: Database, world: World) -> None:
    """PostgreSQL lets every role listen, so that nobody may speak: B's jobs would be heard."""
    async with database.connect(DatabaseRole.PORTAL) as listener, database.connect(DatabaseRole.WORKER) as speaker:
        for channel in ("procrastinate_any_queue_v1", '"procrastinate_queue_v1#resources"'):
            await listener.execute(f"LISTEN {channel}".encode())
        async with portal_database.write(world.b.binding()) as session:
            operation = Operation(
                action="x.y", resource_kind="x", resource_id=new_id(), resource_name="x", requested_by="x"
            )
            session.add(operation)
            await session.flush()
            await session.call_gate("defer_operation", operation=operation.id)
        await speaker.execute("NOTIFY procrastinate_any_queue_v1, 'the twin'")
        heard = [notification.payload async for notification in listener.notifies(timeout=5, stop_after=1)]
    assert heard == ["the twin"]


async def test_roles_but_the_portals_are_confined_too(database: TestDatabase, world: World) -> None:
    for role in (DatabaseRole.WORKER, DatabaseRole.PROVISIONER):
        async with database.connect(role) as connection:
            for table in ("networks", "members", "operations", "audit_events"):
                assert await values(connection, f"SELECT count(*) FROM {table}") == [0], (role, table)
