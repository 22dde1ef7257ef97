"""What changes behind Platforma's back is seen, and mended; and while a cluster fails, nothing is lost or half done."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings

from devcloud.kubernetes.network import Network
from devcloud.kubernetes.testing import RunningCluster, running_cluster
from platforma.clouds.errors import (
    CloudAnswerInvalid,
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudThrottled,
    CloudUnavailable,
)
from platforma.clouds.kubernetes import NetworkVerdict
from platforma.clouds.kubernetes.api import ADMISSION, CORE, NETWORKING, RBAC, Api
from platforma.clouds.kubernetes.attacks import network_policy, of
from platforma.clouds.kubernetes.labels import TENANT
from platforma.clouds.kubernetes.observation import opens_beyond
from platforma.clouds.kubernetes.packets import Patience
from platforma.clouds.kubernetes.pool import ClusterPool
from tests.clouds.kubernetes.conftest import QUICK
from tests.clouds.kubernetes.judging import OWN
from tests.clouds.kubernetes.stage import ClusterStage, Manifest, Side, eventually
from tests.clouds.kubernetes.test_admission_of_network_policies import (
    INSIDE,
    any_peers,
    inside_policies,
    policies,
    reached,
)

Policy = Manifest


@pytest.fixture(scope="module")
def unguarded() -> Iterator[ClusterStage]:
    """A cluster whose admission policies somebody has taken out of force: a layer that is gone."""
    with running_cluster(network=Network()) as running:
        stage = ClusterStage(running.kubeconfig, QUICK)
        for each in stage.administrator.list_objects(ADMISSION, "ValidatingAdmissionPolicyBinding"):
            stage.administrator.delete(each | {"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicyBinding"})
        eventually(partial(_is_unguarded, stage))
        yield stage


def _is_unguarded(stage: ClusterStage) -> bool:
    try:
        stage.administrator.create(of("v1", "ResourceQuota", stage.a.namespace, spec={"hard": {}}), is_dry_run=True)
    except CloudError:
        return False
    return True


def _get(stage: ClusterStage, version: str, kind: str, name: str) -> Manifest:
    return stage.administrator.get(version, kind, name, stage.a.namespace)


def _change(version: str, kind: str, name: str, change: Callable[[Manifest], Any]) -> Callable[[ClusterStage], Any]:
    def act(stage: ClusterStage) -> None:
        found = _get(stage, version, kind, name)
        change(found)
        stage.administrator.replace(found)

    return act


def _delete(version: str, kind: str, name: str) -> Callable[[ClusterStage], Any]:
    return lambda stage: stage.administrator.delete(_get(stage, version, kind, name))


def _create(make: Callable[[str], Manifest]) -> Callable[[ClusterStage], Any]:
    return lambda stage: stage.administrator.create(make(stage.a.namespace))


_ADMINISTRATOR = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
_EVERYBODY = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}]

DRIFT: dict[str, Callable[[ClusterStage], Any]] = {
    "the policy is deleted": _delete(NETWORKING, "NetworkPolicy", "platforma-default"),
    "the policy chooses nothing": _change(
        NETWORKING,
        "NetworkPolicy",
        "platforma-default",
        lambda found: found["spec"].update(podSelector={"matchLabels": {"app": "nothing"}}),
    ),
    "the policy lets everybody in": _change(
        NETWORKING, "NetworkPolicy", "platforma-default", lambda found: found["spec"]["ingress"].append({})
    ),
    "the policy no longer closes egress": _change(
        NETWORKING, "NetworkPolicy", "platforma-default", lambda found: found["spec"].update(policyTypes=["Ingress"])
    ),
    "another policy opens everything": _create(lambda namespace: network_policy(namespace, ingress=[{}])),
    "another policy lets out": _create(
        lambda namespace: network_policy(namespace, egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}])
    ),
    "the quota is raised": _change(
        CORE, "ResourceQuota", "platforma-quota", lambda found: found["spec"]["hard"].update(pods="1000")
    ),
    "the quota forgets node ports": _change(
        CORE, "ResourceQuota", "platforma-quota", lambda found: found["spec"]["hard"].pop("services.nodeports")
    ),
    "the limits are deleted": _delete(CORE, "LimitRange", "platforma-limits"),
    "pods get a token": _change(
        CORE, "ServiceAccount", "default", lambda found: found.update(automountServiceAccountToken=True)
    ),
    "somebody is let in": _create(
        lambda namespace: of(f"{RBAC}", "RoleBinding", namespace, roleRef=_ADMINISTRATOR, subjects=_EVERYBODY)
    ),
    "a kubeconfig's binding lets others in": lambda stage: _change(
        RBAC,
        "RoleBinding",
        f"platforma-{stage.a.kubeconfig_id}",
        lambda found: found["subjects"].extend(_EVERYBODY),
    )(stage),
    "a kubeconfig's binding is gone": lambda stage: _delete(RBAC, "RoleBinding", f"platforma-{stage.a.kubeconfig_id}")(
        stage
    ),
    "the worker is shut out": _delete(RBAC, "RoleBinding", "platforma-worker"),
    "pod security is lowered": lambda stage: _relabel(stage, "pod-security.kubernetes.io/enforce", "privileged"),
    "hosts are claimed": lambda stage: _annotate(stage, "platforma.internal/hosts", "^.*$"),
}


def _relabel(stage: ClusterStage, label: str, value: str) -> None:
    found = stage.administrator.get(CORE, "Namespace", stage.a.namespace)
    found["metadata"]["labels"][label] = value
    stage.administrator.replace(found)


def _annotate(stage: ClusterStage, name: str, value: str) -> None:
    found = stage.administrator.get(CORE, "Namespace", stage.a.namespace)
    found["metadata"]["annotations"][name] = value
    stage.administrator.replace(found)


@pytest.mark.parametrize("name", DRIFT)
def test_drift_is_seen_and_mended(unguarded: ClusterStage, name: str) -> None:
    """K01, N09: with every admission policy gone, what they would have refused is found and taken back."""
    a = unguarded.a
    assert a.cluster.observe_namespace(a.spec).drift == ()
    DRIFT[name](unguarded)
    assert a.cluster.observe_namespace(a.spec).drift
    assert a.cluster.ensure_namespace(a.spec).was_written
    assert a.cluster.observe_namespace(a.spec).drift == ()
    assert not a.cluster.ensure_namespace(a.spec).was_written


def test_ways_past_policies_are_reported(unguarded: ClusterStage) -> None:
    port = {"port": 80, "protocol": "TCP", "targetPort": 80}
    services = [{"type": "ExternalName", "externalName": "b.example"}, {"externalIPs": ["192.0.2.1"], "ports": [port]}]
    rule = {"host": "others.example.com"}
    made = [
        *(of("v1", "Service", unguarded.a.namespace, f"way-{n}", spec=spec) for n, spec in enumerate(services)),
        of(NETWORKING, "Ingress", unguarded.a.namespace, spec={"rules": [rule]}),
    ]
    for each in made:
        unguarded.administrator.create(each)
    drift = unguarded.a.cluster.observe_namespace(unguarded.a.spec).drift
    for each in made:
        unguarded.administrator.delete(each)
    assert len(drift) == 3


def test_a_namespace_that_lost_its_label_belongs_to_nobody(unguarded: ClusterStage) -> None:
    """K08: it is not taken back by guess, and the other tenant does not get it either."""
    side = unguarded.new_side()
    found = unguarded.administrator.get(CORE, "Namespace", side.namespace)
    kept = dict(found["metadata"]["labels"])
    del found["metadata"]["labels"][TENANT]
    unguarded.administrator.replace(found)
    for cluster in (side.cluster, unguarded.b.cluster):
        with pytest.raises(CloudError):
            cluster.ensure_namespace(replace(side.spec, tenant_id=cluster.tenant_id))
    found = unguarded.administrator.get(CORE, "Namespace", side.namespace)
    found["metadata"]["labels"] = kept
    unguarded.administrator.replace(found)


def test_installing_puts_the_policies_back_in_force(stand_in: RunningCluster) -> None:
    stage = ClusterStage(stand_in.kubeconfig, QUICK)
    stage.administrator.delete(of(ADMISSION, "ValidatingAdmissionPolicyBinding", None, "platforma-network-policies"))
    eventually(lambda: not stage.administration.examine(stage.options).is_fit)
    found = [each for each in stage.administration.examine(stage.options).findings if not each.is_good]
    assert "platforma-network-policies" in found[0].message
    assert stage.administration.install(stage.options)
    assert stage.administration.examine(stage.options).is_fit


@settings(max_examples=400, deadline=None)
@given(policies(any_peers))
def test_what_opens_beyond_the_tenant_is_known(policy: Policy) -> None:
    if reached(policy) - INSIDE:
        assert opens_beyond(policy, OWN)


@settings(max_examples=400, deadline=None)
@given(inside_policies)
def test_what_stays_inside_is_left_alone(policy: Policy) -> None:
    assert not opens_beyond(policy, OWN)


def test_a_network_that_ignores_policies_is_found_out() -> None:
    """K12."""
    with running_cluster(network=Network(is_enforcing=False)) as running:
        stage = ClusterStage(running.kubeconfig, Patience(5.0, 1.0, 0.02))
        examination = stage.administration.examine(stage.options)
    assert examination.network is NetworkVerdict.NOT_ENFORCED
    assert [each.subject for each in examination.findings if not each.is_good] == ["network policies"]


def test_a_network_without_pods_proves_nothing() -> None:
    with running_cluster() as running:
        stage = ClusterStage(running.kubeconfig, Patience(0.5, 0.5, 0.02))
        examination = stage.administration.examine(stage.options)
    assert examination.network is NetworkVerdict.UNPROVEN
    assert not examination.is_fit


def test_an_old_cluster_is_told_apart(stand_in: RunningCluster) -> None:
    old = {"gitVersion": "v1.29.9", "major": "1", "minor": "29"}
    stage = ClusterStage(stand_in.kubeconfig, QUICK)
    stand_in.faults.inject("GET", "^/version$", status=200, body=json.dumps(old).encode())
    examination = stage.administration.examine(stage.options)
    assert not examination.is_fit
    assert "1.30 or newer" in examination.findings[0].message


def test_type_errors_in_policies_are_found(stand_in: RunningCluster) -> None:
    stage = ClusterStage(stand_in.kubeconfig, QUICK)
    found = stage.administrator.get(ADMISSION, "ValidatingAdmissionPolicy", "platforma-services")
    found["spec"]["validations"][0]["expression"] = "!has(object.spec.nodePorts)"
    stage.administrator.replace(found)
    eventually(lambda: not stage.administration.examine(stage.options).is_fit)
    findings = stage.administration.examine(stage.options).findings
    assert "nodePorts" in next(each.message for each in findings if each.subject == "admission types")


@contextmanager
def _failing(running: RunningCluster, method: str, path: str, **how: Any) -> Iterator[None]:
    running.faults.inject(method, path, **how)
    try:
        yield
    finally:
        running.faults.mend()


FAULTS: dict[str, tuple[dict[str, Any], type[CloudError]]] = {
    "away": ({"status": None}, CloudUnavailable),
    "broken": ({"status": 500}, CloudUnavailable),
    "overloaded": ({"status": 503, "headers": {"Retry-After": "7"}}, CloudUnavailable),
    "throttling": ({"status": 429, "headers": {"Retry-After": "7"}}, CloudThrottled),
    "conflicting": ({"status": 409}, CloudConflict),
    "forgetful": ({"status": 401}, CloudCredentialInvalid),
    "raving": ({"status": 200, "body": b"<html>"}, CloudAnswerInvalid),
    "empty": ({"status": 200, "body": b"{}"}, CloudError),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("path", ["/networkpolicies", "/resourcequotas", "/namespaces"])
def test_whatever_fails_is_told_and_nothing_is_lost(stand_in: RunningCluster, name: str, path: str) -> None:
    stage = ClusterStage(stand_in.kubeconfig, QUICK)
    how, error = FAULTS[name]
    changed = replace(stage.a.spec, quota=replace(stage.a.spec.quota, pods=7))
    with _failing(stand_in, "*", path, times=1, **how), pytest.raises(CloudError) as caught:
        stage.a.cluster.ensure_namespace(changed)
    assert isinstance(caught.value, error)
    if "headers" in how:
        assert caught.value.retry_after == 7
    stage.a.cluster.ensure_namespace(changed)
    assert stage.a.cluster.observe_namespace(changed).drift == ()


def test_a_lost_answer_is_no_second_namespace(stand_in: RunningCluster) -> None:
    stage = ClusterStage(stand_in.kubeconfig, QUICK)
    side = stage.a
    for path in ("/networkpolicies/", "/resourcequotas/", "/rolebindings/"):
        spec = replace(side.spec, quota=replace(side.spec.quota, pods=7))
        with _failing(stand_in, "PATCH", path, times=1, status=503, is_after=True), suppress(CloudUnavailable):
            side.cluster.ensure_namespace(spec)
        side.cluster.ensure_namespace(spec)
        assert side.cluster.observe_namespace(spec).drift == ()
        side.cluster.ensure_namespace(side.spec)
    assert len(side.cluster.list_namespaces()) == 1


def test_a_cluster_that_does_not_answer_is_given_up(stand_in: RunningCluster) -> None:
    stage = ClusterStage(stand_in.kubeconfig, QUICK)
    tenant = ClusterPool(timeout_seconds=0.3).open_tenant(stage.worker_credential, stage.a.tenant_id)
    with _failing(stand_in, "GET", "/namespaces", times=None, seconds=2.0), pytest.raises(CloudUnavailable):
        tenant.list_namespaces()


def test_errors_say_nothing_of_addresses_and_accounts(cluster_stage: ClusterStage) -> None:
    side: Side = cluster_stage.a
    with pytest.raises(CloudError) as caught:
        side.member.list_objects(CORE, "Secret", namespace=cluster_stage.b.namespace)
    assert "system:serviceaccount" not in str(caught.value)
    assert "https" not in str(caught.value)


def test_connections_close_with_their_owner(stand_in: RunningCluster) -> None:
    stage = ClusterStage(stand_in.kubeconfig, QUICK)
    api = Api(stage.worker_credential, 5)
    assert api.version().startswith("v1.")
    api.close()
    with pytest.raises(CloudError):
        api.list_objects(CORE, "Namespace")
