"""The whole way on something that behaves as a cluster: connected, a namespace made, a kubeconfig used and revoked."""

from collections.abc import Iterator
from uuid import UUID

import pytest
import yaml

from devcloud.kubernetes.network import Network
from devcloud.kubernetes.testing import RunningCluster, running_cluster
from platforma.clouds.errors import CloudCredentialInvalid, CloudRefused
from platforma.clouds.kubernetes import ClusterCredential, namespace_name
from platforma.clouds.kubernetes.api import CORE, NETWORKING, Api
from platforma.clouds.kubernetes.packets import Patience
from platforma.clouds.kubernetes.pool import ClusterPool
from platforma.database.database import Database
from platforma.kit.crypto import seal_to
from platforma.kit.ids import new_id
from platforma.kubernetes.models import Cluster, ClusterAdministrator
from platforma.kubernetes.onboarding import examine, publish_sealing_key, record, take_due
from platforma.kubernetes.sealing import administrator_owner
from platforma.operations.cloud_access import CloudAccess
from tests.api_client import Member
from tests.kubernetes.conftest import make_namespace
from tests.kubernetes.test_kubeconfigs import ask, collect
from tests.operations.stage import Stage

QUICK = Patience(starting_seconds=10.0, changing_seconds=5.0, poll_seconds=0.02)


@pytest.fixture
def running() -> Iterator[RunningCluster]:
    """A stand-in of this test's own."""
    with running_cluster(network=Network()) as cluster:
        yield cluster


@pytest.fixture
async def real_cluster(stage: Stage, operator_database: Database, running: RunningCluster) -> UUID:
    """The stand-in, connected by an operator and examined by a provisioner, with the real client."""
    stage.real_access = CloudAccess(
        stage.cloud, stage.cloud.settings, stage.keys, stage.cloud.administrator, ClusterPool(patience=QUICK)
    )
    await publish_sealing_key(stage.databases.provisioner, stage.access)
    cluster_id = new_id()
    async with operator_database.platform() as session:
        session.add(Cluster(id=cluster_id, name="main", server=running.server))
        await session.flush()
        sealed = seal_to(stage.keys.public_key, running.kubeconfig.encode(), owner=administrator_owner(cluster_id))
        session.add(ClusterAdministrator(cluster_id=cluster_id, sealed=sealed))
    examinee = await take_due(stage.databases.provisioner)
    assert examinee is not None
    assert await record(stage.databases.provisioner, stage.access, examinee, examine(examinee, stage.access))
    row = await stage.row("SELECT * FROM clusters")
    assert (row["status"], row["is_simulated"]) == ("ready", True), row["status_reason"]
    return cluster_id


def opened(document: dict[str, object]) -> Api:
    """Return the cluster as the bearer of a kubeconfig sees it."""
    return Api(ClusterCredential.from_kubeconfig(yaml.safe_dump(document)), 10)


@pytest.mark.usefixtures("real_cluster")
async def test_two_tenants_in_one_cluster(a: Member, b: Member, running: RunningCluster) -> None:
    made = {member.tenant_id: await make_namespace(member) for member in (a, b)}
    of_a, of_b = (namespace_name(UUID(made[each.tenant_id]["id"])) for each in (a, b))
    assert {of_a, of_b} <= {each["metadata"]["name"] for each in _namespaces(running)}

    asked, key = await ask(a)
    assert await a.settle() == []
    member = opened(await collect(a, asked, key))
    assert member.list_objects(CORE, "Pod", namespace=of_a) == []
    for act in (
        lambda: member.list_objects(CORE, "Pod", namespace=of_b),
        lambda: member.delete({"apiVersion": NETWORKING, "kind": "NetworkPolicy", "metadata": _default(of_a)}),
    ):
        with pytest.raises(CloudRefused):
            act()

    await a.wish("POST", f"/namespaces/{made[a.tenant_id]['id']}/read")
    assert await a.settle() == []
    seen = await a.get(f"/namespaces/{made[a.tenant_id]['id']}")
    assert seen["status"] == "active"

    await a.wish("DELETE", f"/kubeconfigs/{asked['id']}")
    assert await a.settle() == []
    with pytest.raises((CloudRefused, CloudCredentialInvalid)):
        member.list_objects(CORE, "Pod", namespace=of_a)

    await a.wish("DELETE", f"/namespaces/{made[a.tenant_id]['id']}")
    assert await a.settle() == []
    assert of_a not in {each["metadata"]["name"] for each in _namespaces(running)}
    assert of_b in {each["metadata"]["name"] for each in _namespaces(running)}


@pytest.mark.usefixtures("real_cluster")
async def test_an_opening_is_a_policy_of_the_cluster(a: Member, running: RunningCluster) -> None:
    target, source = await make_namespace(a, "target"), await make_namespace(a, "source")
    body = {"from_namespace_id": source["id"], "protocol": "TCP", "port": 5432}
    await a.wish("POST", f"/namespaces/{target['id']}/openings", body)
    assert await a.settle() == []
    api = Api(ClusterCredential.from_kubeconfig(running.kubeconfig), 10)
    policies = api.list_objects(NETWORKING, "NetworkPolicy", namespace=namespace_name(UUID(target["id"])))
    (rule,) = next(each for each in policies if "open" in each["metadata"]["name"])["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 5432, "endPort": 5432}]
    labels = rule["from"][0]["namespaceSelector"]["matchLabels"]
    assert set(labels.values()) == {str(a.tenant_id), source["id"]}


def _namespaces(running: RunningCluster) -> list[dict[str, dict[str, str]]]:
    return Api(ClusterCredential.from_kubeconfig(running.kubeconfig), 10).list_objects(CORE, "Namespace")


def _default(namespace: str) -> dict[str, str]:
    return {"name": "platforma-default", "namespace": namespace}
