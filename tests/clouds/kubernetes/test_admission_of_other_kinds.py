"""Admission of everything else, outside of any cluster: what two implementations of CEL say of good and bad objects."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platforma.clouds.kubernetes.admission import (
    CLAIMS,
    FINALIZERS,
    INGRESSES,
    MANAGED_OBJECTS,
    NAMESPACES,
    PODS,
    POLICIES,
    RESERVED_KINDS,
    SECRETS,
    SERVICES,
    WORKER,
    Policy,
)
from platforma.clouds.kubernetes.attacks import ADMITTED, REFUSED, Attempt, Ground
from platforma.clouds.kubernetes.labels import (
    HOSTS,
    LOAD_BALANCERS,
    MANAGED,
    TENANT,
    worker_username,
)
from platforma.clouds.kubernetes.labels import NAMESPACE as NAMESPACE_LABEL
from platforma.clouds.kubernetes.manifests import hosts_pattern
from platforma.clouds.kubernetes.roles import WRITABLE
from tests.clouds.kubernetes.judging import CONTROLLER, MEMBER, NAMESPACE, OTHER, OWN, verdict

OF_KIND: dict[str, Policy] = {
    "Service": SERVICES,
    "Ingress": INGRESSES,
    "Pod": PODS,
    "PersistentVolumeClaim": CLAIMS,
    "Secret": SECRETS,
}
BY_POD_SECURITY = {"root"}
"""What Pod Security refuses, and no policy of ours."""


GROUND = Ground("platforma-one", a="a", b="b")


def _name(attempt: Attempt) -> str:
    return attempt.name


@pytest.mark.parametrize("attempt", REFUSED, ids=_name)
def test_bad_objects_are_refused(attempt: Attempt) -> None:
    bad = attempt.make(GROUND)
    policy = OF_KIND.get(bad["kind"])
    if policy is None or attempt.name in BY_POD_SECURITY:
        return
    assert verdict(policy, object=bad)


@pytest.mark.parametrize("attempt", ADMITTED, ids=_name)
def test_good_objects_are_admitted(attempt: Attempt) -> None:
    good = attempt.make(GROUND)
    for policy in (OF_KIND[good["kind"]],) if good["kind"] in OF_KIND else ():
        assert verdict(policy, object=good) == []


_services = st.fixed_dictionaries(
    {"ports": st.just([{"port": 80}])},
    optional={
        "type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
        "externalIPs": st.lists(st.sampled_from(["192.0.2.1", "10.0.0.1"]), max_size=2),
        "externalName": st.sampled_from(["b.example", "kubernetes.default.svc"]),
        "loadBalancerIP": st.just("192.0.2.2"),
        "allocateLoadBalancerNodePorts": st.booleans(),
    },
)


@settings(max_examples=300, deadline=None)
@given(_services, st.sampled_from([None, "0", "2"]))
def test_a_service_is_admitted_only_if_it_stays_inside(spec: dict[str, Any], load_balancers: str | None) -> None:
    annotations = {} if load_balancers is None else {"annotations": {LOAD_BALANCERS: load_balancers}}
    place = {"metadata": {**NAMESPACE["metadata"], **annotations}}
    has_balancers = load_balancers == "2"
    is_inside = (
        (
            spec.get("type", "ClusterIP") == "ClusterIP"
            or (
                spec["type"] == "LoadBalancer"
                and has_balancers
                and spec.get("allocateLoadBalancerNodePorts", True) is False
            )
        )
        and not spec.get("externalIPs")
        and "externalName" not in spec
        and "loadBalancerIP" not in spec
    )
    found = verdict(SERVICES, object={"metadata": {"name": "mine"}, "spec": spec}, namespace=place)
    assert (found == []) is is_inside


_labels = st.from_regex(r"[a-z0-9]{1,5}", fullmatch=True)
_hosts = st.builds(".".join, st.lists(_labels, min_size=1, max_size=5))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.builds(lambda star, host: ("*." if star else "") + host, st.booleans(), _hosts), max_size=3),
    _hosts,
    st.booleans(),
)
def test_hosts_are_the_tenants(own: list[str], asked: str, is_wild: bool) -> None:
    own = [f"{host}.example" for host in own]
    host = f"{'*.' if is_wild else ''}{asked}.example"
    annotations = {"annotations": {HOSTS: hosts_pattern(tuple(own))}} if own else {}
    place = {"metadata": {**NAMESPACE["metadata"], **annotations}}
    spec = {"rules": [{"host": host}]}
    is_own = any(host == each or (each.startswith("*.") and host.split(".", 1)[1] == each[2:]) for each in own)
    found = verdict(INGRESSES, object={"metadata": {"name": "mine"}, "spec": spec}, namespace=place)
    assert (found == []) is is_own


LABELLED = {"metadata": {"name": "mine", "labels": {MANAGED: "true"}}}
PLAIN = {"metadata": {"name": "mine"}}


@pytest.mark.parametrize("user", [MEMBER, "kubernetes-admin"])
@pytest.mark.parametrize(
    "write",
    [{"object": LABELLED}, {"old": LABELLED}, {"object": PLAIN, "old": LABELLED}, {"object": LABELLED, "old": PLAIN}],
)
def test_managed_objects_are_nobodys_to_change(user: str, write: dict[str, Any]) -> None:
    assert verdict(MANAGED_OBJECTS, user=user, **write)
    assert verdict(MANAGED_OBJECTS, user=worker_username(), **write) == []
    assert verdict(MANAGED_OBJECTS, user=CONTROLLER, **write) == []


def test_other_objects_are_the_members_own() -> None:
    assert verdict(MANAGED_OBJECTS, object=PLAIN) == []
    assert verdict(MANAGED_OBJECTS, object=PLAIN, old=PLAIN) == []
    assert verdict(RESERVED_KINDS, object=PLAIN)


TENANTS = {
    "metadata": {
        "name": f"platforma-{OWN}",
        "labels": {
            TENANT: OWN,
            NAMESPACE_LABEL: OWN,
            MANAGED: "true",
            "pod-security.kubernetes.io/enforce": "restricted",
        },
    }
}
STRANGERS = {"metadata": {"name": "default", "labels": {"kubernetes.io/metadata.name": "default"}}}
SYSTEM = {"metadata": {"name": "platforma-system", "labels": {MANAGED: "true"}}}


def _with(value: dict[str, Any], **labels: str | None) -> dict[str, Any]:
    merged = {**value["metadata"]["labels"], **labels}
    kept = {key: each for key, each in merged.items() if each is not None}
    return {"metadata": {**value["metadata"], "labels": kept}}


NAMESPACE_WRITES: list[tuple[dict[str, Any], bool, bool]] = [
    ({"object": TENANTS}, False, True),
    ({"old": TENANTS}, False, True),
    ({"object": TENANTS, "old": TENANTS}, False, True),
    ({"object": _with(TENANTS, **{TENANT: OTHER}), "old": TENANTS}, False, False),
    ({"object": _with(TENANTS, **{TENANT: None}), "old": TENANTS}, False, False),
    ({"object": _with(TENANTS, **{"pod-security.kubernetes.io/enforce": "baseline"}), "old": TENANTS}, False, False),
    ({"object": _with(STRANGERS, **{TENANT: OWN}), "old": STRANGERS}, False, False),
    ({"object": STRANGERS, "old": STRANGERS}, True, False),
    ({"object": STRANGERS}, True, False),
    ({"old": STRANGERS}, True, False),
    ({"object": _with(TENANTS, **{NAMESPACE_LABEL: OTHER})}, False, False),
    ({"object": SYSTEM}, True, False),
]
"""A write of a namespace, whether the cluster's administrator may, and whether the worker."""


@pytest.mark.parametrize(("write", "may_administrator", "may_worker"), NAMESPACE_WRITES)
def test_namespaces_are_the_workers_and_only_tenants(
    write: dict[str, Any], may_administrator: bool, may_worker: bool
) -> None:
    write = write | {"resource": "namespaces", "namespace": None}
    assert (verdict(NAMESPACES, user="kubernetes-admin", **write) == []) is may_administrator
    assert verdict(NAMESPACES, user=worker_username(), **write) == []
    assert (verdict(WORKER, user=worker_username(), **write) == []) is may_worker
    assert verdict(WORKER, user="kubernetes-admin", **write) == []


@pytest.mark.parametrize("name", ["default", "kube-system", "of-a-tenant", None])
def test_the_worker_writes_in_tenants_namespaces_only(name: str | None) -> None:
    labels = {TENANT: OWN, NAMESPACE_LABEL: OWN} if name == "of-a-tenant" else {"app": "other"}
    place = None if name is None else {"metadata": {"name": name, "labels": labels}}
    found = verdict(WORKER, object=PLAIN, namespace=place, user=worker_username(), resource="secrets")
    assert (found == []) is (name == "of-a-tenant")


def test_every_policy_denies_when_it_fails() -> None:
    for policy in POLICIES:
        made, binding = policy.manifests()
        assert made["spec"]["failurePolicy"] == "Fail"
        assert binding["spec"] == {"policyName": policy.name, "validationActions": ["Deny"]}
        assert all(each["reason"] == "Forbidden" for each in made["spec"]["validations"])


@pytest.mark.parametrize("attempt", [each for each in REFUSED if each.threat in ("K05", "K09")], ids=_name)
def test_what_controllers_would_write_of_a_members_template_is_refused(attempt: Attempt) -> None:
    """The set's controller writes claims as the member dictates them; only the binder may choose a volume."""
    bad = attempt.make(GROUND)
    if bad["kind"] not in ("PersistentVolumeClaim", "ConfigMap", "Deployment", "StatefulSet"):
        return
    found = [verdict(policy, object=bad) for policy in policies_of(bad["kind"])]
    assert any(found)
    if bad["kind"] == "PersistentVolumeClaim":
        for user in (CONTROLLER, "system:kube-controller-manager"):
            assert verdict(CLAIMS, object=bad, user=user)


def policies_of(kind: str) -> list[Policy]:
    """Return the policies that judge a kind."""
    plural = f"/{kind.lower()}s"
    return [policy for policy in POLICIES if any(each.endswith(plural) for each in policy.resources)]


def test_the_binder_binds_and_nobody_else_chooses() -> None:
    asked = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    bound = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv-1"}}
    binder = "system:serviceaccount:kube-system:persistent-volume-binder"
    assert verdict(CLAIMS, object=bound, old=asked, user=binder) == []
    assert verdict(CLAIMS, object=bound, user=binder)
    for user in (MEMBER, CONTROLLER, "kubernetes-admin"):
        assert verdict(CLAIMS, object=bound, old=asked, user=user)
        assert verdict(CLAIMS, object=bound, old=bound, user=user) == []


@pytest.mark.parametrize(
    ("old", "new", "is_admitted"),
    [
        (None, ["foregroundDeletion"], True),
        (None, ["example.org/never"], False),
        (["example.org/theirs"], ["example.org/theirs"], True),
        (["example.org/theirs"], [], True),
        (["example.org/theirs"], ["example.org/theirs", "example.org/never"], False),
    ],
)
def test_members_add_no_finalizers(old: list[str] | None, new: list[str], is_admitted: bool) -> None:
    before = {} if old is None else {"old": {"metadata": {"name": "mine", "finalizers": old}}}
    write = {"object": {"metadata": {"name": "mine", "finalizers": new}}, **before}
    assert (verdict(FINALIZERS, **write) == []) is is_admitted
    assert verdict(FINALIZERS, user=CONTROLLER, **write) == []


def test_members_add_no_finalizers_to_anything() -> None:
    """Also to no kind that members may make one day."""
    assert "/configmaps" in FINALIZERS.resources
    assert set(FINALIZERS.resources) == set(WRITABLE)
