"""Connections: whom they let in, how long they are kept, and what they do not read."""

import dataclasses
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from platforma.clouds.openstack import (
    CloudCredentialInvalid,
    CloudNotFound,
    CloudPool,
    CloudUnavailable,
    OpenStackSettings,
    ProjectCredential,
)
from tests.clouds.stub import Answer, StubCloud


def test_a_connection_signs_in_once(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    for _ in range(3):
        with pytest.raises(CloudNotFound):
            pool.open_project(settings, credential).get_server(str(uuid4()))
    assert stub.sign_ins == 1
    assert len(stub.requests) == 3


def test_versions_are_asked_for_once_for_all_tenants(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    for number in range(3):
        project = pool.open_project(settings, dataclasses.replace(credential, credential_id=f"c{number}"))
        for call in (project.get_server, project.get_volume, project.list_router_subnets):
            with pytest.raises(CloudNotFound):
                call(str(uuid4()))
    assert stub.discoveries == 2


@pytest.mark.parametrize("change", [{"secret": "guessed"}, {"project_id": "b" * 32}, {"user_id": "somebody"}])
def test_an_open_connection_is_for_the_whole_credential_only(
    stub: StubCloud,
    pool: CloudPool,
    settings: OpenStackSettings,
    credential: ProjectCredential,
    change: dict[str, str],
) -> None:
    pool.open_project(settings, credential)
    stub.sign_in = Answer(401, {"error": {"message": "No."}})
    assert pool.open_project(settings, credential).project_id == credential.project_id
    with pytest.raises(CloudCredentialInvalid):
        pool.open_project(settings, dataclasses.replace(credential, **change))


def test_a_refused_credential_is_forgotten(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    project = pool.open_project(settings, credential)
    stub.script = lambda _: Answer(401, {"error": {"message": "The token is revoked."}})
    with pytest.raises(CloudCredentialInvalid):
        project.get_server(str(uuid4()))
    assert len(pool) == 0


def test_an_expired_token_is_renewed(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    project = pool.open_project(settings, credential)
    stub.script = lambda request: Answer(401 if request.token == "gAAAAtoken1" else 404)
    with pytest.raises(CloudNotFound):
        project.get_server(str(uuid4()))
    assert stub.sign_ins == 2
    assert len(pool) == 1


def test_the_pool_keeps_those_that_were_used_last(
    stub: StubCloud, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    pool = CloudPool(capacity=2)
    first, second, third = (dataclasses.replace(credential, credential_id=name) for name in ("1", "2", "3"))
    for each in (first, second, first, third):
        pool.open_project(settings, each)
    assert len(pool) == 2
    before = stub.sign_ins
    pool.open_project(settings, first)
    assert stub.sign_ins == before
    pool.open_project(settings, second)
    assert stub.sign_ins == before + 1


def test_many_threads_share_a_pool(stub: StubCloud, settings: OpenStackSettings, credential: ProjectCredential) -> None:
    pool = CloudPool(capacity=3)
    credentials = [dataclasses.replace(credential, credential_id=str(number)) for number in range(5)]

    def work(number: int) -> bool:
        project = pool.open_project(settings, credentials[number % 5])
        with pytest.raises(CloudNotFound):
            project.get_volume(str(uuid4()))
        return True

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(40)))
    assert len(pool) == 3


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("project_id", "b" * 32),
        ("user_id", "user-of-b"),
        ("roles", ["member", "admin"]),
        ("roles", ["Cloud_Admin"]),
        ("roles", ["manager"]),
        ("roles", ["service"]),
    ],
)
def test_a_token_that_leads_elsewhere_is_refused(
    stub: StubCloud,
    pool: CloudPool,
    settings: OpenStackSettings,
    credential: ProjectCredential,
    attribute: str,
    value: object,
) -> None:
    pool.open_project(settings, dataclasses.replace(credential, secret="as it should be"))
    setattr(stub, attribute, value)
    with pytest.raises(CloudCredentialInvalid):
        pool.open_project(settings, credential)


def test_the_environment_takes_no_part(
    stub: StubCloud,
    pool: CloudPool,
    settings: OpenStackSettings,
    credential: ProjectCredential,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "clouds.yaml").write_text("clouds:\n  envvars: {auth: {auth_url: 'http://127.0.0.2:9/v3'}}\n")
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "OS_CLOUD": "envvars",
        "OS_AUTH_URL": "http://127.0.0.2:9/v3",
        "OS_REGION_NAME": "Elsewhere",
        "OS_COMPUTE_ENDPOINT_OVERRIDE": "http://127.0.0.2:9/",
        "HTTP_PROXY": "http://127.0.0.2:9",
        "ALL_PROXY": "http://127.0.0.2:9",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CloudNotFound):
        pool.open_project(settings, credential).get_server(str(uuid4()))
    assert stub.sign_ins == 1


def test_a_region_without_services_is_unavailable_and_asked_anew(
    stub: StubCloud, pool: CloudPool, settings: OpenStackSettings, credential: ProjectCredential
) -> None:
    project = pool.open_project(dataclasses.replace(settings, region="Atlantis"), credential)
    with pytest.raises(CloudUnavailable):
        project.get_server(str(uuid4()))
    assert len(pool) == 0


def test_the_sdk_is_loaded_with_the_pool_and_not_before() -> None:
    code = (
        "import sys, platforma.clouds.openstack.fake, platforma.clouds.openstack as ours\n"
        "assert not {'openstack', 'keystoneauth1', 'requests'} & set(sys.modules)\n"
        "ours.CloudPool()\n"
        "assert 'openstack' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
