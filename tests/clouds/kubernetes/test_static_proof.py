"""Over the manifests of twenty tenants with random policies of their own there is no path between two of them."""

import random
from pathlib import Path
from typing import Any
from uuid import UUID

from platforma.clouds.kubernetes import (
    ClusterAddresses,
    ClusterProfile,
    NamespaceQuota,
    NamespaceSpec,
    OpeningSpec,
    namespace_name,
)
from platforma.clouds.kubernetes.admission import NETWORK_POLICIES
from platforma.clouds.kubernetes.labels import NAMESPACE, TENANT
from platforma.clouds.kubernetes.manifests import namespace, namespace_manifests
from tests.clouds.kubernetes.analyzer import connections
from tests.clouds.kubernetes.judging import verdict
from tests.clouds.kubernetes.stage import Manifest

TENANTS, NAMESPACES, PODS, POLICIES = 20, 2, 2, 2
PROFILE = ClusterProfile(
    ClusterAddresses(pods=("10.244.0.0/16",), services=("10.96.0.0/12",), nodes=("192.0.2.10/32",))
)
QUOTA = NamespaceQuota(vcpus=1, ram_mib=512, pods=5)


class World:
    """Tenants with namespaces, openings between them, pods, and whatever policies their members have made."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.specs = [spec for _ in range(TENANTS) for spec in self._tenant()]
        self.policies = [
            *(each for spec in self.specs for each in self._kept(spec)),
            *(self._own_policy(spec, number) for spec in self.specs for number in range(POLICIES)),
        ]

    @property
    def tenants(self) -> dict[str, UUID]:
        """Whose each namespace is."""
        return {namespace_name(spec.id): spec.tenant_id for spec in self.specs}

    def find_paths(self, directory: Path) -> set[tuple[str, str]]:
        """Return from which namespace to which of another tenant there is a path."""
        namespaces, pods = [], []
        for number, spec in enumerate(self.specs):
            made = namespace(spec)
            name = made["metadata"]["name"]
            labels = made["metadata"]["labels"] | {"kubernetes.io/metadata.name": name}
            namespaces.append(made | {"metadata": {"name": name, "labels": labels}})
            pods += [_pod(name, number * PODS + index, index) for index in range(PODS)]
        found = connections(directory, namespaces, pods, self.policies)
        tenants = self.tenants
        return {
            (source, target)
            for sources, targets in found
            for source in sources & set(tenants)
            for target in targets & set(tenants)
            if tenants[source] != tenants[target]
        }

    def _tenant(self) -> list[NamespaceSpec]:
        tenant_id = self._id()
        ids = [self._id() for _ in range(NAMESPACES)]
        return [
            NamespaceSpec(id_, tenant_id, f"n{number}", QUOTA, openings=self._openings(id_, ids))
            for number, id_ in enumerate(ids)
        ]

    def _openings(self, own: UUID, ids: list[UUID]) -> tuple[OpeningSpec, ...]:
        sources = [id_ for id_ in ids if id_ != own and self.random.random() < 0.5]
        labels = [{}, {"app": "app-0"}]
        return tuple(OpeningSpec(self._id(), source, "TCP", 80, 90, self.random.choice(labels)) for source in sources)

    def _kept(self, spec: NamespaceSpec) -> list[Manifest]:
        return [each for each in namespace_manifests(spec, PROFILE, []) if each["kind"] == "NetworkPolicy"]

    def _own_policy(self, spec: NamespaceSpec, number: int) -> Manifest:
        """Return a policy that a member tried for, made at random until the admission policies let one through."""
        while True:
            policy: Manifest = {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": {"name": f"own-{number}", "namespace": namespace_name(spec.id)},
                "spec": {"podSelector": self.random.choice([{}, {"matchLabels": {"app": "app-1"}}])},
            }
            direction, side = self.random.choice([("ingress", "from"), ("egress", "to")])
            peers = [self._peer(spec) for _ in range(self.random.randint(1, 2))]
            policy["spec"] |= {direction: [{side: peers}], "policyTypes": [direction.capitalize()]}
            given = {"metadata": {"labels": {TENANT: str(spec.tenant_id)}}}
            if not verdict(NETWORK_POLICIES, object=policy, namespace=given):
                return policy

    def _peer(self, spec: NamespaceSpec) -> dict[str, Any]:
        stranger = self.random.choice(self.specs)
        tenant = self.random.choice([spec, stranger]).tenant_id
        selectors: list[dict[str, Any]] = [
            {},
            {"matchLabels": {TENANT: str(tenant)}},
            {"matchLabels": {TENANT: str(tenant), NAMESPACE: str(stranger.id)}},
            {"matchExpressions": [{"key": TENANT, "operator": "In", "values": [str(tenant)]}]},
            {"matchExpressions": [{"key": TENANT, "operator": "NotIn", "values": [str(tenant)]}]},
            {"matchExpressions": [{"key": TENANT, "operator": "Exists"}]},
        ]
        kinds: list[dict[str, Any]] = [
            {"podSelector": {}},
            {"namespaceSelector": self.random.choice(selectors)},
            {"namespaceSelector": self.random.choice(selectors), "podSelector": {"matchLabels": {"app": "app-0"}}},
            {"ipBlock": {"cidr": "10.244.0.0/16"}},
        ]
        return self.random.choice(kinds)

    def _id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128))


def test_no_path_leads_from_tenant_to_tenant(tmp_path: Path) -> None:
    world = World(1)
    assert len(world.policies) > TENANTS * NAMESPACES * (1 + POLICIES)
    assert world.find_paths(tmp_path) == set()


def test_planted_holes_are_found(tmp_path: Path) -> None:
    """One policy too many at either end, as nobody is let make them, and exactly those paths."""
    world = World(3)
    source, target = world.specs[0], world.specs[-1]
    world.policies += [
        _planted(source, "egress", {"to": [{"namespaceSelector": {"matchLabels": {TENANT: str(target.tenant_id)}}}]}),
        _planted(target, "ingress", {"from": [{"namespaceSelector": {}}]}),
    ]
    assert world.find_paths(tmp_path) == {(namespace_name(source.id), namespace_name(target.id))}


def test_one_hole_is_not_enough(tmp_path: Path) -> None:
    """Each path is closed at both of its ends."""
    for direction in ("egress", "ingress"):
        world = World(4)
        world.policies.append(_planted(world.specs[0], direction, {}))
        directory = tmp_path / direction
        directory.mkdir()
        assert world.find_paths(directory) == set()


def _planted(spec: NamespaceSpec, direction: str, rule: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": f"planted-{direction}", "namespace": namespace_name(spec.id)},
        "spec": {"podSelector": {}, direction: [rule], "policyTypes": [direction.capitalize()]},
    }


def _pod(namespace: str, number: int, index: int) -> Manifest:
    address = f"10.244.{number // 250}.{number % 250 + 1}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{index}", "namespace": namespace, "labels": {"app": f"app-{index}"}},
        "spec": {"containers": [{"name": "main", "image": "image"}]},
        "status": {"podIP": address, "hostIP": "192.0.2.10"},
    }
