"""`python -m devcloud.openstack.keeper STATE`: take the cloud down when nobody uses it any more.

Its users hold a shared lock (testing.py). This process waits for the exclusive one, which it gets when
the last user has left or died, and so outlives a test run that is killed.
"""

from __future__ import annotations

import fcntl
import sys
from pathlib import Path

from devcloud.openstack.cloud import down
from devcloud.openstack.layout import Layout


def keep(state: Path) -> None:
    """Return when the cloud is down, or at once when there is a keeper already."""
    layout = Layout(state)
    with layout.beside("users").open("w") as users, layout.beside("keeper").open("w") as keeper:
        try:
            fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        fcntl.flock(users, fcntl.LOCK_EX)
        if layout.state.exists():
            down(state)
        # In this order: whoever gets in as a user from now on finds the keeper's place free.
        fcntl.flock(keeper, fcntl.LOCK_UN)
        fcntl.flock(users, fcntl.LOCK_UN)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
