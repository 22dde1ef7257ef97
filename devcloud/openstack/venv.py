"""The virtual environment that holds the OpenStack services.

It is one for all states: `make up` and every test run share it. Half an installation is never used:
the stamp is written last, and everybody looks at it under the lock.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from devcloud.openstack.errors import InstallError
from devcloud.openstack.layout import PACKAGE, REQUIREMENTS_IN, REQUIREMENTS_LOCK, file_lock

LOCK_COMMAND = "python -m devcloud.openstack lock"
INSTALL_SECONDS = 900


def install(venv: Path, report: Callable[[str], None], *, lock: Path = REQUIREMENTS_LOCK) -> None:
    """Make `venv` hold exactly what a lock file says, byte-compiled; do nothing if it does.

    A changed lock file makes it anew. Safe to call from any number of processes at once: one
    installs, the others wait.
    """
    stamp = venv / "devcloud-requirements.sha256"
    if _is_stamped(stamp, lock):
        return
    with file_lock(venv.with_name(venv.name + ".lock")):
        if _is_stamped(stamp, lock):
            return
        report(f"install: {lock.name} of {lock.parent.name} into {venv}")
        _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(venv))
        _uv(
            *("pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode"),
            *("--python", str(python(venv)), str(lock)),
        )
        stamp.write_text(_digest(lock))


def python(venv: Path) -> Path:
    return venv / "bin" / "python"


def write_lock() -> None:
    """Resolve requirements.in into requirements.lock, with hashes and without any registry's address."""
    _uv(
        *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"),
        *("--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", LOCK_COMMAND),
        *("--upgrade", "--output-file", REQUIREMENTS_LOCK.name, REQUIREMENTS_IN.name),
        directory=PACKAGE,
    )


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _is_stamped(stamp: Path, lock: Path) -> bool:
    try:
        return stamp.read_text() == _digest(lock)
    except FileNotFoundError:
        return False


def _uv(*arguments: str, directory: Path | None = None) -> None:
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        raise InstallError(f"there is no uv beside {sys.executable}: install it there (`pip install uv`)")
    # A VIRTUAL_ENV of the caller's shell would only make uv warn about it.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        subprocess.run(
            [str(uv), *arguments],
            cwd=directory,
            env=environment,
            check=True,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise InstallError(f"uv {arguments[0]} failed:\n{error.stdout}") from error
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"uv {arguments[0]} took more than {INSTALL_SECONDS} seconds") from error
