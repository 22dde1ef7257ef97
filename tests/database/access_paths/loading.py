"""The loaders of relationships."""

from typing import Any

from sqlalchemy import (
    select,
    update,
)
from sqlalchemy.orm import (
    contains_eager,
    immediateload,
    joinedload,
    lazyload,
    selectinload,
    subqueryload,
)

from platforma.database.tenant_session import WriteSession
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.access_paths.registry import N, S, names, scoped
from tests.database.world import CANARY, OWN, World


@scoped
async def many_to_one_lazy(session: WriteSession, world: World) -> Any:
    subnet = (await session.scalars(select(S))).one()
    return [await session.run_sync(lambda _: subnet.test_network.name)]


@scoped
async def many_to_one_to_foreign_id(session: WriteSession, world: World) -> Any:
    """A subnet of A that names B's network, followed before and after the flush, with and without the tenant."""
    subnet = S(name="x", network_id=world.b_rows.network_id, ip_version=4, cidr="10.0.0.0/24")
    found: list[Any] = []

    def follow(sync: Any) -> None:
        with sync.no_autoflush:
            sync.add(subnet)
            sync.enable_relationship_loading(subnet)
            subnet.tenant_id = world.a.tenant_id
            found.extend([subnet.test_network, subnet.test_careless_network])
            sync.expunge(subnet)

    await session.run_sync(follow)
    assert found == [None, None]
    return [OWN]


def _check_children(network: Any) -> list[str]:
    assert [subnet.name for subnet in network.test_subnets] == [f"subnet of {OWN}"]
    return [network.name]


@scoped
async def one_to_many_lazy(session: WriteSession, world: World) -> Any:
    network = (await session.scalars(select(N))).one()
    return await session.run_sync(lambda _: _check_children(network))


@scoped
async def one_to_many_selectin(session: WriteSession, world: World) -> Any:
    return _check_children((await session.scalars(select(N).options(selectinload(N.test_subnets)))).one())


@scoped
async def one_to_many_joined(session: WriteSession, world: World) -> Any:
    return _check_children((await session.scalars(select(N).options(joinedload(N.test_subnets)))).unique().one())


@scoped
async def one_to_many_subquery(session: WriteSession, world: World) -> Any:
    return _check_children((await session.scalars(select(N).options(subqueryload(N.test_subnets)))).one())


@scoped
async def one_to_many_immediate(session: WriteSession, world: World) -> Any:
    return _check_children((await session.scalars(select(N).options(immediateload(N.test_subnets)))).one())


@scoped
async def one_to_many_contains_eager(session: WriteSession, world: World) -> Any:
    statement = select(N).join(N.test_subnets).options(contains_eager(N.test_subnets))
    return _check_children((await session.scalars(statement)).unique().one())


@scoped
async def relationship_any(session: WriteSession, world: World) -> Any:
    assert await names(session, select(N.name).where(N.test_careless_subnets.any(S.name.contains(CANARY)))) == []
    return await names(session, select(N.name).where(N.test_subnets.any()))


@scoped
async def relationship_has(session: WriteSession, world: World) -> Any:
    found = await names(session, select(S.name).where(S.test_careless_network.has(N.name != "")))
    return [name.removeprefix("subnet of ") for name in found]


async def _careless(session: WriteSession, loader: Any) -> Any:
    """The name of A's network stands in B's subnet: a join by it alone leads there."""
    await session.execute(update(N).values(name="the same text at A and B"))
    network = (
        (
            await session.scalars(
                select(N).options(loader(N.test_careless_subnets)).execution_options(populate_existing=True)
            )
        )
        .unique()
        .one()
    )
    found = await session.run_sync(lambda _: [subnet.name for subnet in network.test_careless_subnets])
    return [name.removeprefix("subnet of ") for name in found]


@scoped
async def careless_lazy(session: WriteSession, world: World) -> Any:
    return await _careless(session, lazyload)


@scoped
async def careless_selectin(session: WriteSession, world: World) -> Any:
    return await _careless(session, selectinload)


@scoped
async def careless_joined(session: WriteSession, world: World) -> Any:
    return await _careless(session, joinedload)


@scoped
async def careless_subquery(session: WriteSession, world: World) -> Any:
    return await _careless(session, subqueryload)


@scoped
async def refresh_of_relationship(session: WriteSession, world: World) -> Any:
    network = (await session.scalars(select(N))).one()
    await session.refresh(network, ["test_subnets"])
    return _check_children(network)
