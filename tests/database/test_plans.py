"""What the policies cost: they are evaluated once a statement, and the keys that lead with the tenant are used."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from platforma.database.database import Database
from tests.database.gate import Connection, bound, values
from tests.database.server import TestDatabase
from tests.database.tenants import TwoTenants
from tests.database.world import make_world

POLICY = "gate.current_tenant()"


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    return fresh_database


@pytest.fixture
async def crowd(administrator: Connection, portal_database: Database, two_tenants: TwoTenants) -> TwoTenants:
    """A and B among 60 tenants with 100 networks each."""
    await make_world(portal_database, two_tenants)
    portal = two_tenants.b.portal_id
    await administrator.execute(
        "INSERT INTO tenants (id, portal_id, name)"
        " SELECT gen_random_uuid(), %s, 'crowd ' || n FROM generate_series(1, 60) n",
        [portal],
    )
    await administrator.execute(
        "INSERT INTO networks (tenant_id, id, name)"
        " SELECT t.id, gen_random_uuid(), 'n' || n FROM tenants t, generate_series(1, 100) n"
    )
    await administrator.execute("VACUUM ANALYZE")
    return two_tenants


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


async def explain(connection: Connection, query: str) -> dict[str, Any]:
    (plan,) = await values(connection, f"EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) {query}")
    explained: dict[str, Any] = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return explained


QUERIES = [
    "SELECT * FROM networks",
    "SELECT * FROM networks WHERE name = 'n1' ORDER BY created_at LIMIT 20",
    "SELECT n.name, s.name FROM networks n LEFT JOIN subnets s USING (tenant_id) WHERE s.network_id = n.id",
    "SELECT count(*) FROM networks WHERE id IN (SELECT network_id FROM subnets)",
    "UPDATE networks SET description = 'x'",
    "DELETE FROM subnets",
]


@pytest.mark.parametrize("query", QUERIES)
async def test_policy_is_evaluated_once_a_statement(database: TestDatabase, crowd: TwoTenants, query: str) -> None:
    async with bound(database, crowd.a) as connection:
        plan = await explain(connection, query)
    evaluations = [node for node in nodes(plan) if POLICY in json.dumps(node.get("Output", ""))]
    assert evaluations
    for node in evaluations:
        assert node["Parent Relationship"] == "InitPlan"
        assert node["Actual Loops"] in (0, 1)
    conditions = [str(value) for node in nodes(plan) for key, value in node.items() if key.endswith(("Cond", "Filter"))]
    assert not [condition for condition in conditions if POLICY in condition], "a call for each row"


async def test_lookup_uses_the_primary_key(database: TestDatabase, crowd: TwoTenants) -> None:
    async with bound(database, crowd.a) as connection:
        (network,) = (await values(connection, "SELECT id FROM networks LIMIT 1"))[:1]
        plan = await explain(connection, f"SELECT * FROM networks WHERE id = '{network}'")
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "networks"]
    assert [node["Index Name"] for node in scans] == ["networks_pkey"]
    assert "tenant_id" in scans[0]["Index Cond"]
    assert "id" in scans[0]["Index Cond"]


async def test_list_reads_the_tenants_part_of_an_index(database: TestDatabase, crowd: TwoTenants) -> None:
    async with bound(database, crowd.a) as connection:
        plan = await explain(connection, "SELECT * FROM networks ORDER BY id LIMIT 50")
    scans = [node for node in nodes(plan) if "tenant_id" in node.get("Index Cond", "")]
    assert scans, "no index that is led by tenant_id was used"
    removed = sum(node.get("Rows Removed by Filter", 0) for node in nodes(plan))
    assert removed == 0


async def test_join_goes_by_keys_led_by_the_tenant(database: TestDatabase, crowd: TwoTenants) -> None:
    async with bound(database, crowd.a) as connection:
        plan = await explain(
            connection,
            "SELECT s.name FROM subnets s JOIN networks n ON n.tenant_id = s.tenant_id AND n.id = s.network_id",
        )
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "networks"]
    assert all("tenant_id" in node.get("Index Cond", "") for node in scans), scans


async def test_a_policy_that_is_not_wrapped_would_be_noticed(
    database: TestDatabase, administrator: Connection, crowd: TwoTenants
) -> None:
    await administrator.execute("ALTER POLICY tenant ON networks USING (tenant_id = gate.current_tenant())")
    with pytest.raises(AssertionError):
        await test_policy_is_evaluated_once_a_statement(database, crowd, "SELECT * FROM networks")
