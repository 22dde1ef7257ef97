"""Statements in statements."""

from typing import Any

from sqlalchemy import (
    bindparam,
    exists,
    func,
    lambda_stmt,
    literal,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.orm import (
    aliased,
)

from platforma.database.tenant_session import WriteSession
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import N, S, names, refused, scoped
from tests.database.world import CANARY, OWN, World


@scoped
async def subquery_as_from(session: WriteSession, world: World) -> Any:
    inner = select(N.name.label("name")).subquery()
    return await names(session, select(inner.c.name))


@scoped
async def subquery_in_subquery(session: WriteSession, world: World) -> Any:
    inner = select(N.name.label("name")).subquery()
    middle = select(inner.c.name).subquery()
    return await names(
        session,
        select(func.count(middle.c.name), middle.c.name).group_by(middle.c.name).with_only_columns(middle.c.name),
    )


@scoped
async def select_from_subquery(session: WriteSession, world: World) -> Any:
    inner = select(N).subquery()
    assert await session.scalar(select(func.count()).select_from(inner)) == 1
    return await names(session, select(inner.c.name).select_from(inner))


@scoped
async def common_table_expression(session: WriteSession, world: World) -> Any:
    inner = select(N.name.label("name")).cte("inner_names")
    return await names(session, select(inner.c.name))


@scoped
async def recursive_expression(session: WriteSession, world: World) -> Any:
    first = select(N.name.label("name"), literal(0).label("depth")).cte("steps", recursive=True)
    steps = first.union_all(select(N.name, first.c.depth + 1).join(first, first.c.depth < 2))
    return await names(session, select(steps.c.name))


@scoped
async def added_expression(session: WriteSession, world: World) -> Any:
    hidden = select(N.name.label("name")).cte("hidden")
    return await names(session, select(N.name).add_cte(hidden))


@scoped
async def where_in_subquery(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where(N.description.in_(select(S.description))))


@scoped
async def where_foreign_exists(session: WriteSession, world: World) -> Any:
    there = exists().where(S.name == f"subnet of {CANARY}")
    assert await names(session, select(N.name).where(there)) == []
    return await names(session, select(N.name).where(~there))


@scoped
async def select_exists(session: WriteSession, world: World) -> Any:
    assert await session.scalar(select(exists().where(N.name == CANARY))) is False
    assert await session.scalar(select(select(N.id).where(N.name == CANARY).exists())) is False
    assert await session.scalar(select(select(N.id).where(N.name == OWN).exists())) is True
    return [OWN]


@scoped
async def scalar_subquery(session: WriteSession, world: World) -> Any:
    return await names(session, select(select(func.max(N.name)).scalar_subquery()))


@scoped
async def scalar_subquery_beside_class(session: WriteSession, world: World) -> Any:
    return await names(session, select(select(func.min(N.name)).correlate(None).scalar_subquery(), N.id))


@scoped
async def correlated_subquery(session: WriteSession, world: World) -> Any:
    inner = select(func.max(S.name)).where(S.description == N.description).scalar_subquery()
    return [name.removeprefix("subnet of ") for name in await names(session, select(inner).select_from(N))]


@scoped
async def subquery_in_order_by(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).order_by(select(func.max(S.name)).scalar_subquery()))


@scoped
async def lateral(session: WriteSession, world: World) -> Any:
    inner = select(S.name.label("name")).where(S.description == N.description).lateral()
    found = await names(session, select(inner.c.name).select_from(N).join(inner, true()))
    return [name.removeprefix("subnet of ") for name in found]


@scoped
async def union(session: WriteSession, world: World) -> Any:
    return await names(session, union_all(select(N.name), select(N.name)))


@scoped
async def union_as_entities(session: WriteSession, world: World) -> Any:
    both = union_all(select(N), select(N)).subquery()
    return [network.name for network in (await session.scalars(select(aliased(N, both)))).unique()]


@scoped
async def tuple_in_subquery(session: WriteSession, world: World) -> Any:
    pairs = select(S.tenant_id, S.network_id)
    return await names(session, select(N.name).where(tuple_(N.tenant_id, N.id).in_(pairs)))


@scoped
async def lambda_statement(session: WriteSession, world: World) -> Any:
    return await names(session, lambda_stmt(lambda: select(N.name)))


@refused
async def filter_overwritten_by_parameters(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where(N.tenant_id == bindparam("t")), params={"t": world.b.tenant_id})


@refused
async def another_tenant_asked_for(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where(N.tenant_id == world.b.tenant_id))


@scoped
async def another_tenant_by_or(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name).where((N.tenant_id == world.b.tenant_id) | (N.name == OWN)))
