"""`python -m lab`: what `make lab` runs."""

import argparse
import os
import sys
import time
from datetime import UTC, datetime

from lab import install
from lab.enclosure import Footprint, enclose, marked_processes, new_mark
from lab.errors import LabError
from lab.layout import REPOSITORY, Layout
from lab.proofs import prove
from lab.report import last_line, write
from lab.run import Ended, Lab, listen_to_signals, with_lab


def main() -> int:
    """Run one command; 0 means that every proof holds and nothing was left behind."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("command", nargs="?", default="all", choices=["all", "install", "inside"])
    options = parser.parse_args()
    layout = Layout(REPOSITORY / ".platforma" / "lab")
    try:
        if options.command == "install":
            install.mount_overlays(layout)
            install.install(layout)
            return 0
        if options.command == "inside":
            return _inside(layout)
        return _all(layout)
    except LabError as error:
        print(f"make lab: {error}", file=sys.stderr)
        return 1


def _all(layout: Layout) -> int:
    if os.geteuid() != 0:
        raise LabError("The lab makes namespaces: run it as root.")
    install.check_machine()
    layout.logs.mkdir(parents=True, exist_ok=True)
    before, mark = Footprint.take(), new_mark()
    status = 0
    if not install.is_installed(layout):
        print("Installing Debian's packages into overlays of the lab's own", flush=True)
        status = enclose("install", has_network=True)
    if status == 0:
        status = enclose("inside", has_network=False)
    left = [f"process: {pid}" for pid in marked_processes(mark)] + before.changes_until(Footprint.take())
    for item in left:
        print(f"left behind: {item}", file=sys.stderr)
    print(f"left behind: {len(left) or 'nothing'}")
    return status or bool(left)


def _inside(layout: Layout) -> int:
    listen_to_signals()
    install.mount_overlays(layout)
    started, began = datetime.now(UTC), time.monotonic()
    status = 1

    def say(words: str) -> None:
        print(words, flush=True)

    def use(lab: Lab) -> None:
        nonlocal status
        measured, knocked = prove(lab, say)
        result = write(layout.result, started, time.monotonic() - began, measured, knocked)
        say(last_line(measured, knocked))
        status = 0 if result["is_good"] else 1

    try:
        with_lab(layout, say, use)
    except (Ended, TimeoutError) as error:
        print(f"make lab: {error}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
