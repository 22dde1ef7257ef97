"""The product's own processes: started in sessions of their own, ended only if they are ours."""

import contextlib
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from devcloud.openstack.errors import StartError
from devcloud.openstack.processes import spawn, started
from devcloud.stack.layout import Stack

COMMANDS = {
    "stripe": ["{state}/stripe", "--port={stripe_port}", "--webhook=http://127.0.0.1:{port}/api/v1/webhooks/stripe"],
    "portal": ["serve", "--plane=portal", "--port={port}"],
    "operator": ["serve", "--plane=operator", "--port={operator_port}"],
    "worker": ["worker", "--plane=tenant"],
    "provisioner": ["worker", "--plane=platform"],
}
"""What each process runs; each has a settings file of its own."""
_MODULES = {"stripe": "devcloud.stripe"}
"""Of those that are not `platforma`."""

START_SECONDS = 120.0
STOP_SECONDS = 15.0
LOG_LINES = 20


def start(stack: Stack, process: str) -> None:
    """Start a process unless it runs. One that runs at another port is moved."""
    if is_running(stack, process, as_asked=True):
        return
    stop(stack, process)
    pid = spawn(
        [sys.executable, "-m", _MODULES.get(process, "platforma"), *_arguments(stack, process)],
        environment(stack, process),
        stack.log(process),
    )
    stack.pid(process).write_text(" ".join([str(pid), str(started(pid)), *_arguments(stack, process)]))


def stop(stack: Stack, *named: str) -> list[str]:
    """End our processes, or some of them, politely and then not; return which of them ran."""
    ran = [process for process in named or COMMANDS if is_running(stack, process)]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in ran:
            pid = find_pid(stack, process)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while any(is_running(stack, process) for process in ran) and time.monotonic() < deadline:
            time.sleep(0.05)
    for process in ran:
        stack.pid(process).unlink(missing_ok=True)
    return ran


def find_pid(stack: Stack, process: str) -> int | None:
    """Return the pid of a process of ours, or None: a pid that was given out again has another start time."""
    try:
        pid, moment, *_arguments = stack.pid(process).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if moment == started(int(pid)) else None


def is_running(stack: Stack, process: str, *, as_asked: bool = False) -> bool:
    """Say whether a process of ours runs; with `as_asked`, at the port where it shall."""
    if find_pid(stack, process) is None:
        return False
    return not as_asked or stack.pid(process).read_text().split()[2:] == _arguments(stack, process)


def _arguments(stack: Stack, process: str) -> list[str]:
    ports = {"port": stack.port, "operator_port": stack.operator_port, "stripe_port": stack.stripe_port}
    return [part.format(state=stack.state, **ports) for part in COMMANDS[process]]


def wait_for_line(stack: Stack, process: str, line: str) -> None:
    """Return when a process has logged a line since its start; raises StartError with its last lines if it dies."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not is_running(stack, process):
            raise StartError(f"{process} died while starting:\n{tail(stack.log(process))}")
        with contextlib.suppress(FileNotFoundError):
            if line in stack.log(process).read_text(errors="replace"):
                return
        time.sleep(0.1)
    raise StartError(f"{process} was not ready within {START_SECONDS:.0f} s:\n{tail(stack.log(process))}")


def wait_for_answer(stack: Stack, process: str, port: int, path: str = "/api/v1/openapi.json") -> None:
    """Return when a process answers over HTTP; raises StartError with its last lines if it dies or does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not is_running(stack, process):
            raise StartError(f"{process} died while starting:\n{tail(stack.log(process))}")
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        try:
            urllib.request.urlopen(request, timeout=5).read()
        except urllib.error.HTTPError:
            return  # it answers: that there is nothing for this host
        except OSError:
            time.sleep(0.1)
            continue
        return
    raise StartError(f"{process} did not answer within {START_SECONDS:.0f} s:\n{tail(stack.log(process))}")


def check_port(port: int, variable: str) -> None:
    """Raise StartError if somebody else listens on a port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise StartError(f"Port {port} is taken. Choose another: make up {variable}=9000") from None


def environment(stack: Stack, process: str) -> dict[str, str]:
    """Return a process's environment: ours without settings, and the name of its own settings file."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PLATFORMA_", "OS_"))}
    return inherited | {"PLATFORMA_SETTINGS": str(stack.settings(process)), "PYTHONUNBUFFERED": "1"}


def tail(log: Path) -> str:
    """Return the last lines of a log."""
    try:
        lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"  {line}" for line in lines or ["it wrote nothing"])
