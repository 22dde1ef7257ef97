"""One tenant cannot keep the others waiting, however much it asks for."""

from uuid import UUID

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.network.models import Network, Router
from platforma.operations import service
from platforma.operations.models import Resource
from platforma.operations.service import TooManyOperations, retry_operation
from tests.database.server import TestDatabase
from tests.operations.stage import Stage


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A queue for this test alone."""
    return fresh_database


async def test_a_single_wish_does_not_wait_for_anothers_hundred(stage: Stage, member: SessionBinding) -> None:
    other = await stage.sign_in(await stage.make_tenant())
    await stage.create(member, *[Network(name=f"net-{number}") for number in range(90)])
    (single,) = await stage.create(other, Network(name="web"))
    order = await stage.rows(
        "SELECT o.id FROM jobs.procrastinate_jobs j JOIN operations o ON j.args ->> 'operation_id' = o.id::text"
        " WHERE o.status = 'queued' ORDER BY j.priority DESC, j.id"
    )
    assert single in [row["id"] for row in order[:2]]
    assert len(order) == 91


async def test_the_backlog_is_bounded_but_for_deletions(
    stage: Stage, member: SessionBinding, tenant_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MOST_UNFINISHED", 3)
    monkeypatch.setattr(service, "MOST_UNFINISHED_DELETIONS", 5)
    kept: list[Resource] = [Router(name="edge"), Network(name="web"), Network(name="back")]
    operations = await stage.create(member, *kept)
    with pytest.raises(TooManyOperations, match="3 operations"):
        await stage.create(member, Network(name="one-too-many"))
    assert not await stage.rows("SELECT 1 FROM networks WHERE name = 'one-too-many'")
    for row in kept[:2]:
        await stage.delete(member, type(row), row.id)
    with pytest.raises(TooManyOperations, match="5 operations"):
        await stage.delete(member, Network, kept[2].id)
    await stage.databases.administrator.execute(
        "UPDATE operations SET status = 'failed' WHERE id = %s", (operations[0],)
    )
    with pytest.raises(TooManyOperations):
        async with stage.wish(member) as session:
            await retry_operation(session, operations[0], "somebody")
    await stage.finish_all(tenant_id)
    await stage.create(member, Network(name="now-it-fits"))
