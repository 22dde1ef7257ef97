"""What the cloud in memory has beyond the contract: faults, lost answers, and a look behind the scenes."""

from uuid import uuid4

import pytest

from platforma.clouds.openstack import CloudConflict, CloudCredentialInvalid, CloudKind, CloudUnavailable
from platforma.clouds.openstack.fake import FakeCloud, FakeProjectCloud


@pytest.fixture
def fake() -> FakeCloud:
    return FakeCloud(polls_until_ready=2)


@pytest.fixture
def project(fake: FakeCloud) -> FakeProjectCloud:
    return fake.open_project(fake.settings, fake.make_project())


def test_a_fault_does_nothing(fake: FakeCloud, project: FakeProjectCloud) -> None:
    fake.fail_next("ensure_network", CloudUnavailable(), times=2)
    for _ in range(2):
        with pytest.raises(CloudUnavailable):
            project.ensure_network(uuid4(), description="")
    assert fake.list(CloudKind.NETWORK, project.project_id) == []
    project.ensure_network(uuid4(), description="")
    assert len(fake.list(CloudKind.NETWORK, project.project_id)) == 1


def test_a_lost_answer_has_done_its_work(fake: FakeCloud, project: FakeProjectCloud) -> None:
    id_ = uuid4()
    fake.lose_answer("ensure_network", CloudUnavailable())
    with pytest.raises(CloudUnavailable):
        project.ensure_network(id_, description="")
    assert len(fake.list(CloudKind.NETWORK, project.project_id)) == 1
    project.ensure_network(id_, description="")
    assert len(fake.list(CloudKind.NETWORK, project.project_id)) == 1


def test_things_take_their_time(fake: FakeCloud, project: FakeProjectCloud) -> None:
    volume = project.ensure_volume(uuid4(), size_gib=1, description="")
    assert volume.status == "creating"
    seen = [project.get_volume(volume.cloud_id).status for _ in range(2)]
    assert seen == ["creating", "available"]
    assert [project.delete_volume(volume.cloud_id) for _ in range(3)] == [False, False, True]


def test_things_break(fake: FakeCloud, project: FakeProjectCloud) -> None:
    fake.break_next(CloudKind.VOLUME, "No space left.")
    volume = project.ensure_volume(uuid4(), size_gib=1, description="")
    project.get_volume(volume.cloud_id)
    assert project.get_volume(volume.cloud_id).status == "error"
    with pytest.raises(CloudConflict):
        project.attach_volume(fake.add(CloudKind.SERVER, project.project_id, "s", ports=[]).cloud_id, volume.cloud_id)


def test_calls_are_remembered(fake: FakeCloud, project: FakeProjectCloud) -> None:
    fake.calls.clear()
    project.inventory()
    assert [(call.project_id, call.method) for call in fake.calls] == [(project.project_id, "inventory")]


def test_a_credential_that_is_gone_opens_nothing_more(fake: FakeCloud) -> None:
    credential = fake.make_project()
    project = fake.open_project(fake.settings, credential)
    fake.identity.forget(user_id=credential.user_id)
    with pytest.raises(CloudCredentialInvalid):
        project.inventory()
    with pytest.raises(CloudCredentialInvalid):
        fake.open_project(fake.settings, credential)
