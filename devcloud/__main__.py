"""`python -m devcloud up | down | clean`: what `make` runs."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from devcloud.openstack.errors import DevcloudError
from devcloud.stack.layout import DEFAULT_STATE, Stack
from devcloud.stack.up import clean, down, up


def main() -> int:
    """Run one command; 0 means that it is as asked."""
    parser = argparse.ArgumentParser(prog="python -m devcloud", description=__doc__)
    parser.add_argument("command", choices=["up", "down", "clean"])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--operator-port", type=int, default=8081)
    parser.add_argument("--state", type=Path, default=Path(os.environ.get("PLATFORMA_STATE", DEFAULT_STATE)))
    options = parser.parse_args()
    if options.port == options.operator_port:
        parser.error("The portals and the operator's plane need a port each.")
    stack = Stack(options.state.resolve(), options.port, options.operator_port)
    try:
        if options.command == "up":
            _tell(up(stack, _report), stack)
        elif options.command == "down":
            down(stack, _report)
        else:
            clean(stack, _report)
    except DevcloudError as error:
        print(f"make {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell(demo: dict[str, Any], stack: Stack) -> None:
    print("\nPlatforma is up. Open one of these and sign in:\n")
    for portal in demo["portals"]:
        print(f"  {portal['url']}")
        for tenant in portal["tenants"]:
            for member in tenant["members"]:
                print(f"    {tenant['name']:12} {member['role']:8} {member['email']:32} {member['password']}")
    operator = demo["operator"]
    print(f"\n  {operator['url']}")
    print(f"    {'':12} operator {operator['email']:32} {operator['password']}")
    print(f"\nThe same is in {stack.demo}. Stop with: make down")


if __name__ == "__main__":
    sys.exit(main())
