"""Up, up again, killed, up, down: with a cloud that these tests have to themselves."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcloud.openstack import DevcloudError, down, read_credentials, status, up
from devcloud.openstack.errors import StartError
from devcloud.openstack.layout import NAMES, Layout
from devcloud.openstack.ports import free_ports
from devcloud.openstack.processes import find_pid, is_running
from devcloud.openstack.settings import choose_settings, write_private
from tests.devcloud.openstack.clients import connect_member, create_member
from tests.devcloud.openstack.resources import attach, build, detach, remove


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    state = tmp_path_factory.mktemp("lifecycle") / "openstack"
    yield state
    down(state)


def test_up_again_leaves_a_healthy_cloud_alone(state: Path) -> None:
    first = up(state)
    pids = _pids(state)
    said: list[str] = []
    assert up(state, report=said.append) == first
    assert said == ["already up"]
    assert _pids(state) == pids
    assert status(state).is_up


@pytest.mark.long
def test_passwords_are_generated_and_their_owners_alone(state: Path) -> None:
    credentials = up(state)
    assert len(credentials.admin.password) >= 24
    layout = Layout(state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for path in (layout.clouds, layout.settings, *layout.etc.glob("*.conf")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_one_dead_service_is_started_beside_the_others(state: Path) -> None:
    up(state)
    before = _pids(state)
    os.kill(before["glance"], signal.SIGKILL)
    _wait_dead(state, "glance")
    assert status(state).services == {**dict.fromkeys(NAMES, "up"), "glance": "down"}
    up(state)
    after = _pids(state)
    assert {name for name in NAMES if after[name] != before[name]} == {"glance"}
    assert status(state).is_up


@pytest.mark.long
def test_servers_and_volumes_survive_kill_nine_of_everything(state: Path) -> None:
    credentials = up(state)
    member = create_member(credentials)
    with connect_member(credentials, member) as cloud:
        built = build(cloud, "kept")
        attach(cloud, built)

    for pid in _pids(state).values():
        os.kill(pid, signal.SIGKILL)
    _wait_dead(state, *NAMES)
    assert set(status(state).services.values()) == {"down"}
    assert up(state) == credentials  # the same addresses, the same password

    with connect_member(credentials, member) as cloud:
        assert cloud.compute.get_server(built.server).status == "ACTIVE"
        assert cloud.storage.get_volume(built.volume).status == "in-use"
        cloud.compute.reboot_server(built.server, "HARD")
        cloud.compute.wait_for_server(cloud.compute.get_server(built.server), interval=0.2)
        detach(cloud, built)
        remove(cloud, built)


def test_the_catalogue_follows_the_cloud_to_other_ports(state: Path) -> None:
    before = up(state)
    member = create_member(before)
    port = free_ports(len(NAMES))
    with pytest.raises(DevcloudError, match="stop it before moving"):
        up(state, port=port)
    down(state)
    after = up(state, port=port)
    assert after.auth_url == f"http://127.0.0.1:{port}/v3"
    assert read_credentials(state) == after
    with connect_member(after, member) as cloud:
        assert cloud.compute.get_endpoint() == f"http://127.0.0.1:{port + NAMES.index('nova')}/v2.1"
        assert list(cloud.compute.servers()) == []
        # Seeded anew at each start, and nothing is there twice.
        assert sorted(image.name for image in cloud.image.images()) == ["cirros-0.6", "debian-12"]
        assert [network.name for network in cloud.network.networks()] == ["public"]


def test_a_service_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    state = tmp_path / "openstack"
    (state / "db" / "placement.db").mkdir(parents=True)  # where its database should be
    with pytest.raises(StartError, match=r"(?s)placement died.*Error") as caught:
        up(state)
    assert len(str(caught.value).splitlines()) <= 21
    assert not any(is_running(Layout(state), name) for name in NAMES)


def test_a_state_of_other_versions_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "openstack")
    layout.create()
    settings = choose_settings(layout, None, is_running=False)
    write_private(layout.settings, dataclasses.asdict(dataclasses.replace(settings, versions="older")))
    with pytest.raises(DevcloudError, match="down --wipe"):
        up(layout.state)


def test_ports_that_are_taken_are_refused_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DevcloudError, match="are free"):
            up(tmp_path / "openstack", port=port)


def test_down_ends_nothing_that_we_did_not_start(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "openstack")
    layout.create()
    with subprocess.Popen(["sleep", "600"]) as stranger:
        # The pid is as recorded, and the process behind it has started at another time.
        layout.pid("nova").write_text(f"{stranger.pid} 1")
        down(layout.state)
        assert stranger.poll() is None
        stranger.kill()


def test_wipe_spares_a_directory_that_is_not_a_state(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    down(tmp_path, wipe=True)
    assert (tmp_path / "precious").exists()


def test_the_command_line_says_how_the_cloud_is(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    asked = subprocess.run(
        [sys.executable, "-m", "devcloud.openstack", "status", "--state", str(tmp_path / "none")],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert asked.stdout.split() == [word for name in NAMES for word in (name, "down")]


def test_the_lock_file_names_no_registry() -> None:
    lock = Path(__file__).parents[3] / "devcloud" / "openstack" / "requirements.lock"
    for forbidden in ("://", "--index-url", "--extra-index-url", "--find-links"):
        assert forbidden not in lock.read_text()


def _pids(state: Path) -> dict[str, int]:
    found = {name: find_pid(Layout(state), name) for name in NAMES}
    return {name: pid for name, pid in found.items() if pid is not None}


def _wait_dead(state: Path, *services: str) -> None:
    deadline = time.monotonic() + 10
    while any(is_running(Layout(state), name) for name in services):
        assert time.monotonic() < deadline
        time.sleep(0.01)
