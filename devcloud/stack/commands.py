"""Commands of the product, run as its people run them."""

import subprocess
import sys

from devcloud.openstack.errors import StartError
from devcloud.stack.layout import Stack
from devcloud.stack.processes import environment


def run(stack: Stack, process: str, *arguments: str, text: str | None = None) -> str:
    """Run `platforma` with the settings of a process; return what it printed. Raises StartError if it fails."""
    command = [sys.executable, "-m", "platforma", "--log-level=warning", *arguments]
    done = subprocess.run(
        command, env=environment(stack, process), capture_output=True, text=True, check=False, input=text
    )
    if done.returncode != 0:
        named = " ".join(arguments[:2])
        raise StartError(f"platforma {named} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
