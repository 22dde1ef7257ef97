"""Starting and ending the six processes, and only those that we started."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from devcloud.openstack.errors import StartError
from devcloud.openstack.layout import REPOSITORY, SERVICES_PATH, Layout
from devcloud.openstack.venv import python

POLL_SECONDS = 0.05
LOG_LINES = 20


def start(layout: Layout, service: str, venv: Path) -> None:
    """Start one service in a session of its own, so that it outlives the shell that started it."""
    layout.ready(service).unlink(missing_ok=True)
    # -P: the services' own packages alone, nothing from the directory we happen to be in.
    arguments = [str(python(venv)), "-P", "-m", "devcloud_services", service, str(layout.state)]
    environment = {
        **_clean_environment(),
        "HOME": str(layout.state),
        "PYTHONPATH": str(SERVICES_PATH),
        "PYTHONWARNINGS": "ignore",
    }
    pid = spawn(arguments, environment, layout.output(service))
    layout.pid(service).write_text(f"{pid} {started(pid)}")


def start_keeper(layout: Layout) -> None:
    """Start the process that takes the cloud down when its last user is gone (see keeper.py)."""
    arguments = [sys.executable, "-m", "devcloud.openstack.keeper", str(layout.state)]
    environment = {**_clean_environment(), "PYTHONPATH": str(REPOSITORY)}
    spawn(arguments, environment, layout.output("keeper"))


def is_running(layout: Layout, service: str) -> bool:
    return find_pid(layout, service) is not None


def find_pid(layout: Layout, service: str) -> int | None:
    """The pid of our process, or None: a recycled pid has another start time and is not ours."""
    try:
        pid, moment = layout.pid(service).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if moment == started(int(pid)) else None


def wait_ready(layout: Layout, services: Iterable[str], seconds: float, report: Callable[[str], None]) -> None:
    """Return when all of them listen; raise StartError when one has died or the deadline has passed."""
    begun = time.monotonic()
    waiting = list(services)
    while waiting:
        for service in list(waiting):
            if layout.ready(service).exists():
                report(f"{service}: up after {time.monotonic() - begun:.1f} s")
                waiting.remove(service)
            elif not is_running(layout, service):
                raise StartError(f"{service} died while starting:\n{tail(layout, service)}")
        if waiting and time.monotonic() - begun > seconds:
            last = "\n".join(tail(layout, service) for service in waiting)
            raise StartError(f"not ready after {seconds:.0f} s: {', '.join(waiting)}\n{last}")
        time.sleep(POLL_SECONDS)


def stop(layout: Layout, services: Iterable[str], seconds: float = 10) -> list[str]:
    """End our processes, politely and then not; return which of them were running."""
    pids = {service: pid for service in services if (pid := find_pid(layout, service)) is not None}
    for number in (signal.SIGTERM, signal.SIGKILL):
        for service in pids:
            # Looked up again, so that what has died since and been replaced is left alone.
            if (pid := find_pid(layout, service)) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        _wait_gone(layout, pids, seconds)
    for service in pids:
        layout.pid(service).unlink(missing_ok=True)
        layout.ready(service).unlink(missing_ok=True)
    return list(pids)


def tail(layout: Layout, service: str) -> str:
    """The last lines that a service has written, from its output or, if that is empty, its log."""
    for path in (layout.output(service), layout.log(service)):
        with contextlib.suppress(FileNotFoundError):
            lines = path.read_text(errors="replace").splitlines()
            if lines:
                return "\n".join(f"  {service}: {line}" for line in lines[-LOG_LINES:])
    return f"  {service}: wrote nothing"


def _wait_gone(layout: Layout, services: Iterable[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(is_running(layout, service) for service in services) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def started(pid: int) -> str | None:
    """The start time of a living process in clock ticks since boot (proc(5), field 22 of stat)."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a dead child of ours would stay in /proc until it is waited for
    process = Path(f"/proc/{pid}")
    try:
        # The command's name may hold anything, also spaces and brackets: count from its last bracket.
        fields = (process / "stat").read_text().rpartition(")")[2].split()
        # A killed process is a zombie before its other threads have ended; until then it holds its ports.
        is_dead = fields[0] in "ZX" and len(list((process / "task").iterdir())) == 1
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if is_dead else fields[19]


def spawn(arguments: list[str], environment: dict[str, str], output: Path) -> int:
    """Start a process in a session of its own, with nothing of ours open in it."""
    descriptor = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        return os.posix_spawn(
            arguments[0],
            arguments,
            environment,
            setsid=True,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, descriptor, 1),
                (os.POSIX_SPAWN_DUP2, descriptor, 2),
            ],
        )
    finally:
        os.close(descriptor)


def _clean_environment() -> dict[str, str]:
    """The caller's environment without what would change the services: OS_*, PYTHON*, proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OS_", "PYTHON")) and not name.lower().endswith("_proxy")
    }
