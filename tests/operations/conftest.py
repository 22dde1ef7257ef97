"""Fixtures of the operations: a stage on the shared database, with an onboarded tenant."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
import structlog

from devcloud.openstack.fixtures import openstack_cloud
from platforma.authentication.principals import SessionBinding
from platforma.database.database import Database
from tests.database.tenants import Secret
from tests.operations.stage import Databases, Stage

__all__ = ["openstack_cloud"]


@pytest.fixture
async def stage(
    portal_database: Database,
    worker_database: Database,
    provisioner_database: Database,
    operator_database: Database,
    administrator: psycopg.AsyncConnection[Any],
    secret: Secret,
) -> AsyncIterator[Stage]:
    """Engines on a fake cloud."""
    stage = Stage(
        Databases(portal_database, worker_database, provisioner_database, operator_database, administrator),
        secret=secret,
    )
    yield stage
    stage.executor.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
async def tenant_id(stage: Stage) -> UUID:
    """A tenant that has been onboarded, with its first network."""
    return await stage.make_tenant()


@pytest.fixture
async def member(stage: Stage, tenant_id: UUID) -> SessionBinding:
    """A member of that tenant, signed in."""
    return await stage.sign_in(tenant_id)


@pytest.fixture(autouse=True)
def _logs() -> None:
    """Send the logs to pytest, without the values of local variables."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
