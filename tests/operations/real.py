"""Real worker processes on a real OpenStack."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

from devcloud.openstack.credentials import Credentials
from platforma.clouds.blocks import LocalBlocks
from platforma.clouds.openstack import CloudPool, ProjectCloud
from platforma.database.roles import DatabaseRole
from platforma.kit.crypto import new_key
from platforma.operations.cloud_access import CloudAccess, cloud_access
from platforma.operations.models import Plane
from platforma.settings import DatabaseSettings, OpenStackCloudSettings, Settings, WorkerSettings
from tests.database.server import TestDatabase
from tests.operations.stage import Stage

_MAIN = """
import asyncio, sys
from platforma.kit.logs import configure_logs
from platforma.operations.models import Plane
from platforma.settings import load_settings
from platforma.worker import run_worker
configure_logs(as_json=True)
asyncio.run(run_worker(load_settings(), Plane(sys.argv[1])))
"""


@dataclass
class Workers:
    """Worker processes with the settings of one installation."""

    database: TestDatabase
    credentials: Credentials
    log: Path
    worker: WorkerSettings = field(
        default_factory=lambda: WorkerSettings(
            concurrency=6, heartbeat_seconds=1, stalled_after_seconds=12, give_up_after_seconds=120
        )
    )
    key: str = field(default_factory=new_key)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """The settings, as a process of both planes would have them."""
        return Settings(
            database=DatabaseSettings(
                worker=SecretStr(self.database.url(DatabaseRole.WORKER)),
                provisioner=SecretStr(self.database.url(DatabaseRole.PROVISIONER)),
            ),
            openstack=OpenStackCloudSettings(
                auth_url=self.credentials.auth_url,
                region=self.credentials.region,
                external_network=self.credentials.external_network,
                administrator_username=self.credentials.admin.username,
                administrator_password=SecretStr(self.credentials.admin.password),
            ),
            worker=self.worker,
            credential_keys=[SecretStr(self.key)],
        )

    @property
    def access(self) -> CloudAccess:
        """Access to the cloud as the provisioner has it."""
        return cloud_access(
            self.settings, CloudPool(blocks=LocalBlocks(Path(self.credentials.volumes_directory))), Plane.PLATFORM
        )

    def start(self, plane: Plane) -> subprocess.Popen[bytes]:
        """Start a process."""
        role = "WORKER" if plane is Plane.TENANT else "PROVISIONER"
        settings = self.settings
        assert settings.openstack is not None
        environment = {
            **os.environ,
            "PYTHONWARNINGS": "ignore",
            f"PLATFORMA_DATABASE__{role}": self.database.url(DatabaseRole[role]),
            "PLATFORMA_OPENSTACK__AUTH_URL": self.credentials.auth_url,
            "PLATFORMA_OPENSTACK__REGION": self.credentials.region,
            "PLATFORMA_OPENSTACK__EXTERNAL_NETWORK": self.credentials.external_network,
            "PLATFORMA_ERASURE__LOCAL_DIRECTORY": self.credentials.volumes_directory,
            "PLATFORMA_CREDENTIAL_KEYS": f'["{self.key}"]',
        }
        for name, value in self.worker.model_dump().items():
            environment[f"PLATFORMA_WORKER__{name.upper()}"] = str(value)
        if plane is Plane.PLATFORM:
            environment["PLATFORMA_OPENSTACK__ADMINISTRATOR_USERNAME"] = self.credentials.admin.username
            environment["PLATFORMA_OPENSTACK__ADMINISTRATOR_PASSWORD"] = self.credentials.admin.password
        with self.log.open("ab") as log:
            process = subprocess.Popen([sys.executable, "-c", _MAIN, plane.value], env=environment, stderr=log)
        self.processes.append(process)
        return process

    @contextmanager
    def running(self, *planes: Plane) -> Iterator[None]:
        """Run one process of each plane for the time of the block, and stop them gracefully."""
        processes = [self.start(plane) for plane in planes]
        yield
        for process in processes:
            process.terminate()
        for process in processes:
            assert process.wait(30) == 0, self.log.read_text()[-4000:]

    def end(self) -> None:
        """End whatever runs still."""
        for process in self.processes:
            process.kill()
            process.wait()

    async def open_project(self, stage: Stage, tenant_id: UUID) -> ProjectCloud:
        """Open a tenant's project, as its worker does."""
        row = await stage.row("SELECT sealed FROM cloud_credentials WHERE tenant_id = %s", tenant_id)
        return self.access.open_project(tenant_id, bytes(row["sealed"]))


@dataclass
class Killer:
    """Kills processes with -9 while they work, at random moments, and starts others in their place.

    The moments are marks of progress, so that they fall into the work however slow the machine is.
    """

    workers: Workers
    generator: random.Random
    marks: list[int]
    count: int = 2
    kills: int = 0
    _living: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @classmethod
    def of(cls, workers: Workers, seed: int, *, kills: int, total: int) -> "Killer":
        """Choose the moments between the beginning and nine tenths of the whole progress."""
        generator = random.Random(seed)
        return cls(workers, generator, sorted(generator.sample(range(1, total * 9 // 10), kills)))

    def tend(self, progress: int) -> None:
        """Kill the oldest process when it is due, and start what is missing. Call it again and again."""
        while len(self._living) < self.count:
            self._living.append(self.workers.start(Plane.TENANT))
        while self.marks and progress >= self.marks[0]:
            self.marks.pop(0)
            time.sleep(self.generator.uniform(0, 0.2))
            oldest = self._living.pop(0)
            oldest.kill()
            oldest.wait()
            self.kills += 1
            self._living.append(self.workers.start(Plane.TENANT))
