"""Writing."""

from typing import Any

from sqlalchemy import (
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_update
from sqlalchemy.orm import (
    make_transient,
)

from platforma.database.tenant_session import WriteSession
from platforma.kit.ids import new_id
from platforma.tenants.models import Member, Tenant
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import NETWORKS, N, S, foreign_network, names, refused, scoped
from tests.database.world import CANARY, OWN, World


@refused
async def add_with_foreign_tenant(session: WriteSession, world: World) -> Any:
    session.add(N(tenant_id=world.b.tenant_id, name="planted"))
    await session.flush()


@refused
async def foreign_tenant_after_add(session: WriteSession, world: World) -> Any:
    network = N(name="planted")
    session.add(network)
    network.tenant_id = world.b.tenant_id
    await session.flush()


@refused
async def foreign_child_by_cascade(session: WriteSession, world: World) -> Any:
    subnet = S(name="x", ip_version=4, cidr="10.0.0.0/24", test_network=foreign_network(world))
    session.add(subnet)
    await session.flush()


@refused
async def tenant_changed_on_own_row(session: WriteSession, world: World) -> Any:
    network: Any = await session.get(N, world.a_rows.network_id)
    network.tenant_id = world.b.tenant_id
    await session.flush()


@refused
async def tenant_changed_after_expiry(session: WriteSession, world: World) -> Any:
    network: Any = await session.get(N, world.a_rows.network_id)
    session.expire(network)
    await session.run_sync(lambda _: setattr(network, "tenant_id", world.b.tenant_id))
    await session.flush()


@refused
async def tenant_changed_by_flag(session: WriteSession, world: World) -> Any:
    from sqlalchemy.orm.attributes import flag_modified, set_committed_value

    network: Any = await session.get(N, world.a_rows.network_id)
    set_committed_value(network, "tenant_id", world.b.tenant_id)
    flag_modified(network, "name")
    await session.flush()


@refused
async def transient_copy_of_foreign(session: WriteSession, world: World) -> Any:
    network = foreign_network(world)
    make_transient(network)
    session.add(network)
    await session.flush()


@refused
async def new_tenant_row(session: WriteSession, world: World) -> Any:
    session.add(Tenant(id=new_id(), portal_id=world.a.portal_id, name="planted"))
    await session.flush()


@scoped
async def update_without_where(session: WriteSession, world: World) -> Any:
    await session.execute(update(N).values(description="taken"))
    return await names(session, select(N.name).where(N.description == "taken"))


@scoped
async def update_by_foreign_id(session: WriteSession, world: World) -> Any:
    statement = update(N).where(N.id == world.b_rows.network_id).values(name="taken").returning(N.name)
    assert await names(session, statement) == []
    statement = update(N).where(N.id == world.a_rows.network_id).values(name=OWN).returning(N.name)
    return await names(session, statement)


@scoped
async def update_fetching(session: WriteSession, world: World) -> Any:
    statement = update(N).values(description="taken").execution_options(synchronize_session="fetch")
    await session.execute(statement)
    return [OWN]


@scoped
async def update_where_subquery(session: WriteSession, world: World) -> Any:
    statement = (
        update(N)
        .where(select(S.id).where(S.name.contains(CANARY)).exists())
        .values(name="seen")
        .execution_options(synchronize_session=False)
    )
    await session.execute(statement)
    return await names(session, select(N.name))


@scoped
async def update_set_subquery(session: WriteSession, world: World) -> Any:
    statement = (
        update(S)
        .values(name=select(func.max(N.name)).scalar_subquery())
        .returning(S.name)
        .execution_options(synchronize_session=False)
    )
    return await names(session, statement)


@refused
async def update_from(session: WriteSession, world: World) -> Any:
    statement = (
        update(N)
        .where(N.description == S.description)
        .values(name=S.name)
        .returning(N.name)
        .execution_options(synchronize_session=False)
    )
    return [name.removeprefix("subnet of ") for name in await names(session, statement)]


@scoped
async def update_from_expression(session: WriteSession, world: World) -> Any:
    hidden = select(S.name.label("name")).cte("hidden")
    statement = (
        update(N)
        .where(N.name != hidden.c.name)
        .values(name=hidden.c.name)
        .returning(N.name)
        .execution_options(synchronize_session=False)
    )
    return [name.removeprefix("subnet of ") for name in await names(session, statement)]


@refused
async def update_from_core(session: WriteSession, world: World) -> Any:
    other = NETWORKS.alias()
    statement = update(N).where(N.description == other.c.description).values(name=other.c.name)
    await session.execute(statement.execution_options(synchronize_session=False))


@refused
async def update_changes_tenant(session: WriteSession, world: World) -> Any:
    await session.execute(update(N).values(tenant_id=world.b.tenant_id))


@refused
async def update_changes_tenant_by_name(session: WriteSession, world: World) -> Any:
    await session.execute(update(N).values({"tenant_id": world.b.tenant_id}))


@refused
async def update_changes_tenant_by_order(session: WriteSession, world: World) -> Any:
    await session.execute(update(N).ordered_values((N.tenant_id, world.b.tenant_id)))


@refused
async def update_changes_tenant_by_parameters(session: WriteSession, world: World) -> Any:
    await session.execute(update(N).where(N.name == OWN), {"tenant_id": world.b.tenant_id})


@refused
async def bulk_update_by_key(session: WriteSession, world: World) -> Any:
    row = {"tenant_id": world.b.tenant_id, "id": world.b_rows.network_id, "name": "taken"}
    await session.execute(update(N), [row])


@refused
async def bulk_update_mappings(session: WriteSession, world: World) -> Any:
    row = {"tenant_id": world.b.tenant_id, "id": world.b_rows.network_id, "name": "taken"}
    await session.run_sync(lambda sync: sync.bulk_update_mappings(N, [row]))


@refused
async def bulk_insert_mappings(session: WriteSession, world: World) -> Any:
    row = {"tenant_id": world.b.tenant_id, "id": new_id(), "name": "planted"}
    await session.run_sync(lambda sync: sync.bulk_insert_mappings(N, [row]))


@refused
async def bulk_save_objects(session: WriteSession, world: World) -> Any:
    await session.run_sync(lambda sync: sync.bulk_save_objects([foreign_network(world)]))


@refused
async def insert_foreign(session: WriteSession, world: World) -> Any:
    await session.execute(insert(N).values(tenant_id=world.b.tenant_id, id=new_id(), name="planted"))


@refused
async def insert_many_with_one_foreign(session: WriteSession, world: World) -> Any:
    rows = [
        {"tenant_id": tenant_id, "id": new_id(), "name": "planted"}
        for tenant_id in (world.a.tenant_id, world.a.tenant_id, world.b.tenant_id)
    ]
    await session.execute(insert(N), rows)


@refused
async def insert_values_of_many(session: WriteSession, world: World) -> Any:
    rows = [
        {"tenant_id": tenant_id, "id": new_id(), "name": "planted"}
        for tenant_id in (world.a.tenant_id, world.b.tenant_id)
    ]
    await session.execute(insert(N).values(rows))


@refused
async def insert_from_select(session: WriteSession, world: World) -> Any:
    chosen = select(literal(world.b.tenant_id), func.gen_random_uuid(), N.name)
    await session.execute(insert(N).from_select(["tenant_id", "id", "name"], chosen))


@refused
async def insert_with_tenant_expression(session: WriteSession, world: World) -> Any:
    tenant = select(Member.tenant_id).limit(1).scalar_subquery()
    await session.execute(insert(N).values(tenant_id=tenant, id=new_id(), name="planted"))


@refused
async def insert_or_update_foreign(session: WriteSession, world: World) -> Any:
    statement = insert_or_update(N).values(tenant_id=world.b.tenant_id, id=world.b_rows.network_id, name="taken")
    await session.execute(statement.on_conflict_do_update(index_elements=["tenant_id", "id"], set_={"name": "taken"}))


@refused
async def core_insert(session: WriteSession, world: World) -> Any:
    await session.execute(NETWORKS.insert(), {"tenant_id": world.b.tenant_id, "id": new_id(), "name": "planted"})


@refused
async def core_update(session: WriteSession, world: World) -> Any:
    await session.execute(NETWORKS.update().values(name="taken"))


@refused
async def core_delete(session: WriteSession, world: World) -> Any:
    await session.execute(NETWORKS.delete())


@refused
async def delete_in_expression(session: WriteSession, world: World) -> Any:
    gone = delete(NETWORKS).returning(NETWORKS.c.name).cte("gone")
    return await names(session, select(gone.c.name))


@refused
async def insert_in_expression(session: WriteSession, world: World) -> Any:
    made = (
        insert(NETWORKS)
        .values(tenant_id=world.b.tenant_id, id=new_id(), name="planted")
        .returning(NETWORKS.c.name)
        .cte("made")
    )
    return await names(session, select(made.c.name))


@scoped
async def delete_without_where(session: WriteSession, world: World) -> Any:
    await session.execute(delete(S).execution_options(synchronize_session=False))
    assert await session.scalar(select(func.count()).select_from(S)) == 0
    return [OWN]


@scoped
async def delete_where_subquery(session: WriteSession, world: World) -> Any:
    statement = (
        delete(S)
        .where(select(N.id).where(N.name == CANARY).exists())
        .returning(S.name)
        .execution_options(synchronize_session=False)
    )
    assert await names(session, statement) == []
    return [OWN]


@refused
async def delete_using(session: WriteSession, world: World) -> Any:
    statement = (
        delete(S).where(S.description == N.description).returning(N.name).execution_options(synchronize_session=False)
    )
    return await names(session, statement)
