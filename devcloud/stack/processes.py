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
    "portal": ["serve", "--plane=portal", "--port={port}"],
    "operator": ["serve", "--plane=operator", "--port={operator_port}"],
    "worker": ["worker", "--plane=tenant"],
    "provisioner": ["worker", "--plane=platform"],
}
"""What each process runs; each has a settings file of its own."""

START_SECONDS = 60.0
STOP_SECONDS = 15.0
LOG_LINES = 20


def start(stack: Stack, process: str) -> None:
    """Start a process unless it runs."""
    if is_running(stack, process):
        return
    arguments = [part.format(port=stack.port, operator_port=stack.operator_port) for part in COMMANDS[process]]
    pid = spawn([sys.executable, "-m", "platforma", *arguments], environment(stack, process), stack.log(process))
    stack.pid(process).write_text(f"{pid} {started(pid)}")


def stop(stack: Stack) -> list[str]:
    """End our processes, politely and then not; return which of them ran."""
    ran = [process for process in COMMANDS if is_running(stack, process)]
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
        pid, moment = stack.pid(process).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if moment == started(int(pid)) else None


def is_running(stack: Stack, process: str) -> bool:
    """Say whether a process of ours runs."""
    return find_pid(stack, process) is not None


def wait_for_answer(stack: Stack, process: str, port: int) -> None:
    """Return when a process answers over HTTP; raises StartError with its last lines if it dies or does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not is_running(stack, process):
            raise StartError(f"{process} died while starting:\n{tail(stack.log(process))}")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/openapi.json")
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
        return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    except FileNotFoundError:
        return "  it wrote nothing"
