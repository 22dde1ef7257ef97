"""Remnants on the embedded Cinder: B reads what A wrote, unless the volume type clears."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devcloud.openstack import Credentials
from tests.devcloud.openstack.clients import WAIT_SECONDS, Cloud, connect_member, create_member
from tests.devcloud.openstack.resources import wait_for_volume

PATTERN = b"what tenant A wrote "
TRIES = 12
Place = tuple[str, list[tuple[int, int]]]


def connect(cloud: Cloud, volume: str) -> Place:
    """Ask Cinder where a volume's bytes are, as a hypervisor does."""
    attachment = cloud.storage.create_attachment(volume, connector={"host": "tests"})
    info = attachment.connection_info
    cloud.storage.delete_attachment(attachment)
    wait_for_volume(cloud, volume, "available")
    return info["device_path"], [(start, length) for start, length in info["extents"]]


def make(cloud: Cloud, kind: str, **options: str) -> str:
    """Make a volume of 1 GiB; return its id."""
    volume = cloud.storage.create_volume(name="remnants", size=1, volume_type=kind, **options)
    wait_for_volume(cloud, volume.id, "available")
    return str(volume.id)


def remove(cloud: Cloud, volume: str) -> None:
    """Delete a volume, and wait until it is gone."""
    found = cloud.storage.get_volume(volume)
    cloud.storage.delete_volume(found)
    cloud.storage.wait_for_delete(found, interval=0.2, wait=WAIT_SECONDS)


def write(place: Place) -> None:
    """Write the pattern near the end."""
    path, ranges = place
    start, length = ranges[-1]
    with Path(path).open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), PATTERN, start + length - 4096)


def read(place: Place) -> bytes:
    """Read where the pattern would be, in every range of the volume."""
    path, ranges = place
    with Path(path).open("rb") as file:
        return b"".join(os.pread(file.fileno(), 4096, start + length - 4096) for start, length in ranges)


@pytest.mark.parametrize(("kind", "is_seen"), [("standard", True), ("zeroed", False)])
def test_what_a_tenant_leaves_to_the_next(openstack_cloud: Credentials, kind: str, *, is_seen: bool) -> None:
    a, b = create_member(openstack_cloud), create_member(openstack_cloud)
    with connect_member(openstack_cloud, a) as first, connect_member(openstack_cloud, b) as second:
        for _ in range(TRIES):  # others who work on the same cloud may be quicker
            volume = make(first, kind)
            place = connect(first, volume)
            write(place)
            remove(first, volume)
            taken = make(second, kind)
            theirs = connect(second, taken)
            is_same = set(theirs[1]) == set(place[1])
            found = PATTERN in read(theirs)
            remove(second, taken)
            if is_same:
                break
        assert is_same
        assert found is is_seen


def test_a_clone_has_its_origins_bytes_and_nothing_else(openstack_cloud: Credentials) -> None:
    with connect_member(openstack_cloud, create_member(openstack_cloud)) as cloud:
        volume = make(cloud, "standard")
        write(connect(cloud, volume))
        clone = make(cloud, "standard", source_volume_id=volume)
        assert PATTERN in read(connect(cloud, clone))
        for each in (clone, volume):
            remove(cloud, each)
