"""Where a stand-in keeps what it has, and what it remembers between starts."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from devcloud.kubernetes.certificates import LOOPBACK, Certificates, make_certificates
from devcloud.openstack.ports import are_free, free_ports
from devcloud.openstack.settings import write_private


@dataclass(frozen=True)
class Layout:
    """The paths of one state directory. Making one touches nothing on disk."""

    state: Path

    @property
    def settings(self) -> Path:
        """Port, token and certificates, mode 0600."""
        return self.state / "devcloud.json"

    @property
    def kubeconfig(self) -> Path:
        """What the cluster's administrator signs in with, mode 0600."""
        return self.state / "kubeconfig"

    @property
    def objects(self) -> Path:
        """What is in the cluster, mode 0600."""
        return self.state / "objects.json"

    @property
    def pid(self) -> Path:
        return self.state / "server.pid"

    @property
    def log(self) -> Path:
        return self.state / "server.log"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the state for one `up` or `down` at a time, by a lock beside it that wiping does not wipe."""
        self.state.parent.mkdir(parents=True, exist_ok=True)
        with self.state.with_name(f"{self.state.name}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True)
class Settings:
    """What a state keeps. `is_simulating` is as it was last started."""

    port: int
    token: str = field(repr=False)
    authority: str
    certificate: str
    key: str = field(repr=False)
    is_simulating: bool

    @property
    def server(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def certificates(self) -> Certificates:
        return Certificates(self.authority, self.certificate, self.key)


def find_settings(layout: Layout) -> Settings | None:
    """Return what the state remembers, or None for a new one."""
    try:
        return Settings(**json.loads(layout.settings.read_text()))
    except FileNotFoundError:
        return None


def choose_settings(layout: Layout, port: int | None, *, is_simulating: bool) -> Settings:
    """Return the settings of a start, and write them with the kubeconfig; everything but the port stays for ever."""
    layout.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = find_settings(layout)
    if port is None:
        port = known.port if known is not None and are_free(known.port, 1) else free_ports(1)
    if known is None:
        made = make_certificates()
        known = Settings(port, secrets.token_urlsafe(32), made.authority, made.server, made.key, is_simulating)
    settings = Settings(**asdict(known) | {"port": port, "is_simulating": is_simulating})
    write_private(layout.settings, asdict(settings))
    _write_private_text(layout.kubeconfig, kubeconfig(settings.server, settings.authority, settings.token))
    return settings


def kubeconfig(server: str, authority: str, token: str) -> str:
    """Return the administrator's kubeconfig."""
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority.encode()).decode()}
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "devcloud",
        "clusters": [{"name": "devcloud", "cluster": cluster}],
        "users": [{"name": "administrator", "user": {"token": token}}],
        "contexts": [{"name": "devcloud", "context": {"cluster": "devcloud", "user": "administrator"}}],
    }
    return str(yaml.safe_dump(document, sort_keys=False))


def _write_private_text(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    partial.replace(path)
