"""What a state remembers between starts: ports, passwords, and which OpenStack made it."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
from pathlib import Path

from devcloud.openstack.errors import DevcloudError
from devcloud.openstack.layout import LOOPBACK, NAMES, REGION, Layout, versions_digest
from devcloud.openstack.ports import are_free, free_ports


@dataclasses.dataclass(frozen=True)
class Settings:
    """Six consecutive ports from `port`, in the order of `NAMES`."""

    port: int
    admin_password: str
    service_password: str
    versions: str
    region: str = REGION

    def port_of(self, service: str) -> int:
        return self.port + NAMES.index(service)

    def url_of(self, service: str) -> str:
        return f"http://{LOOPBACK}:{self.port_of(service)}"

    @property
    def auth_url(self) -> str:
        return self.url_of("keystone") + "/v3"


def find_settings(layout: Layout) -> Settings | None:
    try:
        text = layout.settings.read_text()
    except FileNotFoundError:
        return None
    return Settings(**json.loads(text))


def check_versions(layout: Layout) -> None:
    """Raise DevcloudError when other versions of OpenStack made the state.

    Neutron's migrations do not run on SQLite, so there is no way to upgrade it.
    """
    known = find_settings(layout)
    if known is not None and known.versions != versions_digest():
        raise DevcloudError(
            f"{layout.state} was made by other versions of OpenStack and cannot be upgraded: "
            f"run `python -m devcloud.openstack down --wipe --state {layout.state}` first"
        )


def choose_settings(layout: Layout, port: int | None, *, is_running: bool) -> Settings:
    """The state's settings, made at its first start and kept from then on.

    The ports stay what they were unless `port` asks for others, or somebody else has taken one while
    the cloud was down; Keystone's catalogue follows at the next start. Raises DevcloudError when the
    ports asked for are taken.
    """
    known = find_settings(layout)
    if known is not None and is_running:
        if port not in (None, known.port):
            raise DevcloudError(f"the cloud runs on port {known.port}: stop it before moving it to {port}")
        return known
    settings = known or Settings(
        port=0,
        admin_password=secrets.token_urlsafe(24),
        service_password=secrets.token_urlsafe(24),
        versions=versions_digest(),
    )
    settings = dataclasses.replace(settings, port=_choose_port(port, settings.port))
    write_private(layout.settings, dataclasses.asdict(settings))
    return settings


def write_private(path: Path, content: object) -> None:
    """Write JSON that only the owner may read, all of it or nothing."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as handle:
        json.dump(content, handle, indent=2)
        handle.write("\n")
    partial.replace(path)


def _choose_port(asked: int | None, known: int) -> int:
    if asked is not None:
        if not are_free(asked, len(NAMES)):
            last = asked + len(NAMES) - 1
            raise DevcloudError(f"not all ports from {asked} to {last} are free: choose others")
        return asked
    return known if known and are_free(known, len(NAMES)) else free_ports(len(NAMES))
