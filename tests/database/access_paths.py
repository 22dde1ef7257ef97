"""Every way to B's rows through SQLAlchemy that we know of, walked in A's session.

A path that is `scoped` returns names of rows, and must return A's own and nothing of B. A path that is `refused`
must raise before anything is sent. Both kinds leave B's rows as they were.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Integer,
    MetaData,
    Table,
    bindparam,
    case,
    column,
    delete,
    exists,
    func,
    insert,
    lambda_stmt,
    literal,
    literal_column,
    select,
    table,
    tablesample,
    text,
    true,
    tuple_,
    union_all,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_update
from sqlalchemy.orm import (
    Bundle,
    aliased,
    contains_eager,
    defer,
    immediateload,
    joinedload,
    lazyload,
    load_only,
    make_transient,
    make_transient_to_detached,
    object_session,
    selectinload,
    subqueryload,
    with_loader_criteria,
    with_polymorphic,
)

from platforma.authentication.models import Session as SignedInSession
from platforma.database.errors import CrossTenantError, UnscopedAccessError
from platforma.database.tenant_session import WriteSession
from platforma.kit.ids import new_id
from platforma.network.models import Network, Subnet
from platforma.operations.models import Operation
from platforma.tenants.models import Member, Tenant
from tests.database import relationships as _relationships  # noqa: F401 (puts the test's relationships on the models)
from tests.database.world import CANARY, OWN, Path, World

N: Any = Network
S: Any = Subnet
NETWORKS: Any = Network.__table__
REFUSALS = (UnscopedAccessError, CrossTenantError)


@dataclass(frozen=True)
class AccessPath:
    """One way, and what must come of it."""

    name: str
    walk: Path
    is_refused: bool


PATHS: list[AccessPath] = []


def scoped(walk: Path) -> Path:
    """Register a path that must find A's rows and none of B's."""
    PATHS.append(AccessPath(walk.__name__, walk, False))
    return walk


def refused(walk: Path) -> Path:
    """Register a path that must be refused."""
    PATHS.append(AccessPath(walk.__name__, walk, True))
    return walk


async def names(session: WriteSession, statement: Any, **options: Any) -> list[Any]:
    """Return the first column of every row."""
    return list((await session.execute(statement, **options)).scalars())


def foreign_network(world: World) -> Network:
    """Make an object that says it is B's row."""
    return Network(tenant_id=world.b.tenant_id, id=world.b_rows.network_id, name="taken")


# Reading with the mapped class.


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


# Statements in statements.


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


# Options by which a developer might loosen the filter.


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


# Core: tables without their class.


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


# Raw SQL, whole or in part.


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


# By identity.


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


# The loaders of relationships.


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


# Writing.


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


# Round about the session.


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
