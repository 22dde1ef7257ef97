"""Options by which a developer might loosen the filter."""

from typing import Any

from sqlalchemy import (
    select,
    true,
)
from sqlalchemy.orm import (
    with_loader_criteria,
)

from platforma.database.tenant_session import WriteSession
from platforma.operations.models import Operation
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import NETWORKS, N, names, refused, scoped
from tests.database.world import World


@scoped
async def own_loader_criteria(session: WriteSession, world: World) -> Any:
    statement = select(N.name).options(with_loader_criteria(N, lambda model: true(), include_aliases=True))
    return await names(session, statement)


@scoped
async def own_loader_criteria_for_the_base(session: WriteSession, world: World) -> Any:
    from platforma.database.tables import TenantOwned

    statement = select(N.name).options(with_loader_criteria(TenantOwned, lambda model: true(), include_aliases=True))
    return await names(session, statement)


@scoped
async def execution_options(session: WriteSession, world: World) -> Any:
    return await names(
        session,
        select(N.name),
        execution_options={"include_deleted": True, "skip_filter": True, "compiled_cache": None},
    )


@refused
async def scope_in_execution_options(session: WriteSession, world: World) -> Any:
    statement = select(NETWORKS.c.name).execution_options(platforma_scope=None, platforma_call=True)
    return await names(session, statement)


@scoped
async def bind_arguments(session: WriteSession, world: World) -> Any:
    return await names(session, select(N.name), bind_arguments={"mapper": Operation.__mapper__})


@refused
async def bind_to_the_engine(session: WriteSession, world: World) -> Any:
    return await names(session, select(NETWORKS.c.name), bind_arguments={"bind": session.sync_session.get_bind()})


@refused
async def other_schema_by_translation(session: WriteSession, world: World) -> Any:
    return await names(session, select(NETWORKS.c.name), execution_options={"schema_translate_map": {None: "public"}})
