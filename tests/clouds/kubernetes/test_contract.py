"""What every cluster has to do for Platforma, tried on the stand-in and, by `make test-kubernetes`, on a real one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest

from platforma.clouds.errors import (
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudForeignObject,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRefused,
)
from platforma.clouds.kubernetes import ClusterCredential, NetworkVerdict, namespace_name
from platforma.clouds.kubernetes.api import ADMISSION, CORE, NETWORKING, RBAC, Api, Manifest
from platforma.clouds.kubernetes.attacks import network_policy, of, pod
from platforma.clouds.kubernetes.labels import ACCESS_NAMESPACE, MANAGED, SYSTEM_NAMESPACE, TENANT, access_name
from platforma.clouds.kubernetes.packets import Pods
from tests.clouds.kubernetes.stage import (
    ClusterStage,
    Side,
    eventually,
    is_refused,
    opening,
)

pytestmark = pytest.mark.xdist_group("kubernetes-contract")

_KINDS = (
    (CORE, "ResourceQuota"),
    (CORE, "LimitRange"),
    (CORE, "ServiceAccount"),
    (RBAC, "Role"),
    (RBAC, "RoleBinding"),
    (NETWORKING, "NetworkPolicy"),
)


def test_installing_again_writes_nothing(cluster_stage: ClusterStage) -> None:
    assert not cluster_stage.administration.install(cluster_stage.options)


def test_a_fit_cluster_is_found_fit(cluster_stage: ClusterStage) -> None:
    examination = cluster_stage.administration.examine(cluster_stage.options)
    assert examination.is_fit, examination.findings
    expected = NetworkVerdict.SIMULATED if examination.is_simulated else NetworkVerdict.ENFORCED
    assert examination.network is expected
    assert examination.addresses.nodes


def test_a_namespace_has_what_it_needs_and_nothing_else(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.a
    found = {
        f"{kind}/{each['metadata']['name']}"
        for version, kind in _KINDS
        for each in cluster_stage.administrator.list_objects(version, kind, namespace=side.namespace)
    }
    assert found == {
        "ResourceQuota/platforma-quota",
        "LimitRange/platforma-limits",
        "ServiceAccount/default",
        "RoleBinding/platforma-worker",
        f"RoleBinding/{access_name(side.kubeconfig_id)}",
        "NetworkPolicy/platforma-default",
    }
    namespace = cluster_stage.administrator.get(CORE, "Namespace", side.namespace)
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels[TENANT] == str(side.tenant_id)


def test_a_name_tells_nothing_of_tenant_or_member(cluster_stage: ClusterStage) -> None:
    spec = cluster_stage.a.spec
    assert cluster_stage.a.namespace == f"platforma-{spec.id}"


def test_having_a_namespace_again_writes_nothing(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.a
    assert not side.cluster.ensure_namespace(side.spec).was_written
    assert side.cluster.observe_namespace(side.spec).drift == ()


def test_two_workers_at_once_make_one_namespace(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.a
    spec = replace(side.spec, id=uuid4())
    with ThreadPoolExecutor(4) as executor:
        results = [executor.submit(side.cluster.ensure_namespace, spec) for _ in range(4)]
    for result in results:
        error = result.exception()
        assert error is None or isinstance(error, CloudConflict), error
    assert not side.cluster.ensure_namespace(spec).was_written
    side.cluster.delete_namespace(spec.id)


def test_a_changed_quota_and_openings_are_followed(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.new_side()
    other = cluster_stage.new_namespace(side.cluster)
    opened = replace(side.spec, openings=(opening(other),), quota=replace(side.spec.quota, pods=3))
    assert side.cluster.observe_namespace(opened).drift
    assert side.cluster.ensure_namespace(opened).was_written
    policies = cluster_stage.administrator.list_objects(NETWORKING, "NetworkPolicy", namespace=side.namespace)
    assert len(policies) == 2
    assert side.cluster.ensure_namespace(side.spec).was_written
    policies = cluster_stage.administrator.list_objects(NETWORKING, "NetworkPolicy", namespace=side.namespace)
    assert [each["metadata"]["name"] for each in policies] == ["platforma-default"]


def test_another_tenants_namespace_does_not_exist(cluster_stage: ClusterStage) -> None:
    a, b = cluster_stage.a, cluster_stage.b
    foreign = replace(b.spec, tenant_id=a.tenant_id)
    for act in (
        lambda: a.cluster.ensure_namespace(foreign),
        lambda: a.cluster.observe_namespace(foreign),
        lambda: a.cluster.delete_namespace(b.spec.id),
        lambda: a.cluster.list_workloads(b.spec.id),
        lambda: a.cluster.list_events(b.spec.id),
        lambda: a.cluster.quota_use(b.spec.id),
        lambda: a.cluster.issue_kubeconfig(b.kubeconfig_id, lifetime_seconds=600),
        lambda: a.cluster.revoke_kubeconfig(b.kubeconfig_id),
    ):
        with pytest.raises(CloudForeignObject):
            act()
    with pytest.raises(ValueError, match="another tenant"):
        a.cluster.ensure_namespace(b.spec)
    assert [each.tenant_id for each in a.cluster.list_namespaces()].count(b.tenant_id) == 0
    assert b.kubeconfig_id not in a.cluster.list_kubeconfigs()
    assert b.cluster.observe_namespace(b.spec).drift == ()


def test_what_never_was_is_not_found(cluster_stage: ClusterStage) -> None:
    a = cluster_stage.a
    assert a.cluster.observe_namespace(replace(a.spec, id=uuid4())).state == "absent"
    assert a.cluster.delete_namespace(uuid4())
    assert not a.cluster.revoke_kubeconfig(uuid4())
    with pytest.raises(CloudNotFound):
        a.cluster.list_workloads(uuid4())


def test_a_namespace_ends_with_all_that_is_in_it(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.new_side()
    side.member.create(of("v1", "ConfigMap", side.namespace, data={"key": "value"}))
    assert not side.cluster.delete_namespace(side.spec.id)
    eventually(lambda: side.cluster.delete_namespace(side.spec.id))
    assert side.cluster.observe_namespace(side.spec).state == "absent"
    assert side.cluster.ensure_namespace(side.spec).was_written
    assert cluster_stage.administrator.find(CORE, "ConfigMap", "mine", side.namespace) is None


def test_the_sweep_sees_every_tenants_namespaces(cluster_stage: ClusterStage) -> None:
    found = {each.namespace_id: each.tenant_id for each in cluster_stage.administration.list_namespaces()}
    for side in (cluster_stage.a, cluster_stage.b):
        assert found[side.spec.id] == side.tenant_id


def test_members_see_workloads_events_and_use(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.new_side()
    side.member.create(pod(side.namespace))
    selector = {"matchLabels": {"app": "web"}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod(side.namespace)["spec"]}
    spec = {"replicas": 2, "selector": selector, "template": template}
    side.member.create(of("apps/v1", "Deployment", side.namespace, "web", spec=spec))
    found = {each.kind: each for each in side.cluster.list_workloads(side.spec.id)}
    assert (found["Deployment"].name, found["Deployment"].desired) == ("web", 2)
    assert found["Pod"].images == ("registry.k8s.io/pause:3.10",)
    eventually(lambda: side.cluster.quota_use(side.spec.id).pods >= 1)
    assert isinstance(side.cluster.list_events(side.spec.id, limit=5), list)


def test_a_quota_that_is_used_up_is_told_as_such(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.new_side(quota=replace(cluster_stage.a.spec.quota, pods=1))
    eventually(lambda: _has_status(cluster_stage, side))
    side.member.create(pod(side.namespace, "first"))
    with pytest.raises(CloudQuotaExceeded, match="exceeded quota"):
        side.member.create(pod(side.namespace, "second"))


def test_a_kubeconfig_leads_to_the_tenants_namespaces_also_to_later_ones(cluster_stage: ClusterStage) -> None:
    a, b = cluster_stage.a, cluster_stage.b
    later = cluster_stage.new_namespace(a.cluster)
    for namespace in (a.namespace, namespace_name(later.id)):
        eventually(partial(_may_list, a.member, namespace))
    for refused in (
        lambda: _list_pods(a.member, b.namespace),
        lambda: a.member.get(CORE, "Namespace", b.namespace),
        lambda: a.member.list_objects(CORE, "Namespace"),
        lambda: a.member.list_objects(CORE, "Secret"),
        lambda: a.member.get(CORE, "ServiceAccount", "platforma-worker", SYSTEM_NAMESPACE),
        lambda: a.member.list_objects(CORE, "ServiceAccount", namespace=ACCESS_NAMESPACE),
        lambda: a.member.create(of("v1", "ConfigMap", b.namespace)),
        lambda: a.member.request_token(ACCESS_NAMESPACE, access_name(b.kubeconfig_id), seconds=600),
        lambda: a.member.request_token(a.namespace, "default", seconds=600),
    ):
        with pytest.raises(CloudRefused):
            refused()


def test_a_kubeconfig_ends_when_it_says(cluster_stage: ClusterStage) -> None:
    issued = cluster_stage.a.cluster.issue_kubeconfig(cluster_stage.a.kubeconfig_id, lifetime_seconds=3600)
    assert timedelta(minutes=5) < issued.expires_at - datetime.now(UTC) < timedelta(hours=2)


def test_a_revoked_kubeconfig_is_worthless(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.new_side()
    assert _list_pods(side.member, side.namespace) == []
    assert side.cluster.revoke_kubeconfig(side.kubeconfig_id)
    eventually(lambda: _is_shut_out(side.member, side.namespace), seconds=5)
    assert side.cluster.list_kubeconfigs() == []
    eventually(lambda: _is_unknown(side.member, side.namespace))
    assert not side.cluster.ensure_namespace(side.spec).was_written


def test_revoked_worker_credentials_are_worthless(cluster_stage: ClusterStage) -> None:
    old = Api(cluster_stage.administration.issue_worker_credential(lifetime_seconds=600), 20)
    assert old.find(CORE, "Namespace", cluster_stage.a.namespace) is not None
    cluster_stage.administration.revoke_worker_credentials()
    eventually(lambda: _is_unknown(old, None))
    assert cluster_stage.administration.install(cluster_stage.options)
    cluster_stage.worker_credential = cluster_stage.administration.issue_worker_credential(lifetime_seconds=3600)
    cluster_stage.worker = Api(cluster_stage.worker_credential, 20)
    for side in (cluster_stage.a, cluster_stage.b):
        side.cluster = cluster_stage.pool.open_tenant(cluster_stage.worker_credential, side.tenant_id)
        assert not side.cluster.ensure_namespace(side.spec).was_written


def test_a_wrong_token_is_told_as_such(cluster_stage: ClusterStage) -> None:
    own = cluster_stage.worker_credential
    stranger = ClusterCredential(own.server, own.certificate_authority, token="nobodys")
    with pytest.raises(CloudCredentialInvalid):
        cluster_stage.pool.open_tenant(stranger, uuid4()).list_namespaces()


def test_the_worker_can_touch_nothing_but_tenants_namespaces(cluster_stage: ClusterStage) -> None:
    worker, a = cluster_stage.worker, cluster_stage.a
    labels = {TENANT: str(a.tenant_id), MANAGED: "true", "platforma.internal/namespace": str(uuid4())}
    default = cluster_stage.administrator.get(CORE, "Namespace", "default")
    claimed = default | {"metadata": default["metadata"] | {"labels": default["metadata"]["labels"] | labels}}
    own = cluster_stage.administrator.get(CORE, "Namespace", a.namespace)
    moved = own | {"metadata": own["metadata"] | {"labels": own["metadata"]["labels"] | {TENANT: str(uuid4())}}}
    cluster_admin = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": "platforma-worker", "namespace": SYSTEM_NAMESPACE}
    escalation = of(RBAC, "RoleBinding", a.namespace, "mine", roleRef=cluster_admin, subjects=[subject])
    worker_role = {**cluster_admin, "name": "platforma-worker-namespace"}
    into_kube_system = of(RBAC, "RoleBinding", "kube-system", "mine", roleRef=worker_role, subjects=[subject])
    for act in (
        lambda: worker.replace(claimed),
        lambda: worker.replace(moved),
        lambda: worker.create(escalation),
        lambda: worker.create(into_kube_system),
        lambda: worker.create(of("v1", "Namespace", None, "elsewhere")),
        lambda: worker.delete(of("v1", "Namespace", None, "kube-public")),
        lambda: worker.list_objects(CORE, "Secret", namespace=a.namespace),
        lambda: worker.list_objects(CORE, "Secret", namespace="kube-system"),
        lambda: worker.create(pod(a.namespace)),
        lambda: worker.request_token("kube-system", "default", seconds=600),
        lambda: worker.delete(of(ADMISSION, "ValidatingAdmissionPolicyBinding", None, "platforma-worker")),
    ):
        with pytest.raises(CloudRefused):
            act()


def test_packets_between_tenants_do_not_pass(cluster_stage: ClusterStage) -> None:
    """N01, K01: from A's pod to B's nothing; inside B and through an opening of B's own it passes."""
    a, b = cluster_stage.new_side(), cluster_stage.new_side()
    source = cluster_stage.new_namespace(b.cluster)
    patience, image = cluster_stage.patience, cluster_stage.options.probe_image
    of_a, of_b = Pods(a.member, image, patience), Pods(b.member, image, patience)
    eventually(partial(_may_list, b.member, namespace_name(source.id)))
    address = of_b.listen(b.namespace)
    assert address is not None
    seconds = patience.changing_seconds
    assert of_b.sees(b.namespace, address, "open", seconds)
    assert of_a.sees(a.namespace, address, "closed", 1)
    assert of_b.sees(namespace_name(source.id), address, "closed", 1)
    b.cluster.ensure_namespace(replace(b.spec, openings=(opening(source),)))
    assert of_b.sees(namespace_name(source.id), address, "open", seconds)
    assert of_a.sees(a.namespace, address, "closed", 1)
    egress = [{"to": [{"namespaceSelector": {"matchLabels": {TENANT: str(a.tenant_id)}}}]}]
    a.member.create(network_policy(a.namespace, egress=egress, policyTypes=["Egress"]))
    assert of_a.sees(a.namespace, address, "closed", 1)
    b.cluster.ensure_namespace(b.spec)
    assert of_b.sees(namespace_name(source.id), address, "closed", seconds)


def _list_pods(api: Api, namespace: str) -> list[Manifest]:
    return api.list_objects(CORE, "Pod", namespace=namespace)


def _may_list(api: Api, namespace: str) -> bool:
    return not is_refused(lambda: _list_pods(api, namespace))


def _is_shut_out(api: Api, namespace: str) -> bool:
    try:
        _list_pods(api, namespace)
    except (CloudRefused, CloudCredentialInvalid):
        return True
    return False


def _is_unknown(api: Api, namespace: str | None) -> bool:
    try:
        api.list_objects(CORE, "Pod", namespace=namespace)
    except CloudCredentialInvalid:
        return True
    except CloudError:
        return False
    return False


def _has_status(stage: ClusterStage, side: Side) -> bool:
    quota = stage.administrator.get(CORE, "ResourceQuota", "platforma-quota", side.namespace)
    return bool((quota.get("status") or {}).get("hard"))
