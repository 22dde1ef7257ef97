"""Many clients at once: SQLite, the policy enforcers and the schedulers must hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from devcloud.openstack import Credentials
from tests.devcloud.openstack.clients import Member, connect_member, create_member
from tests.devcloud.openstack.resources import attach, build, detach, remove

CLIENTS = 8
PROJECTS = 4  # two clients in each, so that they also meet inside one project


def test_eight_clients_build_and_remove_at_once(openstack_cloud: Credentials) -> None:
    members = [create_member(openstack_cloud) for _ in range(PROJECTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        rounds = [
            pool.submit(_build_and_remove, openstack_cloud, members[number % PROJECTS], f"client-{number}")
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
