"""The stand-in of Kubernetes as a process: up, up again, killed, restarted, down; and it says what it is."""

from __future__ import annotations

import json
import os
import signal
import ssl
import stat
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcloud.kubernetes import down, up
from devcloud.kubernetes.__main__ import main
from devcloud.kubernetes.cluster import is_up
from devcloud.kubernetes.layout import Layout, find_settings
from platforma.clouds.kubernetes import ClusterCredential
from platforma.clouds.kubernetes.api import CORE, Api


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    state = tmp_path / "kubernetes"
    yield state
    down(state)


def _ask(state: Path, path: str) -> tuple[bytes, Any]:
    settings = find_settings(Layout(state))
    assert settings is not None
    context = ssl.create_default_context(cadata=settings.authority)
    request = urllib.request.Request(f"{settings.server}{path}", headers={"Authorization": f"Bearer {settings.token}"})
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        return answer.read(), answer.headers


def _api(state: Path) -> Api:
    return Api(ClusterCredential.from_kubeconfig(Layout(state).kubeconfig.read_text()), 10)


def _pid(state: Path) -> int:
    return int(Layout(state).pid.read_text().split()[0])


def test_it_says_on_its_face_what_it_is(state: Path) -> None:
    up(state)
    body, headers = _ask(state, "/version")
    assert json.loads(body)["gitVersion"].endswith("+devcloud")
    assert "stand-in" in headers["X-Platforma-Stand-In"]
    body, _ = _ask(state, "/")
    assert b"stand-in" in body
    cluster = up(state, is_simulating=True)
    assert cluster.is_simulating
    assert json.loads(_ask(state, "/version")[0])["gitVersion"].endswith("+devcloud.simulated")


def test_up_again_leaves_it_alone(state: Path) -> None:
    first = up(state)
    pid = _pid(state)
    assert up(state) == first
    assert _pid(state) == pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_what_is_in_it_outlives_it(state: Path, number: signal.Signals) -> None:
    up(state)
    api = _api(state)
    made = api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}})
    if number is signal.SIGKILL:
        # What was written within the last second may be lost: wait until it has been saved.
        while "mine" not in (Layout(state).objects.read_text() if Layout(state).objects.exists() else ""):
            pass
    os.kill(_pid(state), number)
    settings = find_settings(Layout(state))
    assert settings is not None
    while is_up(Layout(state), settings):
        pass
    up(state)
    found = _api(state).get(CORE, "Namespace", "mine")
    assert found["metadata"]["uid"] == made["metadata"]["uid"]


def test_secrets_are_their_owners_alone(state: Path) -> None:
    up(state)
    layout = Layout(state)
    assert stat.S_IMODE(layout.state.stat().st_mode) == 0o700
    for path in (layout.settings, layout.kubeconfig):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_down_wipes_what_is_its_own_and_nothing_else(state: Path) -> None:
    up(state)
    down(state, wipe=True)
    assert not state.exists()
    state.mkdir()
    (state / "precious").write_text("keep")
    down(state, wipe=True)
    assert (state / "precious").exists()


def test_the_command_line(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--state", str(state)]) == 1
    assert main(["up", "--state", str(state)]) == 0
    assert "KUBECONFIG" in capsys.readouterr().out
    assert main(["status", "--state", str(state)]) == 0
    assert main(["down", "--state", str(state)]) == 0
    assert main(["status", "--state", str(state)]) == 1
