"""Two projects, each with everything a tenant has, from nothing to nothing again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from openstack import exceptions
from openstack.resource import Resource

from devcloud.openstack import Credentials
from tests.devcloud.openstack.clients import Cloud, connect_admin, connect_application, connect_member, create_member
from tests.devcloud.openstack.resources import attach, build, detach, remove


@pytest.fixture(scope="module")
def two_projects(openstack_cloud: Credentials) -> Iterator[tuple[Cloud, Cloud]]:
    with (
        connect_member(openstack_cloud, create_member(openstack_cloud)) as one,
        connect_member(openstack_cloud, create_member(openstack_cloud)) as other,
    ):
        yield one, other


def test_two_projects_live_side_by_side(two_projects: tuple[Cloud, Cloud]) -> None:
    built = [build(cloud, "web") for cloud in two_projects]
    for cloud, mine, other in zip(two_projects, built, reversed(built), strict=True):
        assert cloud.compute.get_server(mine.server).status == "ACTIVE"
        assert [server.id for server in cloud.compute.servers()] == [mine.server]
        assert [volume.id for volume in cloud.storage.volumes()] == [mine.volume]
        get: Callable[[str], Resource]
        for get, kind in (
            (cloud.compute.get_server, "server"),
            (cloud.storage.get_volume, "volume"),
            (cloud.network.get_network, "network"),
            (cloud.network.get_router, "router"),
            (cloud.network.get_security_group, "group"),
        ):
            assert get(getattr(mine, kind)).id == getattr(mine, kind)
            with pytest.raises(exceptions.NotFoundException):
                get(getattr(other, kind))
    for cloud, mine in zip(two_projects, built, strict=True):
        attach(cloud, mine)
        attachments = cloud.storage.get_volume(mine.volume).attachments
        assert [attachment["server_id"] for attachment in attachments] == [mine.server]
        detach(cloud, mine)
        assert cloud.storage.get_volume(mine.volume).attachments == []
        remove(cloud, mine)
        assert list(cloud.compute.servers()) == []
        assert list(cloud.storage.volumes()) == []
        assert list(cloud.network.ports()) == []
        assert [network.name for network in cloud.network.networks()] == ["public"]
        assert [group.name for group in cloud.network.security_groups()] == ["default"]


def test_application_credential_is_confined_to_its_project(openstack_cloud: Credentials) -> None:
    mine, other = create_member(openstack_cloud), create_member(openstack_cloud)
    with connect_member(openstack_cloud, other) as connection:
        foreign = connection.network.create_network(name="foreign")
    with connect_member(openstack_cloud, mine) as connection:
        credential = connection.identity.create_application_credential(user=mine.user_id, name="worker")
        assert not credential.unrestricted
    with connect_application(openstack_cloud, credential.id, credential.secret) as confined:
        assert confined.connection.current_project_id == mine.project_id
        own = confined.network.create_network(name="own")
        assert own.project_id == mine.project_id
        with pytest.raises(exceptions.NotFoundException):
            confined.network.get_network(foreign.id)
        with pytest.raises(exceptions.ForbiddenException):
            confined.identity.create_application_credential(user=mine.user_id, name="another")
        confined.network.delete_network(own.id)
    with connect_admin(openstack_cloud) as admin:
        admin.network.delete_network(foreign.id)


def test_a_new_cloud_has_what_an_operator_would_have_put_in(openstack_cloud: Credentials) -> None:
    with connect_admin(openstack_cloud) as admin:
        assert {"m1.nano", "m1.small", "m1.medium"} <= {f.name for f in admin.compute.flavors()}
        images = {image.name: image for image in admin.image.images(visibility="public")}
        assert {"debian-12", "cirros-0.6"} <= set(images)
        assert images["debian-12"].status == "active"
        assert images["debian-12"].properties["devcloud_placeholder"] == "true"
        network = admin.network.find_network(openstack_cloud.external_network, ignore_missing=False)
        assert network.is_router_external
        assert [subnet.cidr for subnet in admin.network.subnets(network_id=network.id)] == ["203.0.113.0/24"]
        assert admin.storage.find_type("standard") is not None


def test_router_gets_an_address_on_the_external_network(two_projects: tuple[Cloud, Cloud]) -> None:
    network = two_projects[0].network
    external = network.find_network("public", ignore_missing=False)
    router = network.create_router(name="gateway", external_gateway_info={"network_id": external.id})
    try:
        addresses = [ip["ip_address"] for ip in router.external_gateway_info["external_fixed_ips"]]
        assert len(addresses) == 1
        assert addresses[0].startswith("203.0.113.")
    finally:
        network.delete_router(router.id)
