"""One cloud for a whole test run, however many processes the run has.

    with running_cloud(state_for_run(basetemp)) as credentials:
        ...

The first one in starts it, the last one out stops it. Every user holds a shared lock on one file, which
the kernel drops when the user dies: a worker that crashes is simply out, and if all of them crash the
keeper (keeper.py) stops the cloud.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devcloud.openstack.cloud import down, up
from devcloud.openstack.credentials import Credentials
from devcloud.openstack.layout import DEFAULT_VENV, Layout
from devcloud.openstack.processes import start_keeper


@contextmanager
def running_cloud(
    state: Path, *, venv: Path = DEFAULT_VENV, report: Callable[[str], None] = lambda line: None
) -> Iterator[Credentials]:
    """A healthy, seeded cloud in `state` for the time of the block, shared with all who ask for it.

    The state belongs to this function: a cloud that `up` started there would be stopped with the last
    user. It is left on disk, with its logs; a later run in the same state finds its content.
    """
    layout = Layout(state.resolve())
    layout.state.parent.mkdir(parents=True, exist_ok=True)
    with layout.beside("users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        credentials = up(layout.state, venv=venv, report=report)
        start_keeper(layout)
        try:
            yield credentials
        finally:
            _leave(users.fileno(), layout.state)


def state_for_run(basetemp: Path) -> Path:
    """Where a pytest run keeps its cloud, the same for all workers of pytest-xdist.

    `basetemp` is `tmp_path_factory.getbasetemp()`, which each worker has to itself inside the run's.
    """
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    return (basetemp.parent if is_worker else basetemp) / "openstack"


def _leave(users: int, state: Path) -> None:
    """Stop the cloud if nobody else uses it; when this returns it is stopped, or somebody's."""
    fcntl.flock(users, fcntl.LOCK_UN)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Another user, and this is granted at once; or the keeper, and this waits until it is done.
        fcntl.flock(users, fcntl.LOCK_SH)
    else:
        down(state)
