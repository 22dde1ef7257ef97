"""The fixtures that all tests of isolation stand on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from sqlalchemy import select

from platforma.database.database import Database
from platforma.network.models import Network
from tests.database.tenants import TwoTenants


async def test_each_owner_works_in_a_tenant_of_their_own(two_tenants: TwoTenants, portal_database: Database) -> None:
    async with portal_database.write(two_tenants.a.binding()) as session:
        session.add(Network(name="of A"))
    async with portal_database.read(two_tenants.a.binding()) as session:
        assert [network.name for network in await session.scalars(select(Network))] == ["of A"]
    async with portal_database.read(two_tenants.b.binding()) as session:
        assert list(await session.scalars(select(Network))) == []


START_AND_WAIT = """
import signal
from tests.database.server import TestRun, TestServer
run = TestRun()
TestServer(run.directory)
print(run.directory, flush=True)
signal.pause()
"""


def test_killed_test_run_leaves_no_server_and_no_files() -> None:
    process = subprocess.Popen([sys.executable, "-c", START_AND_WAIT], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        directory = Path(process.stdout.readline().strip())
        server = psutil.Process(int((directory / "data" / "postmaster.pid").read_text().splitlines()[0]))
        assert server.is_running()
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while directory.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not directory.exists()
    assert not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
