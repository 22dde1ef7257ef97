"""Canaries, on the pool in memory and on the embedded Cinder's: what leaks is seen, and what is erased is not."""

from pathlib import Path

import pytest

from devcloud.openstack.credentials import Credentials
from platforma.clouds.blocks import LocalBlocks
from platforma.clouds.openstack import AdministratorCredential, CloudPool, OpenStackSettings
from platforma.clouds.openstack.fake import FakeCloud
from platforma.clouds.openstack.resources import CloudKind
from platforma.storage.canary import CanaryFlight
from platforma.storage.sampling import Assurance


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud(polls_until_ready=0)


@pytest.fixture
def flight(cloud: FakeCloud) -> CanaryFlight:
    return CanaryFlight.of(cloud, cloud.settings, cloud.administrator, Assurance())


def test_what_the_back_end_leaves_is_seen(flight: CanaryFlight) -> None:
    """Left to the back end, one type leaks and the other does not."""
    standard, zeroed = flight.fly(is_erased=False)
    assert (standard.volume_type, standard.is_clean) == ("standard", False)
    assert "has read what the last one wrote, at 3 places" in standard.words
    assert (zeroed.volume_type, zeroed.is_clean) == ("zeroed", True)


def test_a_back_end_that_stops_clearing_is_seen(flight: CanaryFlight, cloud: FakeCloud) -> None:
    cloud.volume_types["zeroed"] = False
    assert not flight.send("zeroed", is_erased=False).is_clean


def test_what_platforma_erases_is_not_seen(flight: CanaryFlight, cloud: FakeCloud) -> None:
    assert [verdict.is_clean for verdict in flight.fly()] == [True, True]
    assert cloud.list(CloudKind.VOLUME, flight.first.project_id) == []
    assert cloud.list(CloudKind.VOLUME, flight.second.project_id) == []


def test_an_eraser_that_does_nothing_is_seen(flight: CanaryFlight, cloud: FakeCloud) -> None:
    cloud.pool.zeroes_nothing = True
    verdict = flight.send("standard", is_erased=True)
    assert (verdict.is_clean, "still held something" in verdict.words) == (False, True)


def test_space_that_does_not_come_back_proves_nothing(
    flight: CanaryFlight, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud.pool, "release", lambda owner, *, clear: None)
    verdict = flight.send("zeroed", is_erased=True)
    assert (verdict.is_clean, "did not come back" in verdict.words) == (False, True)


@pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")
def test_on_the_embedded_cinder(openstack_cloud: Credentials) -> None:
    clouds = CloudPool(blocks=LocalBlocks(Path(openstack_cloud.volumes_directory)))
    where = OpenStackSettings(
        auth_url=openstack_cloud.auth_url,
        region=openstack_cloud.region,
        external_network=openstack_cloud.external_network,
        timeout_seconds=60,
    )
    admin = openstack_cloud.admin
    flight = CanaryFlight.of(
        clouds, where, AdministratorCredential(username=admin.username, password=admin.password), Assurance()
    )
    assert {"standard", "zeroed"} <= set(flight.volume_types)
    assert not flight.send("standard", is_erased=False).is_clean
    assert flight.send("zeroed", is_erased=False).is_clean
    assert flight.send("standard", is_erased=True).is_clean
