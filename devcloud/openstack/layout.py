"""Where everything lives inside a state directory, and which services there are."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent.parent
SERVICES_PATH = PACKAGE / "services"
REQUIREMENTS_IN = PACKAGE / "requirements.in"
REQUIREMENTS_LOCK = PACKAGE / "requirements.lock"
DEFAULT_VENV = REPOSITORY / ".platforma" / "openstack-venv"

REGION = "RegionOne"
LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(frozen=True)
class Service:
    """One OpenStack project, which is one process.

    `catalogue` lists (service type, path suffix) as they stand in Keystone's catalogue. `warm` is a
    path whose first request loads what the service loads lazily.
    """

    name: str
    catalogue: tuple[tuple[str, str], ...]
    warm: str


SERVICES = (
    Service("keystone", (("identity", "/v3"),), "/v3/projects"),
    Service("placement", (("placement", ""),), "/resource_providers"),
    Service("glance", (("image", ""),), "/v2/images"),
    Service("neutron", (("network", ""),), "/v2.0/networks"),
    Service("cinder", (("block-storage", "/v3"), ("volumev3", "/v3")), "/v3/volumes/detail"),
    Service("nova", (("compute", "/v2.1"),), "/v2.1/servers/detail"),
)
NAMES = tuple(service.name for service in SERVICES)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The paths of one state directory. Making one touches nothing on disk."""

    state: Path

    @property
    def settings(self) -> Path:
        """Ports and generated passwords, mode 0600; the services read it too."""
        return self.state / "devcloud.json"

    @property
    def clouds(self) -> Path:
        """What a client needs to sign in as the cloud's administrator, mode 0600."""
        return self.state / "clouds.json"

    @property
    def etc(self) -> Path:
        return self.state / "etc"

    @property
    def databases(self) -> Path:
        return self.state / "db"

    @property
    def run(self) -> Path:
        return self.state / "run"

    def pid(self, service: str) -> Path:
        return self.run / f"{service}.pid"

    def ready(self, service: str) -> Path:
        """Exists once the service listens."""
        return self.run / f"{service}.ready"

    def log(self, service: str) -> Path:
        return self.state / "log" / f"{service}.log"

    def output(self, service: str) -> Path:
        """Standard output and error: what a start that failed has to say."""
        return self.state / "log" / f"{service}.out"

    def create(self) -> None:
        """Make the directory tree; the state holds passwords, so it is its owner's alone."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (
            "cinder",
            "db",
            "etc",
            "glance/images",
            "glance/staging",
            "glance/tasks",
            "keystone",
            "lock",
            "log",
            "neutron",
            "nova",
            "run",
        ):
            (self.state / name).mkdir(parents=True, exist_ok=True)

    def beside(self, what: str) -> Path:
        """A lock file beside the state, so that wiping the state wipes no lock somebody waits for."""
        return self.state.with_name(f"{self.state.name}.{what}")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the state for one `up` or `down` at a time, between processes."""
        with file_lock(self.beside("lock")):
            yield


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`; the kernel drops it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def versions_digest() -> str:
    """What the installed services are: a hash of requirements.lock."""
    return hashlib.sha256(REQUIREMENTS_LOCK.read_bytes()).hexdigest()
