"""Raw SQL, whole or in part."""

from typing import Any

from sqlalchemy import (
    column,
    func,
    literal_column,
    select,
    text,
    update,
)

from platforma.database.tenant_session import WriteSession
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import NETWORKS, N, names, refused
from tests.database.world import World


@refused
async def text_statement(session: WriteSession, world: World) -> Any:
    return await names(session, text("SELECT name FROM networks"))


@refused
async def from_statement_of_text(session: WriteSession, world: World) -> Any:
    return [network.name for network in await session.scalars(select(N).from_statement(text("SELECT * FROM networks")))]


@refused
async def from_statement_of_core(session: WriteSession, world: World) -> Any:
    return [network.name for network in await session.scalars(select(N).from_statement(select(NETWORKS)))]


@refused
async def from_statement_of_update(session: WriteSession, world: World) -> Any:
    statement = update(NETWORKS).values(name="taken").returning(NETWORKS)
    return [network.name for network in await session.scalars(select(N).from_statement(statement))]


@refused
async def text_with_columns(session: WriteSession, world: World) -> Any:
    return await names(session, text("SELECT name FROM networks").columns(column("name")))


@refused
async def text_as_subquery(session: WriteSession, world: World) -> Any:
    inner = text("SELECT name FROM networks").columns(column("name")).subquery()
    return await names(session, select(inner.c.name))


@refused
async def text_in_where(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where(text("true) OR (true")))


@refused
async def text_in_order_by(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).order_by(text("(SELECT max(name) FROM networks)")))


@refused
async def text_in_columns(session: WriteSession, world: World) -> Any:
    return await names(session, select(text("(SELECT max(name) FROM networks)")).select_from(N))


@refused
async def text_as_from(session: WriteSession, world: World) -> Any:
    return await names(session, select(column("name")).select_from(text("networks")))


@refused
async def literal_column_with_sql(session: WriteSession, world: World) -> Any:
    return await names(session, select(literal_column("(SELECT max(name) FROM networks)")).select_from(N))


@refused
async def operator_with_sql(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where(N.name.op("IS NOT NULL OR name =")("x")))


@refused
async def prefix_with_sql(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).prefix_with("(SELECT max(name) FROM networks),"))


@refused
async def suffix_with_sql(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).suffix_with("UNION ALL SELECT name FROM networks"))


@refused
async def hint_with_sql(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).with_hint(N, "ONLY"))


@refused
async def statement_hint_with_sql(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).with_statement_hint("UNION ALL SELECT name FROM networks"))


@refused
async def extract_with_sql(session: WriteSession, world: World) -> Any:
    from sqlalchemy import extract

    return await names(session, select(extract("year FROM now()), (SELECT 1", N.created_at)))


@refused
async def function_that_runs_sql(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.query_to_xml("SELECT name FROM networks", True, True, "")))


@refused
async def function_that_sets(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.set_config("platforma.binding", str(world.b.tenant_id), True)))


@refused
async def function_of_the_gate(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.gate.open_session(world.b.token, world.b.host)))


@refused
async def function_as_statement(session: WriteSession, world: World) -> Any:
    return await names(session, func.pg_read_file("/etc/passwd"))


@refused
async def function_as_table(session: WriteSession, world: World) -> Any:
    rows = func.gate.find_portal(world.b.host).table_valued("name")
    return await names(session, select(rows.c.name))


@refused
async def function_from_the_catalog(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.pg_catalog.pg_sleep(0)))


@refused
async def explain(session: WriteSession, world: World) -> Any:
    return await names(session, text("EXPLAIN SELECT * FROM networks"))


@refused
async def change_of_role(session: WriteSession, world: World) -> Any:
    return await names(session, text("SET ROLE platforma_owner"))
