"""The attacks of `platforma verify` with a member's kubectl: what they say of a fit cluster, and of ones with holes."""

import json
from typing import Any

import pytest

from devcloud.kubernetes.testing import RunningCluster
from platforma.clouds.kubernetes.admission import NETWORK_POLICIES
from platforma.clouds.kubernetes.api import ADMISSION, RBAC
from platforma.clouds.kubernetes.attacks import network_policy, of
from platforma.clouds.kubernetes.credentials import render_kubeconfig
from platforma.clouds.kubernetes.labels import ACCESS_NAMESPACE, access_name
from platforma.kit.probes import Observation, Outcome, Party, Reply, Scene
from platforma.kubernetes.probes import PROBES
from tests.clouds.kubernetes.conftest import QUICK
from tests.clouds.kubernetes.stage import ClusterStage, Side, eventually, is_refused


class _Party:
    """A tenant of the stage, behind as much of Platforma's API as the attacks ask."""

    def __init__(self, side: Side, *, is_revoking: bool = True) -> None:
        self.host, self.mark, self.token, self.cookie, self.colleague = "portal.example", "mark", "", "", None
        self.ids = {
            "namespace_id": str(side.spec.id),
            "kubeconfig_id": str(side.kubeconfig_id),
            "cluster_id": str(side.spec.id),
        }
        self._side = side
        self._is_revoking = is_revoking

    async def ask(self, method: str, target: str, **_sent: Any) -> Reply:
        side = self._side
        status = 200
        answer: dict[str, Any] = {}
        match method, target.removeprefix("/api/v1/").split("/"):
            case "GET", ["namespaces", _]:
                answer = {"cloud_id": side.namespace}
            case "GET", ["me"]:
                answer = {"tenant": {"id": str(side.tenant_id)}}
            case "POST", ["kubeconfigs"]:
                status, answer = 202, {"key": "key"}
            case "POST", ["kubeconfigs", _, "collect"]:
                issued = side.cluster.issue_kubeconfig(side.kubeconfig_id, lifetime_seconds=3600)
                answer = {"kubeconfig": render_kubeconfig(issued, {"web": side.namespace}, cluster_name="it")}
            case "DELETE", ["kubeconfigs", _]:
                if self._is_revoking:
                    side.cluster.revoke_kubeconfig(side.kubeconfig_id)
        return Reply(status, (), json.dumps(answer).encode(), 0.0)

    async def sign_in(self) -> str:
        return ""

    async def settle(self, answer: Reply) -> str | None:
        return str(self._side.kubeconfig_id)


@pytest.fixture
def stage(stand_in: RunningCluster) -> ClusterStage:
    """A cluster with two tenants that a test may spoil."""
    return ClusterStage(stand_in.kubeconfig, QUICK)


async def _attack(a: Party, b: Party) -> list[Observation]:
    (probe,) = PROBES
    return [seen async for seen in probe.attack(Scene(a, b, "other.example"))]


def _subjects(observations: list[Observation], outcome: Outcome) -> list[str]:
    return [seen.subject for seen in observations if seen.outcome is outcome]


async def test_a_fit_cluster_holds(stage: ClusterStage) -> None:
    seen = await _attack(_Party(stage.a), _Party(stage.b))
    assert [each for each in seen if each.outcome is not Outcome.HELD] == []
    assert {each.subject[:3] for each in seen} == {"K01", "K02", "K03", "K04", "K05", "K08", "K09"}


async def test_a_missing_admission_policy_is_told(stage: ClusterStage) -> None:
    for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
        stage.administrator.delete(of(ADMISSION, kind, None, NETWORK_POLICIES.name))
    open_policy = network_policy(stage.a.namespace, ingress=[{}])
    eventually(lambda: not is_refused(lambda: stage.a.member.create(open_policy, is_dry_run=True)))  # it takes a moment
    bypassed = _subjects(await _attack(_Party(stage.a), _Party(stage.b)), Outcome.BYPASSED)
    assert "K02 ingress: another tenant" in bypassed
    assert "K02 egress: everywhere" in bypassed
    assert not [subject for subject in bypassed if subject.startswith(("K03", "K04", "K05"))]


async def test_a_right_too_many_is_told(stage: ClusterStage) -> None:
    """Somebody has let A's service account read in all namespaces."""
    account = {"kind": "ServiceAccount", "name": access_name(stage.a.kubeconfig_id), "namespace": ACCESS_NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    stage.administrator.create(of(RBAC, "ClusterRoleBinding", None, "too-much", subjects=[account], roleRef=role))
    bypassed = _subjects(await _attack(_Party(stage.a), _Party(stage.b)), Outcome.BYPASSED)
    assert f"K05 Secret in {stage.b.namespace}" in bypassed
    assert "K05 Nodes of the cluster" in bypassed


async def test_a_token_that_outlives_its_kubeconfig_is_told(stage: ClusterStage) -> None:
    seen = await _attack(_Party(stage.a, is_revoking=False), _Party(stage.b))
    assert _subjects(seen, Outcome.BYPASSED) == ["K05 a revoked kubeconfig"]


async def test_an_outage_proves_nothing(stage: ClusterStage, stand_in: RunningCluster) -> None:
    for method, path in (("POST", f"/namespaces/{stage.a.namespace}/"), ("GET", "/(networkpolicies|pods)")):
        stand_in.faults.inject(method, path, times=None, status=503)
    seen = await _attack(_Party(stage.a), _Party(stage.b))
    assert [each.subject for each in seen if each.outcome is not Outcome.NOT_PROVEN] == ["K08 a namespace"]
    assert "the cluster" in [each.subject for each in seen]


async def test_without_a_namespace_nothing_is_proven(stage: ClusterStage) -> None:
    b = _Party(stage.b)
    del b.ids["namespace_id"]
    (seen,) = await _attack(_Party(stage.a), b)
    assert seen.outcome is Outcome.NOT_PROVEN
