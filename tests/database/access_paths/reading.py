"""Reading with the mapped class."""

from typing import Any

from sqlalchemy import (
    case,
    func,
    literal,
    select,
    tablesample,
    true,
)
from sqlalchemy.orm import (
    Bundle,
    aliased,
    defer,
    load_only,
    with_polymorphic,
)

from platforma.database.tenant_session import WriteSession
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import N, S, names, refused, scoped
from tests.database.world import CANARY, OWN, World


@scoped
async def select_entities(session: WriteSession, world: World) -> Any:
    return [network.name for network in await session.scalars(select(N))]


@scoped
async def select_column(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name))


@scoped
async def select_columns_where(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where(N.id.in_([world.a_rows.network_id, world.b_rows.network_id])))


@scoped
async def select_bundle(session: WriteSession, world: World) -> Any:
    return [row[0].name for row in await session.execute(select(Bundle[Any]("b", N.name, N.id)))]


@scoped
async def select_expression(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.max(N.name)))


@scoped
async def select_case(session: WriteSession, world: World) -> Any:
    return await names(session, select(case((N.name == CANARY, N.name), else_=N.name)))


@scoped
async def select_or_true(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where((N.name == "x") | true()))


@scoped
async def select_from_class(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.string_agg(N.name, literal(","))).select_from(N))


@scoped
async def select_distinct_group_having(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).group_by(N.name).having(func.count() > 0).distinct())


@scoped
async def select_window(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.max(N.name).over(partition_by=N.description)).select_from(N))


@refused
async def select_window_alone(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.max(N.name).over(partition_by=N.description)))


@scoped
async def select_for_update(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).with_for_update(of=N))


@scoped
async def select_load_only(session: WriteSession, world: World) -> Any:
    return [network.name for network in await session.scalars(select(N).options(load_only(N.name)))]


@scoped
async def select_deferred_then_loaded(session: WriteSession, world: World) -> Any:
    networks = list(await session.scalars(select(N).options(defer(N.name))))
    return await session.run_sync(lambda _: [network.name for network in networks])


@scoped
async def count_is_of_own_rows(session: WriteSession, world: World) -> Any:
    assert await session.scalar(select(func.count()).select_from(N)) == 1
    assert await session.scalar(select(func.count(N.id))) == 1
    return [OWN]


@scoped
async def alias(session: WriteSession, world: World) -> Any:
    other = aliased(N, name="other")
    return await names(session, select(other.name))


@scoped
async def alias_of_subquery(session: WriteSession, world: World) -> Any:
    other = aliased(N, select(N).subquery())
    return [network.name for network in await session.scalars(select(other))]


@scoped
async def with_polymorphic_alias(session: WriteSession, world: World) -> Any:
    other = with_polymorphic(N, "*", aliased=True)
    return [network.name for network in await session.scalars(select(other))]


@scoped
async def cartesian_alias(session: WriteSession, world: World) -> Any:
    other = aliased(N)
    return await names(session, select(N.name).where(other.description == N.description))


@scoped
async def alias_seen_through_own(session: WriteSession, world: World) -> Any:
    other = aliased(N)
    return await names(session, select(other.name).select_from(N).join(other, other.description == N.description))


@scoped
async def inner_join(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).join(S, S.description == N.description))


@scoped
async def inner_join_reads_the_joined(session: WriteSession, world: World) -> Any:
    found = await names(session, select(S.name).select_from(N).join(S, S.description == N.description))
    return [name.removeprefix("subnet of ") for name in found]


@scoped
async def outer_join_reads_the_joined(session: WriteSession, world: World) -> Any:
    found = await names(session, select(S.name).select_from(N).outerjoin(S, S.description == N.description))
    return [name.removeprefix("subnet of ") for name in found]


@scoped
async def outer_join_on_alias(session: WriteSession, world: World) -> Any:
    other = aliased(S)
    found = await names(session, select(other.name).select_from(N).outerjoin(other, true()))
    return [name.removeprefix("subnet of ") for name in found]


@refused
async def full_join(session: WriteSession, world: World) -> Any:
    return await names(session, select(S.name).select_from(N).join(S, S.description == N.description, full=True))


@refused
async def tablesample_of_class(session: WriteSession, world: World) -> Any:
    return await names(session, select(aliased(N, tablesample(N, func.bernoulli(100))).name))
