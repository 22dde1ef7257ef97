"""The same for pytest: `pytest_plugins = ["devcloud.openstack.fixtures"]`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from devcloud.openstack.credentials import Credentials
from devcloud.openstack.testing import running_cloud, state_for_run


@pytest.fixture(scope="session")
def openstack_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Credentials]:
    """The run's cloud, shared by all workers. Tests make projects of their own in it."""
    with running_cloud(state_for_run(tmp_path_factory.getbasetemp())) as credentials:
        yield credentials
