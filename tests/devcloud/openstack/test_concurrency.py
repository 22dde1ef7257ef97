"""Many clients at once: SQLite, the policy enforcers and the schedulers must hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from devcloud.openstack import Credentials
from tests.devcloud.openstack.clients import Member, connect_member, create_member
from tests.devcloud.openstack.resources import attach, build, detach, remove

CLIENTS = 8


@pytest.mark.parametrize("projects", [CLIENTS, 1], ids=["a-project-each", "all-in-one-project"])
def test_eight_clients_build_and_remove_at_once(openstack_cloud: Credentials, projects: int) -> None:
    members = [create_member(openstack_cloud) for _ in range(projects)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        rounds = [
            pool.submit(_build_and_remove, openstack_cloud, members[number % projects], f"client-{number}")
            for number in range(CLIENTS)
        ]
        for done in rounds:
            done.result()


def _build_and_remove(credentials: Credentials, member: Member, name: str) -> None:
    with connect_member(credentials, member) as cloud:
        built = build(cloud, name)
        attach(cloud, built)
        detach(cloud, built)
        remove(cloud, built)
