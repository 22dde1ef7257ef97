"""A process that bears erasers and kills them: `python -m tests.storage.killing`, with a worker's settings.

It reads a line for each eraser: how many seconds it may live, and the operations that it carries out. It has loaded
everything before the first one, so that an eraser is at work as soon as it is born.
"""

import asyncio
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import platforma.models  # noqa: F401 (completes the metadata)
from platforma.clouds.blocks import LocalBlocks
from platforma.clouds.openstack import CloudPool
from platforma.database.database import Database
from platforma.kit.logs import configure_logs
from platforma.operations.cloud_access import cloud_access
from platforma.operations.engine import Engine
from platforma.operations.models import Plane
from platforma.operations.registry import reconcilers_of
from platforma.settings import load_settings, need
from platforma.storage import reconcile  # noqa: F401 (what an eraser would load late)


async def erase(operations: list[UUID]) -> None:
    """Take steps of these operations, for ever."""
    settings = load_settings()
    access = cloud_access(settings, CloudPool(blocks=LocalBlocks(settings.erasure.local_directory)), Plane.TENANT)
    database = Database(need(settings.database.worker, "DATABASE__WORKER"), pool_size=4)
    reconcilers = reconcilers_of(Plane.TENANT, access)
    engine = Engine(database, reconcilers, access, settings.worker, executor=ThreadPoolExecutor(4))
    while True:
        for operation in operations:
            await engine.reconcile(operation)
        await asyncio.sleep(0.05)


def main() -> None:
    """Bear an eraser for each line, and kill it when its time has come."""
    configure_logs(as_json=True)
    print("ready", flush=True)  # noqa: T201 (the answer to who started this)
    for line in sys.stdin:
        seconds, *operations = line.split()
        child = os.fork()
        if child == 0:
            asyncio.run(erase([UUID(each) for each in operations]))
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        print("killed", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
