"""Commands of the product, run as its people run them."""

import subprocess
import sys

from devcloud.openstack.errors import StartError
from devcloud.stack.layout import Stack
from devcloud.stack.processes import environment, tail

SECONDS = 240.0
"""The longest that any of them may take: an onboarding, on a busy machine."""


def run(stack: Stack, process: str, *arguments: str, text: str | None = None) -> str:
    """Run `platforma` with the settings of a process; return what it printed. Raises StartError if it fails."""
    command = [sys.executable, "-m", "platforma", "--log-level=warning", *arguments]
    named = " ".join(arguments[:2])
    try:
        done = subprocess.run(
            command,
            env=environment(stack, process),
            capture_output=True,
            text=True,
            check=False,
            input=text,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        log = stack.log("provisioner")
        raise StartError(f"platforma {named} took more than {SECONDS:.0f} s. The end of {log}:\n{tail(log)}") from None
    if done.returncode != 0:
        raise StartError(f"platforma {named} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
