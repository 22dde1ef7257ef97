"""The OpenAPI document against the served application: every answer is one that the document declares."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from platforma.authentication.permissions import Role
from platforma.database.roles import DatabaseRole
from tests.database.server import TestDatabase
from tests.isolation.conftest import STRETCHED, make_application
from tests.isolation.world import Databases, Tenancy, furnish
from tests.serving import served

_DEADLINE_SECONDS = 600
_LEAST_CASES = 500


async def _furnish(database: TestDatabase) -> Tenancy:
    async with (
        database.open(DatabaseRole.PORTAL) as portal,
        database.open(DatabaseRole.OPERATOR) as operator,
        database.open(DatabaseRole.PROVISIONER) as provisioner,
        database.open(DatabaseRole.WORKER) as worker,
    ):
        return await furnish(Databases(portal, operator, provisioner, worker, STRETCHED))


@pytest.mark.long
def test_no_answer_is_undeclared(process_database: TestDatabase, tmp_path: Path) -> None:
    """As a signed-in owner, over HTTP. Signing out is left out: it would end the session of all that follows;
    and so are webhooks, which only Stripe can sign."""
    tenancy = asyncio.run(_furnish(process_database))
    with served(make_application(process_database.url(DatabaseRole.PORTAL))) as port:
        command = [
            str(Path(sys.executable).with_name("st")),
            "run",
            f"http://127.0.0.1:{port}/api/v1/openapi.json",
            f"--header=Host: {tenancy.host}",
            f"--header=Cookie: __Host-platforma={tenancy.tokens[Role.OWNER]}",
            "--exclude-operation-id=sign_out",
            "--exclude-operation-id=receive_stripe_event",
            "--phases=examples,coverage,fuzzing",
            "--max-examples=10",
            "--no-shrink",
            "--continue-on-failure",
            "--seed=1",
            "--no-color",
            "--warnings=off",
        ]
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=_DEADLINE_SECONDS, check=False, cwd=tmp_path
        )
    assert run.returncode == 0, run.stdout[-20000:] + run.stderr[-2000:]
    cases = re.search(r"(\d[\d,]*) generated", run.stdout)
    assert cases, run.stdout[-3000:]
    assert int(cases[1].replace(",", "")) >= _LEAST_CASES, run.stdout[-3000:]
