"""Many clients at once: SQLite, the policy enforcers and the schedulers must hold."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from devcloud.openstack import Credentials
from tests.devcloud.openstack.clients import Member, connect_admin, connect_member, create_member
from tests.devcloud.openstack.resources import attach, build, detach, remove

CLIENTS = 8
PROJECTS = 4  # two clients in each, so that they also meet inside one project


@pytest.mark.long
def test_eight_clients_build_and_remove_at_once(openstack_cloud: Credentials) -> None:
    members = [create_member(openstack_cloud) for _ in range(PROJECTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        rounds = [
            pool.submit(_build_and_remove, openstack_cloud, members[number % PROJECTS], f"client-{number}")
            for number in range(CLIENTS)
        ]
        for done in rounds:
            done.result()


def test_each_request_is_judged_by_its_own_token(openstack_cloud: Credentials) -> None:
    """An administrator and members at once: a member's token never carries the administrator's roles."""

    def confine(_: int) -> set[str]:
        member = create_member(openstack_cloud)
        with connect_member(openstack_cloud, member) as cloud:
            credential = cloud.identity.create_application_credential(user=member.user_id, name="worker")
        return {role["name"] for role in credential.roles}

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert all(roles == {"member", "reader"} for roles in pool.map(confine, range(5 * CLIENTS)))


def test_removed_users_leave_no_credential_behind(openstack_cloud: Credentials) -> None:
    for _ in range(3):
        member = create_member(openstack_cloud)
        with connect_member(openstack_cloud, member) as cloud:
            cloud.identity.create_application_credential(user=member.user_id, name="worker")
        with connect_admin(openstack_cloud) as admin:
            admin.identity.delete_user(member.user_id)
            admin.identity.delete_project(member.project_id)


def _build_and_remove(credentials: Credentials, member: Member, name: str) -> None:
    with connect_member(credentials, member) as cloud:
        built = build(cloud, name)
        attach(cloud, built)
        detach(cloud, built)
        remove(cloud, built)
