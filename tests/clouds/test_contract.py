"""The contract: the same tests hold for the cloud in memory and for OpenStack's own services.

Tests share two tenants and make objects of their own in them, so that they may run in any order and at once.
"""

from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from platforma.clouds.openstack import (
    CloudConflict,
    CloudCredentialInvalid,
    CloudImage,
    CloudKind,
    CloudNetwork,
    CloudNotFound,
    CloudPort,
    CloudQuotaExceeded,
    CloudRefused,
    CloudServer,
    CloudSubnet,
    CloudVolume,
    ProjectCloud,
    RuleSpec,
    cloud_name,
)
from tests.clouds.stage import Stage, Tenant, onboard, wait_for

CIDR = "10.20.0.0/24"


def make_network(cloud: ProjectCloud, id_: UUID | None = None) -> CloudNetwork:
    return cloud.ensure_network(id_ or uuid4(), description="A network")


def make_subnet(
    cloud: ProjectCloud, network: CloudNetwork, *, cidr: str = CIDR, id_: UUID | None = None
) -> CloudSubnet:
    return cloud.ensure_subnet(
        id_ or uuid4(),
        network_cloud_id=network.cloud_id,
        cidr=cidr,
        ip_version=6 if ":" in cidr else 4,
        gateway_ip=None,
        has_dhcp=True,
        dns_nameservers=["203.0.113.53"] if ":" not in cidr else [],
        description="A subnet",
    )


def make_group(cloud: ProjectCloud) -> str:
    return cloud.ensure_security_group(uuid4(), description="A group").cloud_id


def make_volume(cloud: ProjectCloud, id_: UUID | None = None) -> CloudVolume:
    id_ = id_ or uuid4()
    made = cloud.ensure_volume(id_, size_gib=1, description="A volume")
    return wait_for(lambda: cloud.get_volume(made.cloud_id), lambda volume: volume.status == "available")


def make_server(stage: Stage, tenant: Tenant, id_: UUID, port: str) -> CloudServer:
    administration = stage.clouds.open_administration(stage.settings, stage.administrator)
    flavor = min(administration.list_flavors(), key=lambda flavor: flavor.ram_mib)
    made = tenant.cloud.ensure_server(
        id_,
        hostname="Web Server_1",
        flavor_cloud_id=flavor.cloud_id,
        image_cloud_id=administration.list_public_images()[0].cloud_id,
        key_pair_name=None,
        port_cloud_ids=[port],
        metadata={"made-by": "a test"},
    )
    return wait_for(lambda: tenant.cloud.get_server(made.cloud_id), lambda server: server.status in {"ACTIVE", "ERROR"})


def public_key() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


class TestNetworks:
    def test_a_network_is_made_once(self, stage: Stage) -> None:
        id_ = uuid4()
        first = stage.a.cloud.ensure_network(id_, description="One")
        assert stage.a.cloud.ensure_network(id_, description="Another").cloud_id == first.cloud_id
        names = [network.name for network in stage.a.cloud.inventory()[CloudKind.NETWORK]]
        assert names.count(cloud_name(id_)) == 1
        assert first.status == "ACTIVE"

    def test_of_doubles_the_oldest_stays(self, stage: Stage) -> None:
        id_ = uuid4()
        first = make_network(stage.a.cloud, id_)
        double = stage.add_network(stage.a, cloud_name(id_))
        assert make_network(stage.a.cloud, id_).cloud_id == first.cloud_id
        assert double not in {each.cloud_id for each in stage.a.cloud.inventory()[CloudKind.NETWORK]}

    def test_deleting_takes_all_doubles_and_may_be_repeated(self, stage: Stage) -> None:
        id_ = uuid4()
        first = make_network(stage.a.cloud, id_)
        double = stage.add_network(stage.a, cloud_name(id_))
        assert stage.a.cloud.delete_network(id_)
        assert stage.a.cloud.delete_network(id_)
        assert stage.a.cloud.delete_network(first.cloud_id)
        left = {each.cloud_id for each in stage.a.cloud.inventory()[CloudKind.NETWORK]}
        assert not left & {first.cloud_id, double}

    def test_a_network_with_ports_is_busy(self, stage: Stage) -> None:
        network = make_network(stage.a.cloud)
        port = stage.a.cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
        with pytest.raises(CloudConflict):
            stage.a.cloud.delete_network(network.cloud_id)
        stage.a.cloud.delete_port(port.cloud_id)
        assert stage.a.cloud.delete_network(network.cloud_id)

    def test_a_subnet_is_made_once_and_changed(self, stage: Stage) -> None:
        network, id_ = make_network(stage.a.cloud), uuid4()
        subnet = make_subnet(stage.a.cloud, network, id_=id_)
        assert subnet.cidr == CIDR
        assert subnet.gateway_ip == "10.20.0.1"
        changed = stage.a.cloud.ensure_subnet(
            id_,
            network_cloud_id=network.cloud_id,
            cidr=CIDR,
            ip_version=4,
            gateway_ip="10.20.0.1",
            has_dhcp=False,
            dns_nameservers=[],
            description="",
        )
        assert changed.cloud_id == subnet.cloud_id
        assert changed.gateway_ip == "10.20.0.1"
        assert stage.a.cloud.delete_subnet(id_)
        assert stage.a.cloud.delete_subnet(id_)

    def test_a_gateway_may_be_chosen(self, stage: Stage) -> None:
        subnet = stage.a.cloud.ensure_subnet(
            uuid4(),
            network_cloud_id=make_network(stage.a.cloud).cloud_id,
            cidr=CIDR,
            ip_version=4,
            gateway_ip="10.20.0.254",
            has_dhcp=True,
            dns_nameservers=[],
            description="",
        )
        assert subnet.gateway_ip == "10.20.0.254"

    def test_ranges_of_a_network_do_not_overlap(self, stage: Stage) -> None:
        network = make_network(stage.a.cloud)
        make_subnet(stage.a.cloud, network)
        with pytest.raises(CloudRefused):
            make_subnet(stage.a.cloud, network)

    def test_ipv6(self, stage: Stage) -> None:
        network = make_network(stage.a.cloud)
        subnet = make_subnet(stage.a.cloud, network, cidr="2001:db8:1::/64")
        assert subnet.gateway_ip == "2001:db8:1::1"
        assert make_subnet(stage.a.cloud, network, cidr="2001:db8:2::/64").cloud_id != subnet.cloud_id

    def test_a_router_leads_outside_or_not(self, stage: Stage) -> None:
        id_ = uuid4()
        router = stage.a.cloud.ensure_router(id_, has_external_gateway=True, description="")
        assert router.external_address is not None
        assert stage.a.cloud.ensure_router(id_, has_external_gateway=False, description="").external_address is None
        assert stage.a.cloud.delete_router(id_)

    def test_subnets_are_attached_and_detached(self, stage: Stage) -> None:
        cloud = stage.a.cloud
        router = cloud.ensure_router(uuid4(), has_external_gateway=False, description="")
        subnet = make_subnet(cloud, make_network(cloud))
        for _ in range(2):
            cloud.attach_subnet(router.cloud_id, subnet.cloud_id)
            assert cloud.list_router_subnets(router.cloud_id) == {subnet.cloud_id}
        with pytest.raises(CloudConflict):
            cloud.delete_subnet(subnet.cloud_id)
        for _ in range(2):
            cloud.detach_subnet(router.cloud_id, subnet.cloud_id)
            assert cloud.list_router_subnets(router.cloud_id) == set()

    def test_deleting_a_router_detaches_its_subnets(self, stage: Stage) -> None:
        cloud = stage.a.cloud
        router = cloud.ensure_router(uuid4(), has_external_gateway=True, description="")
        subnet = make_subnet(cloud, make_network(cloud))
        cloud.attach_subnet(router.cloud_id, subnet.cloud_id)
        assert cloud.delete_router(router.cloud_id)
        assert cloud.delete_subnet(subnet.cloud_id)


class TestFloatingIps:
    def test_a_floating_ip_leads_to_a_port_and_nowhere(self, stage: Stage) -> None:
        cloud, id_ = stage.a.cloud, uuid4()
        made = cloud.ensure_floating_ip(id_, port_cloud_id=None)
        assert made.port_cloud_id is None
        network = make_network(cloud)
        subnet = make_subnet(cloud, network)
        port = cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
        with pytest.raises(CloudNotFound):
            cloud.ensure_floating_ip(id_, port_cloud_id=port.cloud_id)
        router = cloud.ensure_router(uuid4(), has_external_gateway=True, description="")
        cloud.attach_subnet(router.cloud_id, subnet.cloud_id)
        led = cloud.ensure_floating_ip(id_, port_cloud_id=port.cloud_id)
        assert (led.cloud_id, led.address, led.port_cloud_id) == (made.cloud_id, made.address, port.cloud_id)
        assert cloud.ensure_floating_ip(id_, port_cloud_id=port.cloud_id) == led
        assert cloud_name(id_) in [each.name for each in cloud.inventory()[CloudKind.FLOATING_IP]]
        with pytest.raises(CloudConflict):
            cloud.ensure_floating_ip(uuid4(), port_cloud_id=port.cloud_id)
        assert cloud.ensure_floating_ip(id_, port_cloud_id=None).port_cloud_id is None
        cloud.ensure_floating_ip(id_, port_cloud_id=port.cloud_id)
        assert cloud.delete_port(port.cloud_id)
        assert cloud.ensure_floating_ip(id_, port_cloud_id=None) == made
        assert cloud.delete_floating_ip(id_)
        assert cloud.delete_floating_ip(id_)
        assert cloud_name(id_) not in [each.name for each in cloud.inventory()[CloudKind.FLOATING_IP]]

    def test_a_port_of_another(self, stage: Stage) -> None:
        network = make_network(stage.b.cloud)
        make_subnet(stage.b.cloud, network)
        port = stage.b.cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
        id_ = uuid4()
        with pytest.raises(CloudNotFound):
            stage.a.cloud.ensure_floating_ip(id_, port_cloud_id=port.cloud_id)
        assert cloud_name(id_) not in [each.name for each in stage.a.cloud.inventory()[CloudKind.FLOATING_IP]]


class TestSecurityGroups:
    def test_each_project_has_a_default_group_of_its_own(self, stage: Stage) -> None:
        ours = stage.a.cloud.find_default_security_group()
        theirs = stage.b.cloud.find_default_security_group()
        assert ours is not None
        assert theirs is not None
        assert ours.cloud_id != theirs.cloud_id

    def test_rules_are_exactly_those_that_are_given(self, stage: Stage) -> None:
        group = make_group(stage.a.cloud)
        ssh = RuleSpec(uuid4(), "ingress", "IPv4", "tcp", 22, 22, "192.0.2.0/24")
        ping = RuleSpec(uuid4(), "ingress", "IPv6", "icmp")
        out = RuleSpec(uuid4(), "egress", "IPv4")
        peers = RuleSpec(uuid4(), "ingress", "IPv4", remote_group_cloud_id=group)
        first = stage.a.cloud.replace_rules(group, [ssh, ping, out, peers])
        assert set(first) == {ssh.id, ping.id, out.id, peers.id}
        assert len(set(first.values())) == 4
        assert stage.a.cloud.replace_rules(group, [ssh, ping, out, peers]) == first
        assert stage.a.cloud.replace_rules(group, [ssh]) == {ssh.id: first[ssh.id]}
        assert stage.a.cloud.replace_rules(group, []) == {}
        assert stage.a.cloud.replace_rules(group, [ssh])[ssh.id] != first[ssh.id]

    def test_rules_that_admit_the_same_are_one(self, stage: Stage) -> None:
        spellings = [
            RuleSpec(uuid4(), "ingress", "IPv4", "tcp", 80, 80, "0.0.0.0/0"),
            RuleSpec(uuid4(), "ingress", "IPv4", "TCP", 80, 80),
            RuleSpec(uuid4(), "ingress", "IPv4", "6", 80, 80),
        ]
        made = stage.a.cloud.replace_rules(make_group(stage.a.cloud), spellings)
        assert len(made) == 3
        assert len(set(made.values())) == 1

    def test_a_group_in_use_is_busy(self, stage: Stage) -> None:
        cloud, group = stage.a.cloud, make_group(stage.a.cloud)
        network = make_network(cloud)
        port = cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[group])
        with pytest.raises(CloudConflict):
            cloud.delete_security_group(group)
        assert cloud.delete_port(port.cloud_id)
        assert cloud.delete_security_group(group)
        assert cloud.delete_security_group(group)

    def test_a_port_has_an_address_and_changes_its_groups(self, stage: Stage) -> None:
        cloud, id_ = stage.a.cloud, uuid4()
        network = make_network(cloud)
        subnet = make_subnet(cloud, network)
        groups = [make_group(cloud), make_group(cloud)]
        port = cloud.ensure_port(id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=groups)
        assert [each.subnet_cloud_id for each in port.fixed_ips] == [subnet.cloud_id]
        assert port.fixed_ips[0].address.startswith("10.20.0.")
        again = cloud.ensure_port(id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=groups[:1])
        assert again.cloud_id == port.cloud_id
        assert cloud.delete_security_group(groups[1])
        assert cloud.delete_port(id_)

    def test_a_port_has_the_addresses_that_were_chosen(self, stage: Stage) -> None:
        cloud, id_ = stage.a.cloud, uuid4()
        network = make_network(cloud)
        make_subnet(cloud, network)
        six = make_subnet(cloud, network, cidr="2001:db8:7::/64")

        def ensure(id_: UUID, *addresses: str) -> CloudPort:
            return cloud.ensure_port(
                id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[], fixed_addresses=addresses
            )

        port = ensure(id_, "10.20.0.77")
        assert "10.20.0.77" in [each.address for each in port.fixed_ips]
        assert [each.subnet_cloud_id for each in port.fixed_ips if ":" in each.address] == [six.cloud_id]
        assert (ensure(id_, "10.20.0.77"), port.server_cloud_id) == (port, None)
        assert cloud.get_port(port.cloud_id) == port
        for taken in ("10.20.0.77", "10.21.0.1"):
            with pytest.raises(CloudRefused):
                ensure(uuid4(), taken)
        moved = ensure(id_, "10.20.0.78")
        assert moved.cloud_id == port.cloud_id
        assert "10.20.0.78" in [each.address for each in moved.fixed_ips]
        assert cloud.delete_port(id_)
        with pytest.raises(CloudNotFound):
            cloud.get_port(port.cloud_id)

    def test_allowed_addresses_stay_within_the_networks_subnets(self, stage: Stage) -> None:
        cloud, id_ = stage.a.cloud, uuid4()
        network = make_network(cloud)
        make_subnet(cloud, network)
        for addresses in (["10.20.0.77"], ["10.20.0.128/25", "10.20.0.7/32"], []):
            cloud.ensure_port(
                id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[], allowed_addresses=addresses
            )
        for bad in ("0.0.0.0/0", "10.21.0.1", "::/0", "10.0.0.0/8"):
            with pytest.raises(CloudRefused):
                cloud.ensure_port(
                    id_, network_cloud_id=network.cloud_id, security_group_cloud_ids=[], allowed_addresses=[bad]
                )


class TestServersAndVolumes:
    def test_key_pairs(self, stage: Stage) -> None:
        id_, key = uuid4(), public_key()
        made = stage.a.cloud.ensure_key_pair(id_, public_key=key)
        assert stage.a.cloud.ensure_key_pair(id_, public_key=key) == made
        assert stage.a.cloud.ensure_key_pair(id_, public_key=public_key()).fingerprint != made.fingerprint
        assert stage.a.cloud.delete_key_pair(id_)
        assert stage.a.cloud.delete_key_pair(id_)
        assert made.name not in {each.name for each in stage.a.cloud.inventory()[CloudKind.KEY_PAIR]}

    def test_the_life_of_a_server_with_a_volume(self, stage: Stage) -> None:
        cloud, id_ = stage.a.cloud, uuid4()
        network = make_network(cloud)
        make_subnet(cloud, network)
        group = make_group(cloud)
        port = cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[group])
        server = make_server(stage, stage.a, id_, port.cloud_id)
        assert (server.status, server.power, server.fault) == ("ACTIVE", "running", None)
        assert [each.address for each in server.addresses] == [each.address for each in port.fixed_ips]
        assert make_server(stage, stage.a, id_, port.cloud_id).cloud_id == server.cloud_id

        back = make_network(cloud)
        make_subnet(cloud, back, cidr="10.21.0.0/24")
        free = cloud.ensure_port(uuid4(), network_cloud_id=back.cloud_id, security_group_cloud_ids=[group])
        for _ in range(2):
            cloud.attach_port(server.cloud_id, free.cloud_id)
        wait_for(lambda: cloud.get_port(free.cloud_id), lambda seen: seen.server_cloud_id == server.cloud_id)
        assert len(cloud.get_server(server.cloud_id).addresses) == 2
        theirs = make_network(stage.b.cloud)
        make_subnet(stage.b.cloud, theirs)
        foreign = stage.b.cloud.ensure_port(uuid4(), network_cloud_id=theirs.cloud_id, security_group_cloud_ids=[])
        with pytest.raises(CloudNotFound):
            cloud.attach_port(server.cloud_id, foreign.cloud_id)
        with pytest.raises(CloudNotFound):
            stage.b.cloud.attach_port(server.cloud_id, foreign.cloud_id)
        assert stage.b.cloud.get_port(foreign.cloud_id).server_cloud_id is None
        for _ in range(2):
            cloud.detach_port(server.cloud_id, free.cloud_id)
        wait_for(lambda: cloud.get_port(free.cloud_id), lambda seen: seen.server_cloud_id is None)
        assert cloud.delete_port(free.cloud_id)

        volume = make_volume(cloud)
        for _ in range(2):
            cloud.attach_volume(server.cloud_id, volume.cloud_id)
        attached = wait_for(lambda: cloud.get_volume(volume.cloud_id), lambda seen: seen.status == "in-use")
        assert [each.server_cloud_id for each in attached.attachments] == [server.cloud_id]
        assert attached.attachments[0].device is not None
        assert cloud.attach_volume(server.cloud_id, volume.cloud_id).attachments == attached.attachments
        assert cloud.list_server_volumes(server.cloud_id) == {volume.cloud_id}
        with pytest.raises(CloudConflict):
            cloud.delete_volume(volume.cloud_id)
        for _ in range(2):
            cloud.detach_volume(server.cloud_id, volume.cloud_id)
        detached = wait_for(lambda: cloud.get_volume(volume.cloud_id), lambda seen: seen.status == "available")
        assert detached.attachments == ()
        assert cloud.list_server_volumes(server.cloud_id) == set()

        assert len(cloud.console_output(server.cloud_id, lines=2).splitlines()) == 2
        for _ in range(2):
            cloud.stop_server(server.cloud_id)
        stopped = wait_for(lambda: cloud.get_server(server.cloud_id), lambda seen: seen.status == "SHUTOFF")
        assert stopped.power == "stopped"
        for _ in range(2):
            cloud.start_server(server.cloud_id)
        wait_for(lambda: cloud.get_server(server.cloud_id), lambda seen: seen.power == "running")
        wait_for(lambda: cloud.get_server(server.cloud_id), lambda seen: seen.task_state is None)
        assert cloud.count_reboots(server.cloud_id) == 0
        cloud.reboot_server(server.cloud_id, hard=True)
        assert cloud.count_reboots(server.cloud_id) == 1
        wait_for(lambda: cloud.get_server(server.cloud_id), lambda seen: seen.status == "ACTIVE")

        assert not cloud.delete_server(id_)
        wait_for(lambda: cloud.delete_server(id_), bool)
        with pytest.raises(CloudNotFound):
            cloud.get_server(server.cloud_id)
        assert cloud.delete_port(port.cloud_id)

    def test_a_server_needs_an_address(self, stage: Stage) -> None:
        network = make_network(stage.a.cloud)
        port = stage.a.cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
        with pytest.raises(CloudRefused):
            make_server(stage, stage.a, uuid4(), port.cloud_id)

    def test_volumes_grow_and_go(self, stage: Stage) -> None:
        cloud, id_ = stage.a.cloud, uuid4()
        volume = make_volume(cloud, id_)
        assert cloud.ensure_volume(id_, size_gib=9, description="Other words") == volume
        cloud.extend_volume(volume.cloud_id, size_gib=2)
        grown = wait_for(lambda: cloud.get_volume(volume.cloud_id), lambda seen: seen.status == "available")
        assert grown.size_gib == 2
        assert cloud.extend_volume(volume.cloud_id, size_gib=1).size_gib == 2
        wait_for(lambda: cloud.delete_volume(id_), bool)
        with pytest.raises(CloudNotFound):
            cloud.get_volume(volume.cloud_id)

    def test_what_never_existed_is_not_found(self, stage: Stage) -> None:
        for call in (
            lambda: stage.a.cloud.get_server(str(uuid4())),
            lambda: stage.a.cloud.get_volume(str(uuid4())),
            lambda: stage.a.cloud.list_router_subnets(str(uuid4())),
            lambda: stage.a.cloud.replace_rules(str(uuid4()), []),
        ):
            with pytest.raises(CloudNotFound):
                call()
        assert stage.a.cloud.delete_server(uuid4())
        assert stage.a.cloud.delete_volume(str(uuid4()))


class TestIsolation:
    """What one tenant does with the other's ids. Each denial stands beside the success that it differs from."""

    def test_networks_of_another(self, stage: Stage) -> None:
        theirs = make_network(stage.b.cloud)
        their_subnet = make_subnet(stage.b.cloud, theirs)
        their_router = stage.b.cloud.ensure_router(uuid4(), has_external_gateway=False, description="")
        our_router = stage.a.cloud.ensure_router(uuid4(), has_external_gateway=False, description="")
        our_subnet = make_subnet(stage.a.cloud, make_network(stage.a.cloud))
        for call in (
            lambda: make_subnet(stage.a.cloud, theirs, cidr="10.99.0.0/24"),
            lambda: stage.a.cloud.attach_subnet(our_router.cloud_id, their_subnet.cloud_id),
            lambda: stage.a.cloud.attach_subnet(their_router.cloud_id, our_subnet.cloud_id),
            lambda: stage.a.cloud.list_router_subnets(their_router.cloud_id),
            lambda: stage.a.cloud.ensure_port(uuid4(), network_cloud_id=theirs.cloud_id, security_group_cloud_ids=[]),
        ):
            with pytest.raises(CloudNotFound):
                call()
        stage.a.cloud.delete_subnet(their_subnet.cloud_id)
        stage.a.cloud.delete_network(theirs.cloud_id)
        stage.a.cloud.delete_router(their_router.cloud_id)
        stage.b.cloud.attach_subnet(their_router.cloud_id, their_subnet.cloud_id)
        assert stage.b.cloud.list_router_subnets(their_router.cloud_id) == {their_subnet.cloud_id}

    def test_security_groups_of_another(self, stage: Stage) -> None:
        theirs, ours = make_group(stage.b.cloud), make_group(stage.a.cloud)
        network = make_network(stage.a.cloud)
        rule = RuleSpec(uuid4(), "ingress", "IPv4", remote_group_cloud_id=theirs)
        for call in (
            lambda: stage.a.cloud.replace_rules(theirs, []),
            lambda: stage.a.cloud.replace_rules(ours, [rule]),
            lambda: stage.a.cloud.ensure_port(
                uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[theirs]
            ),
        ):
            with pytest.raises(CloudNotFound):
                call()
        stage.a.cloud.delete_security_group(theirs)
        assert rule.id in stage.b.cloud.replace_rules(theirs, [rule])

    def test_a_name_of_another_is_free(self, stage: Stage) -> None:
        id_ = uuid4()
        theirs = make_network(stage.b.cloud, id_)
        ours = make_network(stage.a.cloud, id_)
        assert ours.cloud_id != theirs.cloud_id
        assert stage.a.cloud.delete_network(id_)
        assert make_network(stage.b.cloud, id_).cloud_id == theirs.cloud_id

    def test_volumes_of_another(self, stage: Stage) -> None:
        theirs = make_volume(stage.b.cloud)
        network = make_network(stage.a.cloud)
        make_subnet(stage.a.cloud, network)
        port = stage.a.cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[])
        server = make_server(stage, stage.a, uuid4(), port.cloud_id)
        for call in (
            lambda: stage.a.cloud.get_volume(theirs.cloud_id),
            lambda: stage.a.cloud.extend_volume(theirs.cloud_id, size_gib=2),
            lambda: stage.a.cloud.attach_volume(server.cloud_id, theirs.cloud_id),
            lambda: stage.b.cloud.attach_volume(server.cloud_id, theirs.cloud_id),
            lambda: stage.b.cloud.get_server(server.cloud_id),
            lambda: stage.b.cloud.console_output(server.cloud_id, lines=1),
            lambda: stage.b.cloud.count_reboots(server.cloud_id),
            lambda: stage.b.cloud.list_server_volumes(server.cloud_id),
            lambda: stage.b.cloud.reboot_server(server.cloud_id, hard=True),
        ):
            with pytest.raises(CloudNotFound):
                call()
        assert stage.a.cloud.delete_volume(theirs.cloud_id)
        assert stage.b.cloud.delete_server(server.cloud_id)
        assert stage.b.cloud.get_volume(theirs.cloud_id) == theirs
        assert stage.a.cloud.get_server(server.cloud_id).status == "ACTIVE"

    def test_an_inventory_shows_nothing_of_another(self, stage: Stage) -> None:
        make_network(stage.b.cloud)
        ours = {each.cloud_id for objects in stage.a.cloud.inventory().values() for each in objects}
        theirs = {each.cloud_id for objects in stage.b.cloud.inventory().values() for each in objects}
        assert theirs
        assert not ours & theirs


class TestAdministration:
    def test_a_tenant_is_onboarded_once(self, stage: Stage) -> None:
        administration = stage.clouds.open_administration(stage.settings, stage.administrator)
        tenant_id = uuid4()
        project_id = administration.ensure_project(tenant_id, description="One")
        assert administration.ensure_project(tenant_id, description="Another") == project_id
        user_id = administration.ensure_user(tenant_id, project_id)
        assert administration.ensure_user(tenant_id, project_id) == user_id

    def test_a_new_credential_replaces_the_old(self, stage: Stage) -> None:
        administration = stage.clouds.open_administration(stage.settings, stage.administrator)
        tenant = onboard(stage.clouds, stage.settings, administration)
        old = tenant.credential
        new = administration.create_credential(old.project_id, old.user_id)
        administration.verify_confined(new)
        assert stage.clouds.open_project(stage.settings, new).project_id == new.project_id
        with pytest.raises(CloudCredentialInvalid):
            administration.verify_confined(old)

    def test_quotas_hold(self, stage: Stage) -> None:
        administration = stage.clouds.open_administration(stage.settings, stage.administrator)
        tenant = onboard(stage.clouds, stage.settings, administration)
        project_id = tenant.credential.project_id
        administration.set_quotas(project_id, {"networks": 1, "volumes": 0, "servers": 3, "key_pairs": 2})
        make_network(tenant.cloud)
        with pytest.raises(CloudQuotaExceeded):
            make_network(tenant.cloud)
        with pytest.raises(CloudQuotaExceeded):
            tenant.cloud.ensure_volume(uuid4(), size_gib=1, description="")
        with pytest.raises(ValueError, match="starships"):
            administration.set_quotas(project_id, {"starships": 1})

    def test_the_catalogue(self, stage: Stage) -> None:
        administration = stage.clouds.open_administration(stage.settings, stage.administrator)
        assert all(flavor.vcpus > 0 and flavor.ram_mib > 0 for flavor in administration.list_flavors())
        assert all(isinstance(image, CloudImage) and image.name for image in administration.list_public_images())

    def test_a_tenant_is_offboarded(self, stage: Stage) -> None:
        administration = stage.clouds.open_administration(stage.settings, stage.administrator)
        tenant = onboard(stage.clouds, stage.settings, administration)
        cloud, credential = tenant.cloud, tenant.credential
        network = make_network(cloud)
        subnet = make_subnet(cloud, network)
        router = cloud.ensure_router(uuid4(), has_external_gateway=True, description="")
        cloud.attach_subnet(router.cloud_id, subnet.cloud_id)
        group = make_group(cloud)
        port = cloud.ensure_port(uuid4(), network_cloud_id=network.cloud_id, security_group_cloud_ids=[group])
        cloud.ensure_key_pair(uuid4(), public_key=public_key())
        make_server(stage, tenant, uuid4(), port.cloud_id)
        cloud.ensure_volume(uuid4(), size_gib=1, description="")

        wait_for(lambda: administration.empty_project(credential.project_id), lambda left: left == [])
        inventory = cloud.inventory()
        assert {each.name for objects in inventory.values() for each in objects} <= {"default"}
        for _ in range(2):
            assert administration.delete_user(credential.user_id)
            assert administration.delete_project(credential.project_id)
        with pytest.raises(CloudCredentialInvalid):
            administration.verify_confined(credential)

    def test_the_cloud_is_found_fit(self, stage: Stage) -> None:
        findings = stage.clouds.open_administration(stage.settings, stage.administrator).check()
        assert [finding.message for finding in findings if not finding.is_good] == []
        assert findings

    def test_a_wrong_password_opens_nothing(self, stage: Stage) -> None:
        wrong = type(stage.administrator)(username=stage.administrator.username, password="wrong")
        with pytest.raises(CloudCredentialInvalid):
            stage.clouds.open_administration(stage.settings, wrong)
