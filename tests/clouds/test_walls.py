"""What Neutron itself refuses to a tenant's own credential, past all of Platforma; and what it does not."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from openstack.exceptions import HttpException

from platforma.clouds.openstack import ProjectCloud
from platforma.sweep.kinds import MEANINGS, DriftKind, Mode
from tests.clouds.stage import OpenStackStage, Tenant
from tests.clouds.test_contract import make_group, make_network, make_subnet

REFUSALS = {400, 403, 404, 409}

Belongings = dict[str, str]


def furnish(cloud: ProjectCloud) -> Belongings:
    network = make_network(cloud)
    subnet = make_subnet(cloud, network)
    router = cloud.ensure_router(uuid4(), has_external_gateway=True, description="")
    group = make_group(cloud)
    port = cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[group])
    return {
        "network": network.cloud_id,
        "subnet": subnet.cloud_id,
        "router": router.cloud_id,
        "group": group,
        "port": port.cloud_id,
    }


def external(neutron: Any) -> str:
    (found,) = list(neutron.networks(is_router_external=True))
    return str(found.id)


ATTACKS: dict[str, Callable[[Any, Belongings, Belongings], object]] = {
    "a shared network": lambda n, own, b: n.create_network(name="x", is_shared=True),
    "an external network": lambda n, own, b: n.create_network(name="x", is_router_external=True),
    "a provider network": lambda n, own, b: n.create_network(name="x", provider_network_type="flat"),
    "a network that becomes shared": lambda n, own, b: n.update_network(own["network"], is_shared=True),
    "a share with everybody": lambda n, own, b: n.create_rbac_policy(
        object_type="network", object_id=own["network"], action="access_as_shared", target_project_id="*"
    ),
    "a share of another's": lambda n, own, b: n.create_rbac_policy(
        object_type="network", object_id=b["network"], action="access_as_shared", target_project_id=uuid4().hex
    ),
    "a subnet on another's network": lambda n, own, b: n.create_subnet(
        network_id=b["network"], cidr="10.88.0.0/24", ip_version=4
    ),
    "a port on another's network": lambda n, own, b: n.create_port(network_id=b["network"]),
    "a port on the external network": lambda n, own, b: n.create_port(network_id=external(n)),
    "another's port changed": lambda n, own, b: n.update_port(b["port"], is_port_security_enabled=False),
    "another's group on one's port": lambda n, own, b: n.update_port(own["port"], security_group_ids=[b["group"]]),
    "a rule in another's group": lambda n, own, b: n.create_security_group_rule(
        security_group_id=b["group"], direction="ingress", ether_type="IPv4"
    ),
    "another's subnet at one's router": lambda n, own, b: n.add_interface_to_router(own["router"], subnet=b["subnet"]),
    "one's subnet at another's router": lambda n, own, b: n.add_interface_to_router(b["router"], subnet=own["subnet"]),
    "another's port at one's router": lambda n, own, b: n.add_interface_to_router(own["router"], port=b["port"]),
    "a route on another's router": lambda n, own, b: n.update_router(
        b["router"], routes=[{"destination": "10.0.0.0/8", "nexthop": "10.20.0.9"}]
    ),
    "a floating IP to another's port": lambda n, own, b: n.create_ip(
        floating_network_id=external(n), port_id=b["port"]
    ),
    "a port bound to a host": lambda n, own, b: n.update_port(own["port"], binding_host_id="elsewhere"),
}


@pytest.fixture
def tenant(openstack_stage: OpenStackStage) -> Tenant:
    return openstack_stage.a


@pytest.fixture
def neutron(openstack_stage: OpenStackStage, tenant: Tenant) -> Any:
    """Neutron with the tenant's own credential, and nothing of ours in between."""
    return openstack_stage.open_back_door(tenant).connection.network


def test_neutron_refuses_too(openstack_stage: OpenStackStage, tenant: Tenant, neutron: Any) -> None:
    own, theirs = furnish(tenant.cloud), furnish(openstack_stage.b.cloud)
    before = openstack_stage.b.cloud.survey()
    came_through = {}
    for name, attack in ATTACKS.items():
        try:
            attack(neutron, own, theirs)
        except HttpException as error:
            if error.status_code not in REFUSALS:
                came_through[name] = f"answered {error.status_code}"
        else:
            came_through[name] = "accepted"
    assert came_through == {}
    assert openstack_stage.b.cloud.survey() == before


TOLERATED: dict[str, tuple[DriftKind, Callable[[Any, Belongings], object]]] = {
    "port security off": (
        DriftKind.PORT_SECURITY_OFF,
        lambda n, own: n.update_port(own["port"], security_group_ids=[], is_port_security_enabled=False),
    ),
    "a pair for everything": (
        DriftKind.ADDRESS_PAIR,
        lambda n, own: n.update_port(own["port"], allowed_address_pairs=[{"ip_address": "0.0.0.0/0"}]),
    ),
    "a group opened": (
        DriftKind.RULE_ADDED,
        lambda n, own: n.create_security_group_rule(
            security_group_id=own["group"], direction="ingress", ether_type="IPv4"
        ),
    ),
    "a share with one project": (
        DriftKind.SHARE,
        lambda n, own: n.create_rbac_policy(
            object_type="network", object_id=own["network"], action="access_as_shared", target_project_id=uuid4().hex
        ),
    ),
}
"""What Neutron lets a project do to itself: no member holds the credential for it, and the sweep mends each."""


@pytest.mark.parametrize("name", TOLERATED)
def test_what_neutron_tolerates_the_sweep_mends(tenant: Tenant, neutron: Any, name: str) -> None:
    kind, meddle = TOLERATED[name]
    own = furnish(tenant.cloud)
    before = tenant.cloud.survey()
    meddle(neutron, own)
    assert tenant.cloud.survey() != before
    assert MEANINGS[kind].default is Mode.MEND
