"""What somebody changes in OpenStack behind our back is mended by the next look at it."""

from typing import Any
from uuid import uuid4

import pytest

from devcloud.openstack.credentials import Credentials
from platforma.clouds.openstack import (
    CloudId,
    CloudKind,
    CloudSubnet,
    Ipv6Mode,
    ProjectCloud,
    RuleSpec,
    cloud_name,
)
from tests.clouds.stage import OpenStackStage, Tenant
from tests.devcloud.openstack.clients import connect_admin


@pytest.fixture
def tenant(openstack_stage: OpenStackStage) -> Tenant:
    return openstack_stage.a


@pytest.fixture
def cloud(tenant: Tenant) -> ProjectCloud:
    return tenant.cloud


@pytest.fixture
def back_door(openstack_stage: OpenStackStage, tenant: Tenant) -> Any:
    """The SDK's own connection, with the tenant's rights."""
    return openstack_stage.open_back_door(tenant).connection


def make_subnet(cloud: ProjectCloud, network_cloud_id: CloudId) -> CloudSubnet:
    return cloud.ensure_subnet(
        uuid4(),
        network_cloud_id=network_cloud_id,
        cidr="10.30.0.0/24",
        ip_version=4,
        gateway_ip=None,
        has_dhcp=True,
        dns_nameservers=[],
        description="",
    )


def test_rules_that_somebody_added_are_deleted(cloud: ProjectCloud, back_door: Any) -> None:
    group = cloud.ensure_security_group(uuid4(), description="").cloud_id
    rule = RuleSpec(uuid4(), "ingress", "IPv4", "tcp", 443, 443)
    made = cloud.replace_rules(group, [rule])
    back_door.network.create_security_group_rule(security_group_id=group, direction="ingress", ether_type="IPv4")
    assert cloud.replace_rules(group, [rule]) == made
    present = back_door.network.get_security_group(group).security_group_rules
    assert [each["id"] for each in present] == list(made.values())


def test_a_new_group_admits_nothing(cloud: ProjectCloud, back_door: Any) -> None:
    group = cloud.ensure_security_group(uuid4(), description="")
    assert back_door.network.get_security_group(group.cloud_id).security_group_rules == []


def test_a_network_that_somebody_shared_is_private_again(
    openstack_stage: OpenStackStage, cloud: ProjectCloud, back_door: Any
) -> None:
    id_ = uuid4()
    network = cloud.ensure_network(id_, description="")
    back_door.network.create_rbac_policy(
        object_type="network",
        object_id=network.cloud_id,
        action="access_as_shared",
        target_project_id=openstack_stage.b.credential.project_id,
    )
    other_door = openstack_stage.open_back_door(openstack_stage.b).connection
    assert network.cloud_id in {each.id for each in other_door.network.networks()}
    inventory = openstack_stage.b.cloud.inventory()[CloudKind.NETWORK]
    assert network.cloud_id not in {each.cloud_id for each in inventory}
    cloud.ensure_network(id_, description="")
    assert network.cloud_id not in {each.id for each in other_door.network.networks()}


def test_a_route_that_somebody_set_is_taken_away(cloud: ProjectCloud, back_door: Any) -> None:
    network = cloud.ensure_network(uuid4(), description="")
    subnet = make_subnet(cloud, network.cloud_id)
    id_ = uuid4()
    router = cloud.ensure_router(id_, has_external_gateway=False, description="")
    cloud.attach_subnet(router.cloud_id, subnet.cloud_id)
    route = {"destination": "192.0.2.0/24", "nexthop": "10.30.0.9"}
    back_door.network.update_router(router.cloud_id, routes=[route])
    cloud.ensure_router(id_, has_external_gateway=False, description="")
    assert back_door.network.get_router(router.cloud_id).routes == []
    back_door.network.update_router(router.cloud_id, routes=[route])
    assert cloud.delete_router(id_)


def test_a_port_without_groups_gets_its_groups_back(cloud: ProjectCloud, back_door: Any) -> None:
    network = cloud.ensure_network(uuid4(), description="")
    group = cloud.ensure_security_group(uuid4(), description="").cloud_id
    id_ = uuid4()
    port = cloud.ensure_port(id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[group])
    back_door.network.update_port(port.cloud_id, security_group_ids=[])
    cloud.ensure_port(id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[group])
    assert back_door.network.get_port(port.cloud_id).security_group_ids == [group]


def test_a_port_that_may_pretend_is_put_right(cloud: ProjectCloud, back_door: Any) -> None:
    network = cloud.ensure_network(uuid4(), description="")
    id_ = uuid4()
    port = cloud.ensure_port(id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
    back_door.network.update_port(port.cloud_id, allowed_address_pairs=[{"ip_address": "10.0.0.0/8"}])
    back_door.network.update_port(port.cloud_id, allowed_address_pairs=[], is_port_security_enabled=False)
    cloud.ensure_port(id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
    seen = back_door.network.get_port(port.cloud_id)
    assert seen.is_port_security_enabled
    assert seen.allowed_address_pairs == []


def test_a_port_keeps_its_allowed_addresses_and_loses_others(cloud: ProjectCloud, back_door: Any) -> None:
    network = cloud.ensure_network(uuid4(), description="")
    make_subnet(cloud, network.cloud_id)
    id_ = uuid4()

    def ensure() -> CloudId:
        return cloud.ensure_port(
            id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[], allowed_addresses=["10.30.0.64/26"]
        ).cloud_id

    port = ensure()
    pairs = [{"ip_address": "10.30.0.64/26"}, {"ip_address": "0.0.0.0/0"}]
    back_door.network.update_port(port, allowed_address_pairs=pairs)
    ensure()
    (pair,) = back_door.network.get_port(port).allowed_address_pairs
    assert pair["ip_address"] == "10.30.0.64/26"


@pytest.mark.parametrize("mode", ["slaac", "dhcpv6-stateless", "dhcpv6-stateful"])
def test_ipv6_modes(cloud: ProjectCloud, back_door: Any, mode: Ipv6Mode) -> None:
    network = cloud.ensure_network(uuid4(), description="")
    subnet = cloud.ensure_subnet(
        uuid4(),
        network_cloud_id=network.cloud_id,
        cidr="fd00:30::/64",
        ip_version=6,
        gateway_ip=None,
        has_dhcp=True,
        ipv6_mode=mode,
        dns_nameservers=[],
        description="",
    )
    seen = back_door.network.get_subnet(subnet.cloud_id)
    assert (seen.ipv6_address_mode, seen.ipv6_ra_mode) == (mode, mode)


def test_rules_of_another_project_are_the_administrators_to_delete(
    openstack_stage: OpenStackStage, cloud: ProjectCloud, openstack_cloud: Credentials
) -> None:
    """They open the tenant's group, whose own credential sees them and cannot delete them."""
    group = cloud.ensure_security_group(uuid4(), description="").cloud_id
    rule = RuleSpec(uuid4(), "ingress", "IPv4", "tcp", 443, 443)
    own = cloud.replace_rules(group, [rule])
    with connect_admin(openstack_cloud) as admin:
        added = admin.network.create_security_group_rule(
            security_group_id=group, direction="ingress", ether_type="IPv4"
        )
    assert cloud.replace_rules(group, [rule]) == own
    assert set(cloud.survey().rules[group]) == {added.id, *own.values()}
    for _ in range(2):
        openstack_stage.administration.delete_foreign_rules(openstack_stage.a.credential.project_id)
        assert set(cloud.survey().rules[group]) == set(own.values())
    assert cloud.replace_rules(group, []) == {}


def test_a_survey_shows_what_somebody_changed(
    openstack_stage: OpenStackStage, cloud: ProjectCloud, back_door: Any
) -> None:
    network = cloud.ensure_network(uuid4(), description="").cloud_id
    subnet = make_subnet(cloud, network).cloud_id
    router = cloud.ensure_router(uuid4(), has_external_gateway=True, description="").cloud_id
    cloud.attach_subnet(router, subnet)
    group = cloud.ensure_security_group(uuid4(), description="").cloud_id
    id_ = uuid4()
    port = cloud.ensure_port(id_, network_cloud_id=network, security_group_cloud_ids=[group]).cloud_id
    before = cloud.survey()
    assert before.rules[group] == {}
    assert [each.has_external_gateway for each in before.routers if each.cloud_id == router] == [True]
    (seen,) = [each for each in before.ports if each.cloud_id == port]
    assert seen.is_secured
    assert set(seen.group_cloud_ids) == {group}
    assert seen.allowed_addresses == ()

    neutron = back_door.network
    rule = neutron.create_security_group_rule(security_group_id=group, direction="ingress", ether_type="IPv4")
    neutron.update_port(port, allowed_address_pairs=[{"ip_address": "10.0.0.0/8"}])
    neutron.update_router(router, routes=[{"destination": "192.0.2.0/24", "nexthop": "10.30.0.9"}])
    neutron.update_subnet(subnet, host_routes=[{"destination": "192.0.2.0/24", "nexthop": "10.30.0.9"}])
    other = openstack_stage.b.credential.project_id
    neutron.create_rbac_policy(
        object_type="network", object_id=network, action="access_as_shared", target_project_id=other
    )
    after = cloud.survey()
    assert set(after.rules[group]) == {rule.id}
    assert [each.allowed_addresses for each in after.ports if each.cloud_id == port] == [("10.0.0.0/8",)]
    assert [each.routes for each in after.routers if each.cloud_id == router] == [("192.0.2.0/24 via 10.30.0.9",)]
    assert after.host_routes[subnet] == ("192.0.2.0/24 via 10.30.0.9",)
    (share,) = [each for each in after.shares if each.object_cloud_id == network]
    assert (share.target, share.action) == (other, "access_as_shared")
    assert network not in {each.cloud_id for each in openstack_stage.b.cloud.survey().objects[CloudKind.NETWORK]}
    assert openstack_stage.b.cloud.survey().shares == ()
    assert openstack_stage.b.cloud.delete_share(share.cloud_id), "for B there is no such share"
    assert [each for each in cloud.survey().shares if each.object_cloud_id == network] == [share]
    assert cloud.delete_share(share.cloud_id)
    assert cloud.delete_share(share.cloud_id)
    assert not [each for each in cloud.survey().shares if each.object_cloud_id == network]
    neutron.update_port(port, allowed_address_pairs=[])
    neutron.update_port(port, security_group_ids=[], is_port_security_enabled=False)
    assert [each.is_secured for each in cloud.survey().ports if each.cloud_id == port] == [False]


def test_a_server_has_the_name_the_host_name_and_the_metadata(
    openstack_stage: OpenStackStage, cloud: ProjectCloud, back_door: Any
) -> None:
    administration = openstack_stage.administration
    network, id_ = cloud.ensure_network(uuid4(), description=""), uuid4()
    make_subnet(cloud, network.cloud_id)
    port = cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
    made = cloud.ensure_server(
        id_,
        hostname="Änne's Web_Server",
        flavor_cloud_id=min(administration.list_flavors(), key=lambda flavor: flavor.ram_mib).cloud_id,
        image_cloud_id=administration.list_public_images()[0].cloud_id,
        key_pair_name=None,
        port_cloud_ids=[port.cloud_id],
        metadata={"platforma": "yes"},
    )
    seen = back_door.compute.get_server(made.cloud_id)
    assert (seen.name, seen.hostname) == (cloud_name(id_), "anne-s-web-server")
    assert seen.metadata == {"platforma": "yes"}
    cloud.delete_server(id_)
