"""Bringing a stand-in up as a process of its own, taking it down, and saying how it is."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from devcloud.kubernetes.layout import Layout, Settings, choose_settings, find_settings
from devcloud.openstack.errors import StartError
from devcloud.openstack.layout import REPOSITORY
from devcloud.openstack.processes import spawn, started

Report = Callable[[str], None]

START_SECONDS = 60.0
STOP_SECONDS = 10.0
_LOG_LINES = 20


@dataclass(frozen=True)
class Cluster:
    """A stand-in that runs."""

    server: str
    kubeconfig: Path
    is_simulating: bool


def up(
    state: Path, *, port: int | None = None, is_simulating: bool = False, report: Report = lambda line: None
) -> Cluster:
    """Have a stand-in in `state`, and return how to get in; one that is well is left alone.

    `is_simulating` lets it say that pods run and network policies hold, which its version then tells everybody.
    Raises StartError.
    """
    layout = Layout(state.resolve())
    with layout.locked():
        known = find_settings(layout)
        if (
            known is not None
            and is_up(layout, known)
            and (port, is_simulating)
            in (
                (None, known.is_simulating),
                (known.port, known.is_simulating),
            )
        ):
            report("already up")
            return _cluster(layout, known)
        _stop(layout)
        settings = choose_settings(layout, port, is_simulating=is_simulating)
        begun = time.monotonic()
        arguments = [sys.executable, "-m", "devcloud.kubernetes", "serve", "--state", str(layout.state)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        pid = spawn(arguments, environment | {"PYTHONPATH": str(REPOSITORY)}, layout.log)
        layout.pid.write_text(f"{pid} {started(pid)}")
        _wait(layout, settings)
        report(f"up after {time.monotonic() - begun:.1f} s: {settings.server}")
        return _cluster(layout, settings)


def down(state: Path, *, wipe: bool = False, report: Report = lambda line: None) -> None:
    """Stop the stand-in of a state, and with `wipe` forget what is in it."""
    layout = Layout(state.resolve())
    with layout.locked():
        report("stopped" if _stop(layout) else "it was not running")
        if wipe and layout.settings.exists():  # never a directory that is not ours
            shutil.rmtree(layout.state)
            report(f"wiped: {layout.state}")


def is_up(layout: Layout, settings: Settings) -> bool:
    """Say whether the stand-in runs and answers."""
    if _find_pid(layout) is None:
        return False
    context = ssl.create_default_context(cadata=settings.authority)
    try:
        with urllib.request.urlopen(f"{settings.server}/readyz", timeout=5, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _cluster(layout: Layout, settings: Settings) -> Cluster:
    return Cluster(settings.server, layout.kubeconfig, settings.is_simulating)


def _find_pid(layout: Layout) -> int | None:
    """Return the pid of our process, or None: a pid that was given out again has another start time."""
    try:
        pid, moment = layout.pid.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if moment == started(int(pid)) else None


def _stop(layout: Layout) -> bool:
    ran = _find_pid(layout) is not None
    for number in (signal.SIGTERM, signal.SIGKILL):
        pid = _find_pid(layout)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while _find_pid(layout) is not None and time.monotonic() < deadline:
            time.sleep(0.02)
    layout.pid.unlink(missing_ok=True)
    return ran


def _wait(layout: Layout, settings: Settings) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_up(layout, settings):
        is_dead = _find_pid(layout) is None
        if is_dead or time.monotonic() > deadline:
            _stop(layout)
            lines = layout.log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
            how = "died while starting" if is_dead else f"was not ready after {START_SECONDS:.0f} s"
            raise StartError("\n".join([f"the stand-in of Kubernetes {how}:", *lines]))
        time.sleep(0.05)
