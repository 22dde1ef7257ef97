"""Rows by their identity."""

from typing import Any

from sqlalchemy import (
    select,
)
from sqlalchemy.orm import (
    make_transient_to_detached,
)

from platforma.database.tenant_session import WriteSession
from platforma.tenants.models import Tenant
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import N, foreign_network, names, refused, scoped
from tests.database.world import OWN, World


@scoped
async def get_by_id(session: WriteSession, world: World) -> Any:
    assert await session.get(N, world.b_rows.network_id) is None
    network: Any = await session.get(N, world.a_rows.network_id)
    return [network.name if network else None]


@scoped
async def get_for_update(session: WriteSession, world: World) -> Any:
    assert await session.get(N, world.b_rows.network_id, with_for_update=True) is None
    network: Any = await session.get(N, world.a_rows.network_id, with_for_update=True)
    return [network.name if network else None]


@scoped
async def get_populating_existing(session: WriteSession, world: World) -> Any:
    await session.get(N, world.a_rows.network_id)
    network: Any = await session.get(N, world.a_rows.network_id, populate_existing=True)
    assert await session.get(N, world.b_rows.network_id, populate_existing=True) is None
    return [network.name if network else None]


@scoped
async def get_own_by_tuple_and_dict(session: WriteSession, world: World) -> Any:
    by_tuple = await session.get(N, (world.a.tenant_id, world.a_rows.network_id))
    by_dict = await session.get(N, {"tenant_id": world.a.tenant_id, "id": world.a_rows.network_id})
    assert by_tuple is by_dict
    return [by_dict.name if by_dict else None]


@refused
async def get_by_foreign_tuple(session: WriteSession, world: World) -> Any:
    return await session.get(N, (world.b.tenant_id, world.b_rows.network_id))


@refused
async def get_by_foreign_dict(session: WriteSession, world: World) -> Any:
    return await session.get(N, {"id": world.b_rows.network_id, "tenant_id": world.b.tenant_id})


@refused
async def get_by_identity_token(session: WriteSession, world: World) -> Any:
    return await session.get(N, world.b_rows.network_id, identity_token="b")


@refused
async def get_one_foreign(session: WriteSession, world: World) -> Any:
    return await session.get_one(N, (world.b.tenant_id, world.b_rows.network_id))


@refused
async def get_foreign_tenant(session: WriteSession, world: World) -> Any:
    return await session.get(Tenant, world.b.tenant_id)


@scoped
async def own_tenant_alone(session: WriteSession, world: World) -> Any:
    assert await names(session, select(Tenant.id)) == [world.a.tenant_id]
    own = await session.get(Tenant, world.a.tenant_id)
    return [OWN if own else None]


@scoped
async def refresh_and_expire(session: WriteSession, world: World) -> Any:
    network: Any = await session.get(N, world.a_rows.network_id)
    await session.refresh(network)
    session.expire(network)
    return [await session.run_sync(lambda _: network.name)]


@refused
async def refresh_foreign(session: WriteSession, world: World) -> Any:
    network = foreign_network(world)
    make_transient_to_detached(network)
    session.add(network)
    await session.refresh(network)
    return [network.name]


@refused
async def delete_foreign(session: WriteSession, world: World) -> Any:
    network = foreign_network(world)
    make_transient_to_detached(network)
    await session.delete(network)
    await session.flush()


@refused
async def merge(session: WriteSession, world: World) -> Any:
    return await session.merge(foreign_network(world))


@refused
async def merge_sync(session: WriteSession, world: World) -> Any:
    return await session.run_sync(lambda sync: sync.merge(foreign_network(world)))


@refused
async def legacy_query(session: WriteSession, world: World) -> Any:
    return await session.run_sync(lambda sync: sync.query(N).all())
