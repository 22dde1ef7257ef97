"""Each way in which the cloud can be made to fail, seen by an unmodified client."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from keystoneauth1 import exceptions as transport
from openstack import exceptions

from devcloud.openstack import Credentials
from devcloud.openstack.faults import (
    Answer,
    Delay,
    Drop,
    FaultyCloud,
    Hold,
    LoseAnswer,
    faulty_cloud,
)
from tests.devcloud.openstack.clients import Cloud, connect_member, create_member


@pytest.fixture(scope="module")
def faulty(openstack_cloud: Credentials) -> Iterator[FaultyCloud]:
    with faulty_cloud(openstack_cloud) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def member_connection(openstack_cloud: Credentials, faulty: FaultyCloud) -> Iterator[Cloud]:
    with connect_member(faulty.credentials, create_member(openstack_cloud)) as connection:
        yield connection


@pytest.fixture
def cloud(faulty: FaultyCloud) -> Iterator[FaultyCloud]:
    yield faulty
    faulty.mend()


@pytest.fixture
def client(member_connection: Cloud) -> Iterator[Cloud]:
    yield member_connection
    for network in list(member_connection.network.networks(is_router_external=False)):
        member_connection.network.delete_network(network)


def _names(client: Cloud) -> list[str]:
    return sorted(network.name for network in client.network.networks(is_router_external=False))


def test_the_catalogue_leads_to_the_proxies(cloud: FaultyCloud, client: Cloud) -> None:
    for kind, service in (
        ("compute", "nova"),
        ("network", "neutron"),
        ("image", "glance"),
        ("block-storage", "cinder"),
        ("identity", "keystone"),
    ):
        endpoint = client.session.get_endpoint(service_type=kind)
        assert endpoint is not None
        assert endpoint.startswith(cloud[service].url)
    catalogue = client.session.get(f"{cloud.credentials.auth_url}/auth/catalog").json()["catalog"]
    urls = {endpoint["url"] for entry in catalogue for endpoint in entry["endpoints"]}
    assert all(url.startswith(tuple(proxy.url for proxy in cloud.proxies.values())) for url in urls)


def test_without_a_fault_everything_passes(cloud: FaultyCloud, client: Cloud) -> None:
    network = client.network.create_network(name="plain")
    assert client.network.get_network(network.id).name == "plain"
    assert ("POST", "/v2.0/networks", 201) in [(seen.method, seen.path, seen.status) for seen in cloud["neutron"].seen]


@pytest.mark.parametrize("status", [500, 409, 413])
@pytest.mark.parametrize("service", ["neutron", "nova", "cinder", "glance"])
def test_an_answer_is_given_as_often_as_asked(cloud: FaultyCloud, client: Cloud, service: str, status: int) -> None:
    asks: dict[str, tuple[str, Callable[[], Sequence[object]]]] = {
        "neutron": (r"/networks", lambda: list(client.network.networks())),
        "nova": (r"/servers/detail", lambda: list(client.compute.servers())),
        "cinder": (r"/volumes/detail", lambda: list(client.storage.volumes())),
        "glance": (r"/images", lambda: list(client.image.images())),
    }
    path, ask = asks[service]
    cloud[service].inject(Answer(status, "no room today"), "GET", path, times=2)
    for _ in range(2):
        with pytest.raises(exceptions.HttpException, match="no room today") as caught:
            ask()
        assert caught.value.status_code == status
    assert ask() is not None


def test_a_fault_hits_only_what_it_matches(cloud: FaultyCloud, client: Cloud) -> None:
    cloud["neutron"].inject(Answer(409), "POST", r"/networks$", times=None)
    assert _names(client) == []
    client.network.delete_security_group(client.network.create_security_group(name="free").id)
    with pytest.raises(exceptions.ConflictException):
        client.network.create_network(name="refused")


def test_a_dropped_request_was_never_made(cloud: FaultyCloud, client: Cloud) -> None:
    cloud["neutron"].inject(Drop(), "POST", r"/networks$")
    with pytest.raises(transport.ConnectFailure):
        client.network.create_network(name="lost")
    assert _names(client) == []


def test_a_lost_answer_leaves_what_was_made(cloud: FaultyCloud, client: Cloud) -> None:
    injection = cloud["neutron"].inject(LoseAnswer(), "POST", r"/networks$")
    with pytest.raises(transport.ConnectFailure):
        client.network.create_network(name="once")
    assert injection.hits == 1
    assert _names(client) == ["once"]


def test_a_delayed_answer_comes_late(cloud: FaultyCloud, client: Cloud) -> None:
    cloud["neutron"].inject(Delay(0.3), "GET", r"/networks")
    begun = time.monotonic()
    assert _names(client) == []
    assert time.monotonic() - begun >= 0.3


def test_a_held_request_waits_for_its_release(cloud: FaultyCloud, client: Cloud) -> None:
    hold = Hold(threading.Event())
    injection = cloud["neutron"].inject(hold, "POST", r"/networks$")
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(client.network.create_network, name="held")
        assert injection.hit.wait(30)
        assert _names(client) == []
        hold.release.set()
        assert creating.result().name == "held"


def test_a_client_that_gives_up_meets_a_slow_service(cloud: FaultyCloud, client: Cloud) -> None:
    cloud["nova"].inject(Delay(60), "GET", r"/servers", times=None)
    with pytest.raises(transport.ConnectTimeout):
        client.compute.get("/servers", timeout=0.2)


def test_a_service_that_is_down_refuses_and_comes_back(cloud: FaultyCloud, client: Cloud) -> None:
    cloud["cinder"].stop()
    with pytest.raises(transport.ConnectFailure):
        list(client.storage.volumes())
    assert _names(client) == []
    cloud["cinder"].start()
    assert list(client.storage.volumes()) == []


def test_keystone_down_stops_signing_in(openstack_cloud: Credentials, cloud: FaultyCloud) -> None:
    member = create_member(openstack_cloud)
    cloud["keystone"].stop()
    with connect_member(cloud.credentials, member) as connection, pytest.raises(transport.ConnectFailure):
        connection.session.get_token()
    cloud.mend()
    with connect_member(cloud.credentials, member) as connection:
        assert connection.session.get_token()
