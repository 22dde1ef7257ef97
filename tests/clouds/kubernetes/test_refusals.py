"""What members' own kubectl is refused, each beside what it may do: on the stand-in and on real clusters."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from platforma.clouds.errors import CloudRefused
from platforma.clouds.kubernetes.api import NETWORKING, Api
from platforma.clouds.kubernetes.labels import MANAGED, NAMESPACE, TENANT
from tests.clouds.kubernetes.stage import ClusterStage, Manifest, network_policy, of, pod

pytestmark = pytest.mark.xdist_group("kubernetes-contract")

A, B = "tenant of a", "tenant of b"
"""Stand for the tenants' ids in the tables, which are made before there are any."""
Peer = dict[str, Any]


def _labels(value: str) -> Peer:
    return {"namespaceSelector": {"matchLabels": {TENANT: value}}}


def _expression(operator: str, *values: str) -> Peer:
    expression = {"key": TENANT, "operator": operator} | ({"values": list(values)} if values else {})
    return {"namespaceSelector": {"matchExpressions": [expression]}}


FOREIGN_PEERS: dict[str, list[Peer] | None] = {
    "no peers": None,
    "any namespace": [{"namespaceSelector": {}}],
    "another tenant": [_labels(B)],
    "another tenant's pods": [_labels(B) | {"podSelector": {"matchLabels": {"app": "db"}}}],
    "a namespace by name": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}],
    "whoever has a tenant": [_expression("Exists")],
    "everybody but us": [_expression("NotIn", A)],
    "us and another": [_expression("In", A, B)],
    "whoever has none": [_expression("DoesNotExist")],
    "an address": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
    "everywhere": [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
    "IPv6": [{"ipBlock": {"cidr": "::/0"}}],
    "one good and one bad": [{"podSelector": {}}, {"namespaceSelector": {}}],
}
OWN_PEERS: dict[str, list[Peer]] = {
    "pods of this namespace": [{"podSelector": {"matchLabels": {"app": "db"}}}],
    "our namespaces": [_labels(A)],
    "our namespaces by expression": [_expression("In", A)],
    "some of ours": [{"namespaceSelector": {"matchLabels": {TENANT: A, NAMESPACE: "any"}}, "podSelector": {}}],
}


def _rule(stage: ClusterStage, side: str, peers: list[Peer] | None) -> Manifest:
    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(each) for name, each in value.items()}
        if isinstance(value, list):
            return [filled(each) for each in value]
        return {A: str(stage.a.tenant_id), B: str(stage.b.tenant_id)}.get(value, value)

    return {"ports": [{"protocol": "TCP", "port": 80}]} | ({} if peers is None else {side: filled(peers)})


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("name", FOREIGN_PEERS)
def test_a_policy_that_reaches_beyond_is_refused(cluster_stage: ClusterStage, direction: str, name: str) -> None:
    """K02: on create, on update, and by server-side apply."""
    member, namespace = cluster_stage.a.member, cluster_stage.a.namespace
    rule = _rule(cluster_stage, "from" if direction == "ingress" else "to", FOREIGN_PEERS[name])
    bad = network_policy(namespace, **{direction: [rule]})
    with pytest.raises(CloudRefused, match="network policy may let"):
        member.create(bad)
    made = member.create(network_policy(namespace))
    try:
        with pytest.raises(CloudRefused, match="network policy may let"):
            member.replace(made | {"spec": bad["spec"]})
        with pytest.raises(CloudRefused, match="network policy may let"):
            member.apply(bad)
    finally:
        member.delete(made)


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize("name", OWN_PEERS)
def test_a_policy_inside_the_tenant_is_admitted(cluster_stage: ClusterStage, direction: str, name: str) -> None:
    member, namespace = cluster_stage.a.member, cluster_stage.a.namespace
    rule = _rule(cluster_stage, "from" if direction == "ingress" else "to", OWN_PEERS[name])
    made = member.create(network_policy(namespace, **{direction: [rule]}))
    assert not cluster_stage.a.cluster.ensure_namespace(cluster_stage.a.spec).was_written, "members' policies stay"
    assert member.delete(made)


def _service(**spec: Any) -> Callable[[str], Manifest]:
    port = {"port": 80, "protocol": "TCP", "targetPort": 8080}
    return lambda namespace: of("v1", "Service", namespace, spec={"ports": [port], **spec})


def _ingress(**spec: Any) -> Callable[[str], Manifest]:
    return lambda namespace: of(NETWORKING, "Ingress", namespace, spec=spec)


def _backend(host: str | None) -> Manifest:
    backend = {"service": {"name": "mine", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    return {"http": {"paths": [path]}} | ({"host": host} if host else {})


def _claim(**spec: Any) -> Callable[[str], Manifest]:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return lambda namespace: of("v1", "PersistentVolumeClaim", namespace, spec=asked | spec)


def _pod(**spec: Any) -> Callable[[str], Manifest]:
    return lambda namespace: pod(namespace, **spec)


def _of_container(**content: Any) -> Callable[[str], Manifest]:
    return lambda namespace: pod(namespace, container=content)


REFUSED: dict[str, Callable[[str], Manifest]] = {
    "a node port": _service(type="NodePort"),
    "an external address": _service(externalIPs=["192.0.2.1"]),
    "another name for something": lambda namespace: of(
        "v1", "Service", namespace, spec={"type": "ExternalName", "externalName": "kubernetes.default.svc"}
    ),
    "a load balancer beyond the quota": _service(type="LoadBalancer", allocateLoadBalancerNodePorts=False),
    "an annotation that commands": lambda namespace: of(
        "v1",
        "Service",
        namespace,
        metadata={"annotations": {"service.beta.kubernetes.io/load-balancer-source-ranges": "0.0.0.0/0"}},
        spec={"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]},
    ),
    "somebody's host": _ingress(rules=[_backend("shop.example.com")]),
    "every host": _ingress(rules=[_backend(None)]),
    "a default backend": _ingress(defaultBackend={"service": {"name": "mine", "port": {"number": 80}}}),
    "the node's network": _pod(hostNetwork=True),
    "the node's processes": _pod(hostPID=True),
    "the node's memory": _pod(hostIPC=True),
    "the node's files": _pod(volumes=[{"name": "host", "hostPath": {"path": "/"}}]),
    "a node of one's choice": _pod(nodeName="a-node"),
    "the control plane's nodes": _pod(
        tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
    ),
    "every taint": _pod(tolerations=[{"operator": "Exists"}]),
    "a port of the node": _of_container(ports=[{"containerPort": 80, "hostPort": 80}]),
    "privilege": _of_container(securityContext={"privileged": True}),
    "root": _of_container(
        securityContext={"runAsUser": 0, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    ),
    "a volume of one's choice": _claim(volumeName="pv-of-another"),
    "any volume that is there": _claim(selector={"matchLabels": {"tenant": "b"}}),
    "a lasting token": lambda namespace: of(
        "v1",
        "Secret",
        namespace,
        metadata={"annotations": {"kubernetes.io/service-account.name": "default"}},
        type="kubernetes.io/service-account-token",
    ),
    "a quota": lambda namespace: of("v1", "ResourceQuota", namespace, spec={"hard": {"pods": "1000"}}),
    "limits": lambda namespace: of("v1", "LimitRange", namespace, spec={"limits": [{"type": "Container"}]}),
    "a service account": lambda namespace: of("v1", "ServiceAccount", namespace),
    "a role": lambda namespace: of("rbac.authorization.k8s.io/v1", "Role", namespace, rules=[]),
    "endpoints": lambda namespace: of("v1", "Endpoints", namespace, subsets=[]),
    "a namespace": lambda namespace: of("v1", "Namespace", None, "elsewhere"),
    "what looks managed": lambda namespace: (
        network_policy(namespace) | {"metadata": {"name": "mine", "namespace": namespace, "labels": {MANAGED: "true"}}}
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(cluster_stage: ClusterStage, name: str) -> None:
    side = cluster_stage.a
    with pytest.raises(CloudRefused):
        side.member.create(REFUSED[name](side.namespace))


ADMITTED: dict[str, Callable[[str], Manifest]] = {
    "a service": _service(type="ClusterIP"),
    "a headless service": _service(clusterIP="None"),
    "a pod": _pod(),
    "a pod that waits for a node": _pod(
        tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]
    ),
    "a claim": _claim(),
    "a secret": lambda namespace: of("v1", "Secret", namespace, type="Opaque"),
    "a config map": lambda namespace: of("v1", "ConfigMap", namespace, data={"key": "value"}),
}


@pytest.mark.parametrize("name", ADMITTED)
def test_admitted(cluster_stage: ClusterStage, name: str) -> None:
    side = cluster_stage.a
    made = side.member.create(ADMITTED[name](side.namespace))
    assert side.member.delete(made)


def test_an_ingress_may_have_the_tenants_hosts_and_no_others(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.new_side(hosts=("shop.example.com", "*.apps.example.com"))
    for host in ("shop.example.com", "one.apps.example.com"):
        made = side.member.create(_ingress(rules=[_backend(host)])(side.namespace))
        assert side.member.delete(made)
    for host in ("example.com", "shop.example.com.evil.example", "xshop.example.com", "two.one.apps.example.com"):
        with pytest.raises(CloudRefused):
            side.member.create(_ingress(rules=[_backend(host)])(side.namespace))
    tls = [{"hosts": ["other.example.com"], "secretName": "mine"}]
    with pytest.raises(CloudRefused):
        side.member.create(_ingress(rules=[_backend("shop.example.com")], tls=tls)(side.namespace))


def test_a_load_balancer_must_open_no_ports_on_nodes(cluster_stage: ClusterStage) -> None:
    quota = replace(cluster_stage.a.spec.quota, load_balancers=1)
    side = cluster_stage.new_side(quota=quota)
    with pytest.raises(CloudRefused, match="nodes"):
        side.member.create(_service(type="LoadBalancer")(side.namespace))
    assert side.member.create(_service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)(side.namespace))


MANAGED_OBJECTS = [
    (NETWORKING, "NetworkPolicy", "platforma-default"),
    ("v1", "ServiceAccount", "default"),
    ("v1", "ResourceQuota", "platforma-quota"),
    ("v1", "LimitRange", "platforma-limits"),
]


@pytest.mark.parametrize(("version", "kind", "name"), MANAGED_OBJECTS)
def test_managed_objects_cannot_be_changed_or_deleted(
    cluster_stage: ClusterStage, version: str, kind: str, name: str
) -> None:
    """Nor relabelled, first, so that they are no longer managed. The cluster's administrator is held as well."""
    side = cluster_stage.a
    found = cluster_stage.administrator.get(version, kind, name, side.namespace)
    unlabelled = found | {"metadata": {**found["metadata"], "labels": {}}}
    hollow = found | {"spec": {**found.get("spec", {}), "podSelector": {"matchLabels": {"app": "nothing"}}}}

    def attempts(api: Api) -> list[Callable[[], Any]]:
        changes = [unlabelled, *([hollow] if kind == "NetworkPolicy" else [])]
        return [*(partial(api.replace, change) for change in changes), partial(api.delete, found)]

    for api in (side.member, cluster_stage.administrator):
        for act in attempts(api):
            with pytest.raises(CloudRefused):
                act()
    assert cluster_stage.a.cluster.observe_namespace(side.spec).drift == ()


def test_a_namespace_cannot_be_relabelled_or_deleted(cluster_stage: ClusterStage) -> None:
    """K08: whoever moved a namespace to another tenant would open it to that tenant's policies."""
    a, b = cluster_stage.a, cluster_stage.b
    found = cluster_stage.administrator.get("v1", "Namespace", a.namespace)

    def labelled(**labels: str) -> Manifest:
        return found | {"metadata": {**found["metadata"], "labels": {**found["metadata"]["labels"], **labels}}}

    without = {key: value for key, value in found["metadata"]["labels"].items() if key != TENANT}
    changes = [
        labelled(**{TENANT: str(b.tenant_id)}),
        labelled(**{"pod-security.kubernetes.io/enforce": "privileged"}),
        found | {"metadata": {**found["metadata"], "labels": without}},
    ]

    def attempts(api: Api) -> list[Callable[[], Any]]:
        return [*(partial(api.replace, change) for change in changes), partial(api.delete, found)]

    for api in (a.member, b.member, cluster_stage.administrator):
        for act in attempts(api):
            with pytest.raises(CloudRefused):
                act()
