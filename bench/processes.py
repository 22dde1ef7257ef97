"""Processes under measurement: starting a server, and reading what CPU time it has used."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import psutil

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0


@contextmanager
def serving(application: str, environment: Mapping[str, str]) -> Iterator[tuple[int, int]]:
    """Run one server process of an application factory, such as `bench.sides:create_product`; yield port and pid."""
    port = free_port()
    command = [sys.executable, "-m", "bench.serve", application, str(port)]
    process = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        _wait_until_open(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return the CPU time, user and system, that these processes and their children have used so far."""
    total = 0.0
    for pid in pids:
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = member.cpu_times()
                total += times.user + times.system
    return total


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The server ended with status {process.returncode} before it listened.")
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("The server did not listen in time.")
