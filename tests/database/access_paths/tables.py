"""Core: tables without their class."""

from typing import Any

from sqlalchemy import (
    MetaData,
    Table,
    column,
    exists,
    func,
    select,
    table,
    tablesample,
    true,
    union_all,
)

from platforma.database.tenant_session import WriteSession
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import NETWORKS, N, names, refused
from tests.database.world import CANARY, World


@refused
async def core_select(session: WriteSession, world: World) -> Any:
    return await names(session, select(NETWORKS.c.name))


@refused
async def core_alias(session: WriteSession, world: World) -> Any:
    return await names(session, select(NETWORKS.alias().c.name))


@refused
async def core_table_beside_class(session: WriteSession, world: World) -> Any:
    other = NETWORKS.alias()
    return await names(session, select(other.c.name).select_from(N).join(other, true()))


@refused
async def core_subquery_in_orm_statement(session: WriteSession, world: World) -> Any:
    return await names(
        session,
        select(N.name, select(func.max(NETWORKS.alias().c.name)).scalar_subquery()).with_only_columns(
            select(func.max(NETWORKS.alias().c.name)).scalar_subquery()
        ),
    )


@refused
async def core_exists(session: WriteSession, world: World) -> Any:
    other = NETWORKS.alias()
    return await names(session, select(N.name).where(exists().where(other.c.name == CANARY)))


@refused
async def core_count(session: WriteSession, world: World) -> Any:
    return await names(session, select(func.count()).select_from(NETWORKS))


@refused
async def core_union(session: WriteSession, world: World) -> Any:
    return await names(session, union_all(select(N.name), select(NETWORKS.alias().c.name)))


@refused
async def core_expression(session: WriteSession, world: World) -> Any:
    hidden = select(NETWORKS.alias().c.name).cte("hidden")
    return await names(session, select(hidden.c.name))


@refused
async def core_sample(session: WriteSession, world: World) -> Any:
    return await names(session, select(tablesample(NETWORKS, func.bernoulli(100)).c.name))


@refused
async def core_lateral(session: WriteSession, world: World) -> Any:
    inner = select(NETWORKS.alias().c.name.label("name")).lateral()
    return await names(session, select(inner.c.name).select_from(N).join(inner, true()))


@refused
async def lightweight_table(session: WriteSession, world: World) -> Any:
    return await names(session, select(table("networks", column("name")).c.name))


@refused
async def table_of_another_metadata(session: WriteSession, world: World) -> Any:
    from sqlalchemy import Column, Text

    other = Table("networks", MetaData(), Column("name", Text))
    return await names(session, select(other.c.name))


@refused
async def table_of_another_schema(session: WriteSession, world: World) -> Any:
    return await names(session, select(table("networks", column("name"), schema="public").c.name))


@refused
async def table_of_the_catalog(session: WriteSession, world: World) -> Any:
    return await names(session, select(table("pg_stat_activity", column("query"), schema="pg_catalog").c.query))


@refused
async def table_of_the_gate(session: WriteSession, world: World) -> Any:
    from platforma.authentication.models import Credential

    return await names(session, select(Credential.email))
