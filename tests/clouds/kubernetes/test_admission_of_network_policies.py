"""No network policy that reaches beyond its tenant is admitted, and every one that does not is (K02).

The judge of what a policy reaches is written here a second time, from the documentation of network policies and over a
small world of namespaces, and shares nothing with the expressions.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platforma.clouds.kubernetes.admission import NETWORK_POLICIES
from platforma.clouds.kubernetes.labels import TENANT
from tests.clouds.kubernetes.judging import OTHER, OWN, verdict

Peer = dict[str, Any]

WORLD = {
    "own": {TENANT: OWN, "kubernetes.io/metadata.name": "own", "env": "prod"},
    "own-other": {TENANT: OWN, "kubernetes.io/metadata.name": "own-other"},
    "foreign": {TENANT: OTHER, "kubernetes.io/metadata.name": "foreign", "env": "prod"},
    "kube-system": {"kubernetes.io/metadata.name": "kube-system"},
    "unlabelled": {"kubernetes.io/metadata.name": "unlabelled", "env": "dev"},
}
INSIDE = {"own", "own-other"}

_keys = st.sampled_from([TENANT, TENANT, "env", "kubernetes.io/metadata.name", "app"])
_values = st.sampled_from([OWN, OTHER, "prod", "dev", "own", "foreign", "kube-system", ""])
_expressions = st.one_of(
    st.fixed_dictionaries(
        {
            "key": _keys,
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(_values, min_size=1, max_size=3, unique=True),
        }
    ),
    st.fixed_dictionaries({"key": _keys, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
)
_selectors = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": st.dictionaries(_keys, _values, min_size=1, max_size=2),
        "matchExpressions": st.lists(_expressions, min_size=1, max_size=3),
    },
)
_blocks = st.sampled_from(["0.0.0.0/0", "10.0.0.0/8", "203.0.113.7/32", "::/0"])
any_peers = st.one_of(
    st.fixed_dictionaries({"podSelector": _selectors}),
    st.fixed_dictionaries({"namespaceSelector": _selectors}),
    st.fixed_dictionaries({"podSelector": _selectors, "namespaceSelector": _selectors}),
    st.fixed_dictionaries({"ipBlock": st.fixed_dictionaries({"cidr": _blocks})}),
)
_ports = st.lists(st.fixed_dictionaries({"protocol": st.sampled_from(["TCP", "UDP"]), "port": st.just(80)}), max_size=1)


def _rules(side: str, peers: st.SearchStrategy[Peer]) -> st.SearchStrategy[list[Peer]]:
    rule = st.fixed_dictionaries({}, optional={side: st.lists(peers, max_size=3), "ports": _ports})
    return st.lists(rule, max_size=3)


def policies(peers: st.SearchStrategy[Peer]) -> st.SearchStrategy[dict[str, Any]]:
    spec = st.fixed_dictionaries(
        {"podSelector": _selectors},
        optional={"ingress": _rules("from", peers), "egress": _rules("to", peers)},
    )
    return st.fixed_dictionaries({"metadata": st.just({"name": "mine"}), "spec": spec})


_own_requirements = st.one_of(
    st.builds(lambda more: {"matchLabels": {**more, TENANT: OWN}}, st.dictionaries(_keys, _values, max_size=2)),
    st.builds(
        lambda before, after: {
            "matchExpressions": [*before, {"key": TENANT, "operator": "In", "values": [OWN]}, *after]
        },
        st.lists(_expressions, max_size=2),
        st.lists(_expressions, max_size=2),
    ),
)
_own_peers = st.one_of(
    st.fixed_dictionaries({"podSelector": _selectors}),
    st.fixed_dictionaries({"namespaceSelector": _own_requirements}),
    st.fixed_dictionaries({"podSelector": _selectors, "namespaceSelector": _own_requirements}),
)


def _inside_rules(side: str) -> st.SearchStrategy[list[Peer]]:
    rule = st.fixed_dictionaries({side: st.lists(_own_peers, min_size=1, max_size=3)}, optional={"ports": _ports})
    return st.lists(rule, max_size=3)


inside_policies = st.fixed_dictionaries(
    {
        "metadata": st.just({"name": "mine"}),
        "spec": st.fixed_dictionaries(
            {"podSelector": _selectors}, optional={"ingress": _inside_rules("from"), "egress": _inside_rules("to")}
        ),
    }
)


def _chooses(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    for each in selector.get("matchExpressions", []):
        has, value = each["key"] in labels, labels.get(each["key"])
        holds = {
            "In": has and value in each.get("values", []),
            "NotIn": not has or value not in each.get("values", []),
            "Exists": has,
            "DoesNotExist": not has,
        }[each["operator"]]
        if not holds:
            return False
    return True


def reached(policy: dict[str, Any]) -> set[str]:
    """Return the namespaces whose pods a policy of the namespace `own` lets in or out, and `addresses` for blocks."""
    found: set[str] = set()
    for direction, side in (("ingress", "from"), ("egress", "to")):
        for rule in policy["spec"].get(direction, []):
            peers = rule.get(side)
            if not peers:
                return {*WORLD, "addresses"}
            for peer in peers:
                if "ipBlock" in peer:
                    found.add("addresses")
                elif "namespaceSelector" in peer:
                    found |= {name for name, labels in WORLD.items() if _chooses(peer["namespaceSelector"], labels)}
                else:
                    found.add("own")
    return found


@settings(max_examples=600, deadline=None)
@given(policies(any_peers))
def test_nothing_that_reaches_beyond_the_tenant_is_admitted(policy: dict[str, Any]) -> None:
    if reached(policy) - INSIDE:
        assert verdict(NETWORK_POLICIES, object=policy)


@settings(max_examples=400, deadline=None)
@given(inside_policies)
def test_everything_inside_the_tenant_is_admitted(policy: dict[str, Any]) -> None:
    assert reached(policy) <= INSIDE
    assert verdict(NETWORK_POLICIES, object=policy) == []


@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize(
    "peers",
    [
        None,
        [],
        [{}],
        [{"namespaceSelector": {}}],
        [{"namespaceSelector": {"matchLabels": {TENANT: OTHER}}}],
        [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "foreign"}}}],
        [{"namespaceSelector": {"matchExpressions": [{"key": TENANT, "operator": "Exists"}]}}],
        [{"namespaceSelector": {"matchExpressions": [{"key": TENANT, "operator": "In", "values": [OWN, OTHER]}]}}],
        [{"namespaceSelector": {"matchExpressions": [{"key": TENANT, "operator": "NotIn", "values": [OWN]}]}}],
        [{"ipBlock": {"cidr": "0.0.0.0/0"}}],
        [{"podSelector": {}}, {"namespaceSelector": {}}],
    ],
)
def test_each_known_way_out_is_refused(direction: str, peers: list[Peer] | None) -> None:
    side = "from" if direction == "ingress" else "to"
    rule: dict[str, Any] = {"ports": [{"port": 80}]} if peers is None else {side: peers}
    policy = {"metadata": {"name": "mine"}, "spec": {"podSelector": {}, direction: [rule]}}
    assert len(verdict(NETWORK_POLICIES, object=policy)) == 1
    assert len(verdict(NETWORK_POLICIES, object=policy, old=policy)) == 1
