"""A tenant's resources: one of each kind, built, used and removed."""

from __future__ import annotations

import dataclasses

from tests.devcloud.openstack.clients import WAIT_SECONDS, Cloud


@dataclasses.dataclass(frozen=True)
class Built:
    """The ids of what `build` made."""

    network: str
    subnet: str
    router: str
    group: str
    volume: str
    server: str


def build(cloud: Cloud, name: str) -> Built:
    """A routed network, a security group with a rule, an available volume and an ACTIVE server."""
    network = cloud.network.create_network(name=name)
    subnet = cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr="10.0.0.0/24")
    router = cloud.network.create_router(name=name)
    cloud.network.add_interface_to_router(router, subnet=subnet.id)
    group = cloud.network.create_security_group(name=name)
    cloud.network.create_security_group_rule(
        security_group_id=group.id,
        direction="ingress",
        ethertype="IPv4",
        protocol="tcp",
        port_range_min=443,
        port_range_max=443,
    )
    volume = cloud.storage.create_volume(name=name, size=1)
    server = cloud.compute.create_server(
        name=name,
        flavor_id=cloud.compute.find_flavor("m1.nano", ignore_missing=False).id,
        image_id=cloud.image.find_image("debian-12", ignore_missing=False).id,
        networks=[{"uuid": network.id}],
        security_groups=[{"name": name}],
    )
    wait_for_volume(cloud, volume.id, "available")
    cloud.compute.wait_for_server(server, interval=0.2, wait=WAIT_SECONDS)
    return Built(network.id, subnet.id, router.id, group.id, volume.id, server.id)


def attach(cloud: Cloud, built: Built) -> None:
    cloud.compute.create_volume_attachment(built.server, volume_id=built.volume)
    wait_for_volume(cloud, built.volume, "in-use")


def detach(cloud: Cloud, built: Built) -> None:
    cloud.compute.delete_volume_attachment(built.server, built.volume)
    wait_for_volume(cloud, built.volume, "available")


def remove(cloud: Cloud, built: Built) -> None:
    """Remove everything that `build` made, and wait until it is gone."""
    server = cloud.compute.get_server(built.server)
    cloud.compute.delete_server(server)
    cloud.compute.wait_for_delete(server, interval=0.2, wait=WAIT_SECONDS)
    volume = cloud.storage.get_volume(built.volume)
    cloud.storage.delete_volume(volume)
    cloud.storage.wait_for_delete(volume, interval=0.2, wait=WAIT_SECONDS)
    cloud.network.remove_interface_from_router(built.router, subnet=built.subnet)
    cloud.network.delete_router(built.router)
    cloud.network.delete_network(built.network)
    cloud.network.delete_security_group(built.group)


def wait_for_volume(cloud: Cloud, volume: str, status: str) -> None:
    cloud.storage.wait_for_status(cloud.storage.get_volume(volume), status, ["error"], interval=0.2, wait=WAIT_SECONDS)
