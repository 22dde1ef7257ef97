"""The command line: `python -m devcloud.openstack up | down | status | lock`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from devcloud.openstack.cloud import down, status, up
from devcloud.openstack.errors import DevcloudError
from devcloud.openstack.layout import DEFAULT_VENV
from devcloud.openstack.settings import write_private
from devcloud.openstack.venv import write_lock


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 means that it is as asked, 1 that it is not."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except DevcloudError as error:
        print(f"devcloud: {error}", file=sys.stderr)
        return 1


def _up(options: argparse.Namespace) -> int:
    credentials = up(options.state, port=options.port, venv=options.venv, report=_report)
    if options.json is not None:
        write_private(options.json, dataclasses.asdict(credentials))
    return 0


def _down(options: argparse.Namespace) -> int:
    down(options.state, wipe=options.wipe, report=_report)
    return 0


def _status(options: argparse.Namespace) -> int:
    found = status(options.state)
    for service, how in found.services.items():
        print(f"{service:10} {how}")
    return 0 if found.is_up else 1


def _lock(options: argparse.Namespace) -> int:
    write_lock()
    return 0


def _report(line: str) -> None:
    print(f"openstack: {line}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcloud.openstack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    start = commands.add_parser("up", help="install if need be, start what does not run, seed")
    _add_state(start)
    start.add_argument("--port", type=int, help="first of six ports (default: the state's, or free ones)")
    start.add_argument("--venv", type=_path, default=DEFAULT_VENV, help="(default: %(default)s)")
    start.add_argument("--json", type=_path, metavar="FILE", help="write a copy of clouds.json here")
    start.set_defaults(run=_up)

    stop = commands.add_parser("down", help="stop the processes that `up` started")
    _add_state(stop)
    stop.add_argument("--wipe", action="store_true", help="remove the state as well")
    stop.set_defaults(run=_down)

    ask = commands.add_parser("status", help="exit status 0 if all six answer")
    _add_state(ask)
    ask.set_defaults(run=_status)

    lock = commands.add_parser("lock", help="write requirements.lock from requirements.in")
    lock.set_defaults(run=_lock)
    return parser


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=_path, required=True, metavar="DIR")


def _path(text: str) -> Path:
    return Path(text).resolve()


if __name__ == "__main__":
    sys.exit(main())
