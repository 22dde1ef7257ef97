"""Commands, processes that go on in the background, and waiting for a condition until a deadline."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from devcloud.stack.processes import tail
from lab.errors import LabError

POLL_SECONDS = 0.2
PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"


def clean_environment() -> dict[str, str]:
    """Return the environment for Debian's programs: nothing of the caller's that would change them."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "TERM", "LAB_RUN")}
    return {**kept, "PATH": PATH, "PYTHONWARNINGS": "ignore"}


def run(*command: str, seconds: float = 120, text: str | None = None, environment: Mapping[str, str] = {}) -> str:
    """Run a command and return what it printed; raises LabError with its words if it fails."""
    try:
        done = subprocess.run(
            command,
            env=clean_environment() | dict(environment),
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"{' '.join(command[:4])} took more than {seconds:.0f} s.") from None
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise LabError(f"{' '.join(command)} failed ({done.returncode}): {words}")
    return done.stdout


class Background:
    """Processes that go on until they are stopped, each with a log of its own."""

    def __init__(self, log: Callable[[str], Path]) -> None:
        self._log = log
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] = {}) -> None:
        """Start a process in a session of its own."""
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command,
                env=clean_environment() | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, name: str, seconds: float, is_ready: Callable[[], bool]) -> None:
        """Return when a process is ready; raises LabError with its last lines if it dies or is late."""

        def check() -> bool:
            if self._running[name].poll() is not None:
                raise LabError(f"{name} died while starting:\n{tail(self._log(name))}")
            return is_ready()

        try:
            wait_until(f"{name} is ready", seconds, check)
        except TimeoutError as error:
            raise LabError(f"{error}\n{tail(self._log(name))}") from None

    def check(self) -> None:
        """Raise LabError if one of them has died: what is silent then proves nothing."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise LabError(f"{name} died:\n{tail(self._log(name))}")

    def stop(self, seconds: float = 5) -> None:
        """End all of them, politely and then not."""
        for process in self._running.values():
            process.terminate()
        deadline = time.monotonic() + seconds
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def wait_until(what: str, seconds: float, is_so: Callable[[], bool], poll_seconds: float = POLL_SECONDS) -> float:
    """Return after how many seconds a condition held; raises TimeoutError, with what was waited for."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"Waited {seconds:.0f} s in vain until {what}.")
        time.sleep(poll_seconds)
    return time.monotonic() - began
