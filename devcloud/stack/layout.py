"""Where everything of one running product is kept: `.platforma` in the repository, or another directory."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcloud.openstack.ports import free_ports
from devcloud.openstack.settings import write_private
from platforma.database.roles import DatabaseRole
from platforma.kit.crypto import new_key

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_STATE = REPOSITORY / ".platforma"
DATABASE = "platforma"
OPERATOR_HOST = "operator.localhost"


@dataclass(frozen=True)
class Stack:
    """One running product: its directory and its ports."""

    state: Path
    port: int
    operator_port: int
    shared_openstack: Path | None = None
    """The state of an embedded OpenStack that somebody else runs, and which is not ours to stop."""

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL's data."""
        return self.state / "postgres"

    @property
    def openstack(self) -> Path:
        """The embedded OpenStack's state."""
        return self.shared_openstack or self.state / "openstack"

    @property
    def kubernetes(self) -> Path:
        """The state of the stand-in of Kubernetes."""
        return self.state / "kubernetes"

    @property
    def demo(self) -> Path:
        """Addresses and sign-ins of the demo."""
        return self.state / "demo.json"

    @property
    def stripe(self) -> Path:
        """The local Stripe's state."""
        return self.state / "stripe"

    @property
    def webhook_secret(self) -> Path:
        """What the local Stripe signs its webhooks with."""
        return self.stripe / "webhook-secret"

    @property
    def stripe_port(self) -> int:
        """Where the local Stripe listens: a port that was free when it was first asked for."""
        kept = self.stripe / "port"
        if not kept.exists():
            kept.write_text(str(free_ports(1)))
        return int(kept.read_text())

    def settings(self, process: str) -> Path:
        """The settings file of one process."""
        return self.state / "settings" / f"{process}.env"

    def log(self, process: str) -> Path:
        """What one process has written."""
        return self.state / "log" / f"{process}.log"

    def pid(self, process: str) -> Path:
        """The pid of one process and when it was started."""
        return self.state / "run" / f"{process}.pid"

    def make(self) -> None:
        """Make the directories. PostgreSQL runs as another account when we are root, and must reach its own."""
        self.state.mkdir(parents=True, exist_ok=True)
        for name in ("settings", "log", "run", "stripe"):
            (self.state / name).mkdir(mode=0o700, exist_ok=True)

    def secrets(self) -> dict[str, str]:
        """Return the installation's secrets, made when they are first asked for."""
        path = self.state / "settings" / "secrets.json"
        if path.exists():
            found: dict[str, str] = json.loads(path.read_text())
            return found
        made = {role.short: secrets.token_urlsafe(24) for role in DatabaseRole}
        made |= {"pepper": new_key(), "credential_key": new_key()}
        write_private(path, made)
        return made

    def write_settings(self, process: str, values: dict[str, Any]) -> None:
        """Write the settings file of one process: what it needs, and nothing else."""
        lines = [f"PLATFORMA_{name}={_quoted(value)}" for name, value in values.items()]
        write_private_text(self.settings(process), "\n".join(lines) + "\n")


def write_private_text(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
