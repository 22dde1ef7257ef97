"""Fixtures: members of two tenants on a fake cloud, and a fake cluster that has been connected and examined.

Each test has a database of its own, as a cluster is everybody's.
"""

from dataclasses import dataclass
from uuid import UUID

import pytest

from platforma.clouds.kubernetes.fake import FakeCluster
from platforma.database.database import Database
from platforma.kit.crypto import seal_to
from platforma.kit.ids import new_id
from platforma.kubernetes.kubeconfig_files import EXAMPLE_KUBECONFIG
from platforma.kubernetes.models import Cluster, ClusterAdministrator
from platforma.kubernetes.onboarding import examine, publish_sealing_key, record, take_due
from platforma.kubernetes.sealing import administrator_owner
from tests.api_client import Json, Member, a, b, catalogue, client
from tests.database.server import TestDatabase
from tests.operations.conftest import _logs, stage
from tests.operations.stage import Stage

__all__ = ["_logs", "a", "b", "catalogue", "client", "stage"]


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A database for this test alone."""
    return fresh_database


@dataclass
class Connected:
    """A cluster that an operator has connected."""

    id: UUID
    name: str
    fake: FakeCluster
    stage: Stage

    async def examine(self) -> bool:
        """Let a provisioner examine it, which must be due; say whether the result was recorded."""
        examinee = await take_due(self.stage.databases.provisioner)
        assert examinee is not None
        assert examinee.id == self.id
        verdict = examine(examinee, self.stage.access)
        return await record(self.stage.databases.provisioner, self.stage.access, examinee, verdict)

    async def row(self) -> Json:
        """Return its row."""
        return await self.stage.row("SELECT * FROM clusters WHERE id = %s", self.id)

    async def make_due(self) -> None:
        """Let the time of its next examination come."""
        await self.stage.databases.administrator.execute(
            b"UPDATE clusters SET check_due_at = now() - interval '1 second' WHERE id = %s", (self.id,)
        )


async def connect(stage: Stage, operator: Database, name: str) -> Connected:
    """Connect a cluster as an operator does."""
    await publish_sealing_key(stage.databases.provisioner, stage.access)
    server = f"https://{name}.test"
    text = EXAMPLE_KUBECONFIG.replace("https://cluster.example:6443", server)
    text = text.replace("not-one", FakeCluster.administrator_token)
    cluster_id = new_id()
    async with operator.platform() as session:
        session.add(Cluster(id=cluster_id, name=name, server=server))
        await session.flush()
        sealed = seal_to(stage.keys.public_key, text.encode(), owner=administrator_owner(cluster_id))
        session.add(ClusterAdministrator(cluster_id=cluster_id, sealed=sealed))
    return Connected(cluster_id, name, stage.clusters.add(server), stage)


@pytest.fixture
async def connected(stage: Stage, operator_database: Database) -> Connected:
    """A cluster that has been connected, and not examined yet."""
    return await connect(stage, operator_database, "main")


@pytest.fixture
async def cluster(connected: Connected) -> Connected:
    """A cluster that is ready."""
    assert await connected.examine()
    return connected


async def make_namespace(member: Member, name: str = "web", **body: object) -> Json:
    """Make a namespace."""
    return await member.make("/namespaces", name=name, **body)
