"""Round about the session."""

from typing import Any

from sqlalchemy import (
    Integer,
    column,
    select,
    text,
    true,
    update,
    values,
)
from sqlalchemy.orm import (
    object_session,
)

from platforma.authentication.models import Session as SignedInSession
from platforma.database.tenant_session import WriteSession
from platforma.tenants.models import Member
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import NETWORKS, N, names, refused, scoped
from tests.database.world import OWN, World


@refused
async def connection_of_session(session: WriteSession, world: World) -> Any:
    unwitting: Any = session
    connection = await unwitting.connection()
    return (await connection.execute(text("SELECT name FROM networks"))).scalars().all()


@refused
async def connection_of_sync_session(session: WriteSession, world: World) -> Any:
    return await session.run_sync(lambda sync: sync.connection().execute(select(NETWORKS.c.name)).scalars().all())


@refused
async def connection_of_transaction(session: WriteSession, world: World) -> Any:
    def walk(sync: Any) -> Any:
        return sync.get_transaction().connection(None).execute(select(NETWORKS.c.name)).scalars().all()

    return await session.run_sync(walk)


@refused
async def raw_sql_on_the_transaction(session: WriteSession, world: World) -> Any:
    def walk(sync: Any) -> Any:
        return sync.get_transaction().connection(None).exec_driver_sql("SELECT name FROM networks").scalars().all()

    return await session.run_sync(walk)


@refused
async def bind_of_session(session: WriteSession, world: World) -> Any:
    bind: Any = session.bind
    async with bind.connect() as connection:
        return (await connection.execute(text("SELECT name FROM networks"))).scalars().all()


@refused
async def bind_of_sync_session(session: WriteSession, world: World) -> Any:
    def walk(sync: Any) -> Any:
        with sync.bind.connect() as connection:
            return connection.execute(select(NETWORKS.c.name)).scalars().all()

    return await session.run_sync(walk)


@refused
async def get_bind(session: WriteSession, world: World) -> Any:
    return session.get_bind()


@scoped
async def session_of_object(session: WriteSession, world: World) -> Any:
    network: Any = await session.get(N, world.a_rows.network_id)
    sync: Any = object_session(network)
    return await session.run_sync(lambda _: list(sync.scalars(select(N.name))))


@scoped
async def sync_session(session: WriteSession, world: World) -> Any:
    return await session.run_sync(lambda sync: list(sync.scalars(select(N.name))))


@scoped
async def savepoint_rolled_back(session: WriteSession, world: World) -> Any:
    savepoint = await session.begin_nested()
    await session.execute(update(N).values(description="x"))
    await savepoint.rollback()
    assert await names(session, select(N.description)) != ["x"]
    return await names(session, select(N.name))


@scoped
async def savepoint_released(session: WriteSession, world: World) -> Any:
    async with session.begin_nested():
        return await names(session, select(N.name))


@scoped
async def stream(session: WriteSession, world: World) -> Any:
    return [row.name async for row in await session.stream(select(N.name).execution_options(yield_per=1))]


@scoped
async def stream_entities(session: WriteSession, world: World) -> Any:
    return [row.name async for row in await session.stream_scalars(select(N).execution_options(yield_per=1))]


@scoped
async def autoflush_then_select(session: WriteSession, world: World) -> Any:
    network = N(name="new")
    session.add(network)
    found = await names(session, select(N.name).order_by(N.id))
    assert found == [OWN, "new"]
    await session.delete(network)
    await session.flush()
    return [OWN]


@scoped
async def values_construct(session: WriteSession, world: World) -> Any:
    wanted = values(column("n", Integer), name="wanted").data([(1,), (2,)])
    return await names(session, select(N.name).select_from(N).join(wanted, true()))


@scoped
async def other_models(session: WriteSession, world: World) -> Any:
    assert set(await names(session, select(Member.email))) == {world.a.email}
    assert set(await names(session, select(SignedInSession.id))) == {world.a.session_id}
    return [OWN]
