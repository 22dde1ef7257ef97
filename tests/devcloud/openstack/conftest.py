"""What every test of the embedded OpenStack has."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcloud.openstack.fixtures import openstack_cloud

__all__ = ["openstack_cloud"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let openstacksdk 4.22 warn about itself: every request it makes calls its own deprecated methods."""
    ours = pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(ours)
