"""The wall inside the client: a cloud that hands out what belongs to others moves nothing of theirs."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from platforma.clouds.openstack import (
    CloudForeignObject,
    CloudKind,
    CloudNotFound,
    CloudPool,
    OpenStackSettings,
    ProjectCloud,
    ProjectCredential,
    Reference,
    RuleSpec,
    cloud_name,
)
from platforma.clouds.openstack.ownership import ProjectPart
from tests.clouds.stub import FOREIGN_PROJECT, TENANT_PROJECT, Answer, Request, StubCloud

ID = UUID("00000000-0000-7000-8000-000000000001")
CLOUD_ID = "11111111-1111-4111-8111-111111111111"

WORDS = {
    "networks": "network",
    "subnets": "subnet",
    "routers": "router",
    "ports": "port",
    "security-groups": "security_group",
    "floatingips": "floatingip",
    "servers": "server",
    "volumes": "volume",
    "snapshots": "snapshot",
    "os-keypairs": "keypair",
}
"""Path of each kind, and the key of one in JSON."""


def item(owner: str) -> dict[str, Any]:
    """An object of any kind: it has what any of them needs."""
    name = cloud_name(ID)
    return {
        "id": CLOUD_ID,
        "name": name,
        "status": "ACTIVE",
        "project_id": owner,
        "tenant_id": owner,
        "user_id": f"user-of-{owner[0]}",
        "os-vol-tenant-attr:tenant_id": owner,
        "os-extended-snapshot-attributes:project_id": owner,
        "size": 1,
        "attachments": [],
        "cidr": "10.0.0.0/24",
        "mac_address": "fa:16:3e:00:00:01",
        "fixed_ips": [],
        "security_group_rules": [],
        "security_groups": [],
        "floating_ip_address": "203.0.113.1",
        "public_key": "ssh-ed25519 AAAA",
        "fingerprint": "aa:bb",
        "addresses": {},
        "description": "d",
        "admin_state_up": True,
    }


class LeakyCloud:
    """Shows the objects of `owner` to whoever asks, and remembers what it was told to change."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.changes: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        parts = [part for part in request.path.split("/") if part not in {"", "v2.0", "v2.1", "v3", "detail"}]
        if request.method != "GET":
            self.changes.append(request)
        if parts[0] not in WORDS:
            return Answer(200, {parts[0].replace("-", "_"): []})
        word = WORDS[parts[0]]
        plural = {"os-keypairs": "keypairs", "security-groups": "security_groups"}.get(parts[0], parts[0])
        if word == "floatingip":  # these have no name, and are told by their description
            answer = item(self.owner) | {"description": cloud_name(ID)}
            return Answer(
                200, {"floatingips": [answer]} if (request.method, len(parts)) == ("GET", 1) else {word: answer}
            )
        if request.method == "GET" and len(parts) == 1:
            each = {"keypair": item(self.owner)} if word == "keypair" else item(self.owner)
            return Answer(200, {plural: [each]})
        return Answer(200, {word: item(self.owner)})


@pytest.fixture
def project(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> ProjectCloud:
    return pool.open_project(settings, credential)


READS: dict[str, Callable[[ProjectCloud], object]] = {
    "get_server": lambda project: project.get_server(CLOUD_ID),
    "start_server": lambda project: project.start_server(CLOUD_ID),
    "stop_server": lambda project: project.stop_server(CLOUD_ID),
    "reboot_server": lambda project: project.reboot_server(CLOUD_ID, hard=True),
    "count_reboots": lambda project: project.count_reboots(CLOUD_ID),
    "console_output": lambda project: project.console_output(CLOUD_ID, lines=10),
    "get_volume": lambda project: project.get_volume(CLOUD_ID),
    "extend_volume": lambda project: project.extend_volume(CLOUD_ID, size_gib=5),
    "attach_volume": lambda project: project.attach_volume(CLOUD_ID, CLOUD_ID),
    "detach_volume": lambda project: project.detach_volume(CLOUD_ID, CLOUD_ID),
    "list_server_volumes": lambda project: project.list_server_volumes(CLOUD_ID),
    "list_router_subnets": lambda project: project.list_router_subnets(CLOUD_ID),
    "attach_subnet": lambda project: project.attach_subnet(CLOUD_ID, CLOUD_ID),
    "detach_subnet": lambda project: project.detach_subnet(CLOUD_ID, CLOUD_ID),
    "replace_rules": lambda project: project.replace_rules(CLOUD_ID, [RuleSpec(uuid4(), "ingress", "IPv4")]),
}

DELETES = [
    (method, reference)
    for method in (
        "delete_network",
        "delete_subnet",
        "delete_router",
        "delete_security_group",
        "delete_port",
        "delete_server",
        "delete_volume",
        "delete_snapshot",
        "delete_floating_ip",
    )
    for reference in (CLOUD_ID, ID)
]

CREATES: dict[str, Callable[[ProjectCloud], object]] = {
    "ensure_network": lambda project: project.ensure_network(ID, description="d"),
    "ensure_subnet": lambda project: project.ensure_subnet(
        ID,
        network_cloud_id=CLOUD_ID,
        cidr="10.0.0.0/24",
        ip_version=4,
        gateway_ip=None,
        has_dhcp=True,
        dns_nameservers=[],
        description="d",
    ),
    "ensure_router": lambda project: project.ensure_router(ID, has_external_gateway=False, description="d"),
    "ensure_security_group": lambda project: project.ensure_security_group(ID, description="d"),
    "ensure_port": lambda project: project.ensure_port(ID, network_cloud_id=CLOUD_ID, security_group_cloud_ids=[]),
    "ensure_floating_ip": lambda project: project.ensure_floating_ip(ID, port_cloud_id=None),
    "ensure_key_pair": lambda project: project.ensure_key_pair(ID, public_key="ssh-ed25519 AAAA"),
    "ensure_server": lambda project: project.ensure_server(
        ID,
        hostname="h",
        flavor_cloud_id="f",
        image_cloud_id="i",
        key_pair_name=None,
        port_cloud_ids=[CLOUD_ID],
        metadata={},
    ),
    "ensure_volume": lambda project: project.ensure_volume(ID, size_gib=1, description="d"),
}


@pytest.mark.parametrize("name", READS)
def test_a_foreign_object_is_not_found_and_not_touched(stub: StubCloud, project: ProjectCloud, name: str) -> None:
    stub.script = leaky = LeakyCloud(FOREIGN_PROJECT)
    with pytest.raises(CloudForeignObject):
        READS[name](project)
    assert leaky.changes == []


@pytest.mark.parametrize(("method", "reference"), DELETES)
def test_a_foreign_object_is_not_deleted(
    stub: StubCloud, project: ProjectCloud, method: str, reference: Reference
) -> None:
    stub.script = leaky = LeakyCloud(FOREIGN_PROJECT)
    assert getattr(project, method)(reference)
    assert leaky.changes == []


@pytest.mark.parametrize(("method", "reference"), DELETES)
def test_an_own_object_is_deleted(stub: StubCloud, project: ProjectCloud, method: str, reference: Reference) -> None:
    stub.script = leaky = LeakyCloud(TENANT_PROJECT)
    getattr(project, method)(reference)
    assert len(leaky.changes) == 1


@pytest.mark.parametrize("name", CREATES)
def test_a_foreign_object_with_our_name_is_not_taken_for_ours(
    stub: StubCloud, project: ProjectCloud, name: str
) -> None:
    stub.script = leaky = LeakyCloud(FOREIGN_PROJECT)
    with pytest.raises(CloudNotFound):
        CREATES[name](project)
    assert {change.method for change in leaky.changes} <= {"POST"}, "the foreign object was changed"


@pytest.mark.parametrize("name", CREATES)
def test_an_own_object_with_our_name_is_ours(stub: StubCloud, project: ProjectCloud, name: str) -> None:
    stub.script = leaky = LeakyCloud(TENANT_PROJECT)
    CREATES[name](project)
    assert not any(change.method == "POST" for change in leaky.changes)


def test_an_inventory_leaves_out_foreign_objects(stub: StubCloud, project: ProjectCloud) -> None:
    stub.script = LeakyCloud(FOREIGN_PROJECT)
    foreign = project.inventory()
    stub.script = LeakyCloud(TENANT_PROJECT)
    own = project.inventory()
    assert all(len(own[kind]) == 1 for kind in CloudKind)
    assert not any(foreign[kind] for kind in CloudKind if kind is not CloudKind.KEY_PAIR)


def test_without_the_wall_foreign_objects_come_through(
    stub: StubCloud, project: ProjectCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tests above would go red if this one check were gone."""
    monkeypatch.setattr(ProjectPart, "_owns", lambda *_: True)
    stub.script = leaky = LeakyCloud(FOREIGN_PROJECT)
    assert project.get_volume(CLOUD_ID).cloud_id == CLOUD_ID
    project.delete_volume(CLOUD_ID)
    assert [change.method for change in leaky.changes] == ["DELETE"]
