"""The lab's enclosure: namespaces of its own for network, processes, mounts and the rest.

Everything that the lab starts, makes or mounts is in there, and the kernel takes it away with the enclosure's first
process, however that ends: nothing has to be looked for and removed.
"""

import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.layout import REPOSITORY

MARK = "LAB_RUN"
"""The variable by which a process tells which run it belongs to."""
_END_SECONDS = 30.0


def enclose(command: str, *arguments: str, has_network: bool) -> int:
    """Run a command of the lab in an enclosure and return how it ended. `has_network`: with the machine's own."""
    own = [] if has_network else ["--net", "--uts"]
    # Whoever ends this process, even by SIGKILL, ends the enclosure.
    full = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "--ipc",
        *own,
        "--",
    ]
    inner = [sys.executable, "-m", "lab", command, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(full + inner, env=environment, cwd=REPOSITORY)

    def end(number: int, _frame: object) -> None:
        for child in _children(process.pid):
            os.kill(child, signal.SIGINT)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # The terminal has told the inner process as well, which ends by itself.
                try:
                    process.wait(_END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass(frozen=True)
class Footprint:
    """What of the machine a run could have changed."""

    links: frozenset[str]
    namespaces: frozenset[str]
    mounts: frozenset[str]
    configuration: frozenset[tuple[str, int, int]]

    @classmethod
    def take(cls) -> "Footprint":
        """Look at the machine as it is now."""
        names = Path("/run/netns")
        return cls(
            links=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            namespaces=frozenset(path.name for path in names.iterdir()) if names.is_dir() else frozenset(),
            mounts=frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
            configuration=frozenset(
                (str(path), found.st_size, found.st_mtime_ns)
                for path in Path("/etc").rglob("*")
                if (found := path.lstat()) is not None
            ),
        )

    def changes_until(self, later: "Footprint") -> list[str]:
        """Name what has come, gone or changed."""
        return [
            f"{kind}: {item}"
            for kind in ("links", "namespaces", "mounts", "configuration")
            for item in sorted(map(str, getattr(self, kind) ^ getattr(later, kind)))
        ]


def new_mark() -> str:
    """Give this run, and all that it starts, a mark."""
    os.environ[MARK] = secrets.token_hex(8)
    return os.environ[MARK]


def marked_processes(mark: str) -> list[int]:
    """Return the processes, this one aside, that were started by the run with this mark."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                if f"{MARK}={mark}".encode() in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
            except OSError:
                continue
    return found
