"""The clouds that the tests run against: one in memory, one of real OpenStack services, and one that plays tricks."""

from collections.abc import Iterator

import pytest

from devcloud.openstack.credentials import Credentials
from devcloud.openstack.fixtures import openstack_cloud
from platforma.clouds.openstack import CloudPool, OpenStackSettings, ProjectCredential
from tests.clouds.stage import FakeStage, OpenStackStage, Stage
from tests.clouds.stub import TENANT_PROJECT, TENANT_USER, StubCloud

__all__ = ["openstack_cloud"]

SDK_WARNINGS = (
    "ignore:The 'service_type' parameter is unnecesary:PendingDeprecationWarning",
    "ignore:The _compute_attributes method is deprecated:PendingDeprecationWarning",
)
"""What the SDK says about its own calls of its own methods, for which nobody else can do anything."""


def pytest_configure(config: pytest.Config) -> None:
    """Let the SDK warn of itself."""
    for line in SDK_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="session")
def fake_stage() -> FakeStage:
    """The cloud in memory, with two tenants."""
    return FakeStage()


@pytest.fixture(scope="session")
def openstack_stage(openstack_cloud: Credentials) -> OpenStackStage:
    """The cloud of real services, with two tenants of this test process."""
    return OpenStackStage(openstack_cloud)


@pytest.fixture(scope="session", params=["fake", "openstack"])
def stage(request: pytest.FixtureRequest) -> Stage:
    """Each cloud in turn."""
    stage: Stage = request.getfixturevalue(f"{request.param}_stage")
    return stage


@pytest.fixture
def stub() -> Iterator[StubCloud]:
    """A server on loopback that answers as the test says."""
    with StubCloud() as stub:
        yield stub


@pytest.fixture
def settings(stub: StubCloud) -> OpenStackSettings:
    """Where the stub is."""
    return OpenStackSettings(auth_url=stub.auth_url, region="RegionOne", external_network="public", timeout_seconds=30)


@pytest.fixture
def credential() -> ProjectCredential:
    """What the stub takes for the tenant's credential."""
    return ProjectCredential(TENANT_PROJECT, TENANT_USER, "credential-of-a", "secret-of-a")


@pytest.fixture
def pool() -> CloudPool:
    """A pool of its own for each test."""
    return CloudPool()
