"""Bringing the cloud up, taking it down, and saying how it is."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from devcloud.openstack import processes, rest, seed
from devcloud.openstack.configuration import write_configuration
from devcloud.openstack.credentials import Credentials, read_credentials, write_credentials
from devcloud.openstack.layout import DEFAULT_VENV, NAMES, Layout
from devcloud.openstack.rest import Client
from devcloud.openstack.settings import check_versions, choose_settings, find_settings
from devcloud.openstack.venv import install

Report = Callable[[str], None]

START_SECONDS = 300.0
# Long, because a service that does not answer in time is killed and started anew, and a busy machine is slow.
HEALTH_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class Status:
    """How each service is: `up`, `silent` (the process lives but does not answer) or `down`."""

    services: dict[str, str]

    @property
    def is_up(self) -> bool:
        return all(how == "up" for how in self.services.values())


def up(
    state: Path,
    *,
    port: int | None = None,
    venv: Path = DEFAULT_VENV,
    seconds: float = START_SECONDS,
    report: Report = lambda line: None,
) -> Credentials:
    """Have a healthy, seeded cloud in `state`, and return how to sign in to it.

    Installs the services if they are missing, and starts those that do not run; a cloud that is well
    is left alone. Without `port` a new state gets free ports and an old one keeps its own. Raises
    StartError, and stops everything in the state, when a service dies or `seconds` have passed.
    """
    layout = Layout(state.resolve())
    layout.state.parent.mkdir(parents=True, exist_ok=True)
    with layout.locked():
        check_versions(layout)  # before a new installation pulls the rug from under what runs
        known = find_settings(layout)
        if layout.clouds.exists() and known and port in (None, known.port) and status(state).is_up:
            report("already up")
            return read_credentials(layout.clouds)
        install(venv, report)
        return _start(layout, port, venv, seconds, report)


def down(state: Path, *, wipe: bool = False, report: Report = lambda line: None) -> None:
    """Stop the state's processes, and with `wipe` remove the state and everything in it."""
    layout = Layout(state.resolve())
    with layout.locked():
        stopped = processes.stop(layout, NAMES)
        report(f"stopped: {', '.join(stopped) or 'nothing was running'}")
        if wipe and layout.settings.exists():  # never a directory that is not ours
            shutil.rmtree(layout.state)
            report(f"wiped: {layout.state}")


def status(state: Path) -> Status:
    """Ask every service that runs for an answer; takes at most `HEALTH_SECONDS`."""
    layout = Layout(state.resolve())
    settings = find_settings(layout)

    def how(service: str) -> str:
        if settings is None or not processes.is_running(layout, service):
            return "down"
        return "up" if rest.answers(settings.url_of(service), HEALTH_SECONDS) else "silent"

    with ThreadPoolExecutor(len(NAMES)) as pool:
        return Status(dict(zip(NAMES, pool.map(how, NAMES), strict=True)))


def _start(layout: Layout, port: int | None, venv: Path, seconds: float, report: Report) -> Credentials:
    begun = time.monotonic()
    layout.create()
    before = status(layout.state).services
    processes.stop(layout, [service for service, how in before.items() if how == "silent"])
    missing = [service for service, how in before.items() if how != "up"]
    settings = choose_settings(layout, port, is_running=len(missing) < len(NAMES))
    write_configuration(layout, settings, venv)
    try:
        for service in missing:
            processes.start(layout, service, venv)
        report(f"starting: {', '.join(missing)}")
        processes.wait_ready(layout, missing, seconds, report)
        credentials = write_credentials(layout, settings)
        client = Client.sign_in(credentials)
        report("warm: first requests")
        seed.warm(client, settings)
        report("seed: flavours, images, external network, volume type")
        seed.seed(client, settings)
    except BaseException:
        report("stopping what was started")
        processes.stop(layout, NAMES)
        raise
    report(f"up after {time.monotonic() - begun:.1f} s: {credentials.auth_url}")
    return credentials
