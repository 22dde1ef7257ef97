"""What members' own kubectl is refused, each beside what it may do: on the stand-in and on real clusters."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from platforma.clouds.errors import CloudRefused
from platforma.clouds.kubernetes.api import Api
from platforma.clouds.kubernetes.attacks import (
    ADMITTED,
    FOREIGN_POLICIES,
    MANAGED_OBJECTS,
    OWN_POLICIES,
    REFUSED,
    Attempt,
    Ground,
    backend,
    ingress,
    network_policy,
    service,
)
from platforma.clouds.kubernetes.labels import TENANT
from tests.clouds.kubernetes.stage import ClusterStage, Manifest, Side

pytestmark = pytest.mark.xdist_group("kubernetes-contract")


def _ground(stage: ClusterStage, side: Side) -> Ground:
    return Ground(side.namespace, a=str(side.tenant_id), b=str(stage.b.tenant_id))


def _name(attempt: Attempt) -> str:
    return attempt.name


@pytest.mark.parametrize("attempt", FOREIGN_POLICIES, ids=_name)
def test_a_policy_that_reaches_beyond_is_refused(cluster_stage: ClusterStage, attempt: Attempt) -> None:
    """K02: on create, on update, and by server-side apply."""
    member = cluster_stage.a.member
    bad = attempt.make(_ground(cluster_stage, cluster_stage.a))
    with pytest.raises(CloudRefused, match="network policy may let"):
        member.create(bad)
    made = member.create(network_policy(cluster_stage.a.namespace))
    try:
        with pytest.raises(CloudRefused, match="network policy may let"):
            member.replace(made | {"spec": bad["spec"]})
        with pytest.raises(CloudRefused, match="network policy may let"):
            member.apply(bad)
    finally:
        member.delete(made)


@pytest.mark.parametrize("attempt", OWN_POLICIES, ids=_name)
def test_a_policy_inside_the_tenant_is_admitted(cluster_stage: ClusterStage, attempt: Attempt) -> None:
    side = cluster_stage.a
    made = side.member.create(attempt.make(_ground(cluster_stage, side)))
    assert not side.cluster.ensure_namespace(side.spec).was_written, "members' policies stay"
    assert side.member.delete(made)


@pytest.mark.parametrize("attempt", REFUSED, ids=_name)
def test_refused(cluster_stage: ClusterStage, attempt: Attempt) -> None:
    with pytest.raises(CloudRefused):
        cluster_stage.a.member.create(attempt.make(_ground(cluster_stage, cluster_stage.a)))


@pytest.mark.parametrize("attempt", ADMITTED, ids=_name)
def test_admitted(cluster_stage: ClusterStage, attempt: Attempt) -> None:
    member = cluster_stage.a.member
    made = member.create(attempt.make(_ground(cluster_stage, cluster_stage.a)))
    assert member.delete(made)


def test_an_ingress_may_have_the_tenants_hosts_and_no_others(cluster_stage: ClusterStage) -> None:
    side = cluster_stage.new_side(hosts=("shop.example.com", "*.apps.example.com"))
    for host in ("shop.example.com", "one.apps.example.com"):
        made = side.member.create(ingress(rules=[backend(host)])(_ground(cluster_stage, side)))
        assert side.member.delete(made)
    for host in ("example.com", "shop.example.com.evil.example", "xshop.example.com", "two.one.apps.example.com"):
        with pytest.raises(CloudRefused):
            side.member.create(ingress(rules=[backend(host)])(_ground(cluster_stage, side)))
    tls = [{"hosts": ["other.example.com"], "secretName": "mine"}]
    with pytest.raises(CloudRefused):
        side.member.create(ingress(rules=[backend("shop.example.com")], tls=tls)(_ground(cluster_stage, side)))


def test_a_load_balancer_must_open_no_ports_on_nodes(cluster_stage: ClusterStage) -> None:
    quota = replace(cluster_stage.a.spec.quota, load_balancers=1)
    side = cluster_stage.new_side(quota=quota)
    with pytest.raises(CloudRefused, match="nodes"):
        side.member.create(service(type="LoadBalancer")(_ground(cluster_stage, side)))
    assert side.member.create(
        service(type="LoadBalancer", allocateLoadBalancerNodePorts=False)(_ground(cluster_stage, side))
    )


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
