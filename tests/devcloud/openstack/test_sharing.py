"""The cloud of a test run: the first one in starts it, the last one out stops it, crashed or not."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from devcloud.openstack import status
from devcloud.openstack.testing import running_cloud

ROOT = Path(__file__).parents[3]
USER = """
import sys
from pathlib import Path
from devcloud.openstack.testing import running_cloud
with running_cloud(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_the_last_user_out_stops_the_cloud(tmp_path: Path) -> None:
    state = tmp_path / "openstack"
    with running_cloud(state) as first:
        with running_cloud(state) as second:
            assert second == first
        assert status(state).is_up
        with _user(state) as crashing:
            _wait_in(crashing)
            crashing.kill()
        assert status(state).is_up
    assert set(status(state).services.values()) == {"down"}


def test_the_keeper_stops_the_cloud_when_all_users_crash(tmp_path: Path) -> None:
    state = tmp_path / "openstack"
    with _user(state) as alone:
        _wait_in(alone)
        assert status(state).is_up
        alone.kill()
    deadline = time.monotonic() + 60
    while set(status(state).services.values()) != {"down"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _user(state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(state)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _wait_in(user: subprocess.Popen[str]) -> None:
    assert user.stdout is not None
    assert user.stdout.readline() == "in\n"
