"""clouds.json: what a client needs to sign in as the cloud's administrator."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from devcloud.openstack.layout import Layout
from devcloud.openstack.settings import Settings, write_private

EXTERNAL_NETWORK = "public"


@dataclasses.dataclass(frozen=True)
class Admin:
    username: str
    password: str = dataclasses.field(repr=False)
    project_name: str = "admin"
    user_domain_name: str = "Default"
    project_domain_name: str = "Default"


@dataclasses.dataclass(frozen=True)
class Credentials:
    """The content of clouds.json, field for field."""

    auth_url: str
    region: str
    admin: Admin
    external_network: str = EXTERNAL_NETWORK
    volumes_directory: str = ""
    """Where the pool's file is, which volumes are extents of."""


def write_credentials(layout: Layout, settings: Settings) -> Credentials:
    """Write clouds.json, readable by its owner alone."""
    credentials = Credentials(
        auth_url=settings.auth_url,
        region=settings.region,
        admin=Admin(username="admin", password=settings.admin_password),
        volumes_directory=str(layout.state / "cinder"),
    )
    write_private(layout.clouds, dataclasses.asdict(credentials))
    return credentials


def read_credentials(path: Path) -> Credentials:
    """Read a clouds.json; `path` is the file or the state directory that holds it."""
    content = json.loads((path / "clouds.json" if path.is_dir() else path).read_text())
    return Credentials(**{**content, "admin": Admin(**content["admin"])})
