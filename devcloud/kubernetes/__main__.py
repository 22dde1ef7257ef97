"""The command line: `python -m devcloud.kubernetes up | down | status`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from devcloud.kubernetes.cluster import down, is_up, up
from devcloud.kubernetes.layout import Layout, find_settings
from devcloud.openstack.errors import DevcloudError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 means that it is as asked, 1 that it is not."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except DevcloudError as error:
        print(f"devcloud: {error}", file=sys.stderr)
        return 1


def _up(options: argparse.Namespace) -> int:
    cluster = up(options.state, port=options.port, is_simulating=options.simulate_enforcement, report=_report)
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    return 0


def _down(options: argparse.Namespace) -> int:
    down(options.state, wipe=options.wipe, report=_report)
    return 0


def _status(options: argparse.Namespace) -> int:
    layout = Layout(options.state)
    settings = find_settings(layout)
    if settings is None or not is_up(layout, settings):
        print("down")
        return 1
    print(f"up: {settings.server}{' (simulating)' if settings.is_simulating else ''}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    """Run the stand-in in this process until it is ended: what `up` starts."""
    from devcloud.kubernetes.assembly import assemble
    from devcloud.kubernetes.network import Network
    from devcloud.kubernetes.serving import Server, listen

    layout = Layout(options.state)
    settings = find_settings(layout)
    if settings is None:
        raise DevcloudError(f"{layout.state} is no state of a stand-in: use `up`")
    os.umask(0o077)
    api = assemble(
        settings.token,
        settings.authority,
        file=layout.objects,
        network=Network() if settings.is_simulating else None,
    )
    Server(api, settings.certificates).run(sockets=[listen(settings.port)])
    return 0


def _report(line: str) -> None:
    print(f"kubernetes: {line}", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcloud.kubernetes", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    start = _command(commands, "up", "start it if it does not run", _up)
    start.add_argument("--port", type=int, help="(default: the state's, or a free one)")
    start.add_argument(
        "--simulate-enforcement",
        action="store_true",
        help="say that pods run and network policies hold; /version tells everybody that this is simulated",
    )
    stop = _command(commands, "down", "stop the process that `up` started", _down)
    stop.add_argument("--wipe", action="store_true", help="remove the state as well")
    _command(commands, "status", "exit status 0 if it answers", _status)
    _command(commands, "serve", "run in this process (what `up` starts)", _serve)
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, words: str, run: object
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words)
    parser.add_argument("--state", type=lambda text: Path(text).resolve(), required=True, metavar="DIR")
    parser.set_defaults(run=run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
