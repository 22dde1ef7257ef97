"""One request is one transaction, committed before the first byte of the answer leaves."""

from typing import Any

import httpx
import psycopg

from platforma.authentication.permissions import Role
from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from tests.database.server import TestDatabase
from tests.isolation.conftest import STRETCHED, make_application
from tests.isolation.world import Databases, furnish


async def test_what_was_answered_is_committed(
    database: TestDatabase,
    portal_database: Database,
    operator_database: Database,
    provisioner_database: Database,
    worker_database: Database,
    administrator: psycopg.AsyncConnection[Any],
) -> None:
    """Another connection sees the row, its operation and its job at the moment the answer starts."""
    tenancy = await furnish(
        Databases(portal_database, operator_database, provisioner_database, worker_database, STRETCHED)
    )
    app = make_application(database.url(DatabaseRole.PORTAL))
    seen: list[tuple[int, ...]] = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def look_then_send(message: Any) -> None:
            if message["type"] == "http.response.start":
                rows = await administrator.execute(
                    "SELECT (SELECT count(*) FROM routers WHERE name = 'watched'),"
                    " (SELECT count(*) FROM operations WHERE resource_name = 'watched'),"
                    " (SELECT count(*) FROM jobs.procrastinate_jobs j JOIN operations o"
                    "  ON j.args ->> 'operation_id' = o.id::text WHERE o.resource_name = 'watched')"
                )
                seen.append(await rows.fetchone() or ())
            await send(message)

        await app(scope, receive, look_then_send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=watched)) as client:
        response = await client.post(
            f"http://{tenancy.host}/api/v1/routers",
            json={"name": "watched"},
            headers={"host": tenancy.host, "cookie": f"__Host-platforma={tenancy.tokens[Role.OWNER]}"},
        )
    await app.state.database.close()
    assert response.status_code == 202
    assert seen == [(1, 1, 1)]


async def test_nobody_waits_for_ever(
    database: TestDatabase,
    portal_database: Database,
    operator_database: Database,
    provisioner_database: Database,
    worker_database: Database,
) -> None:
    """What another transaction holds, and a pool without a free connection, are answered with 503 and a time."""
    tenancy = await furnish(
        Databases(portal_database, operator_database, provisioner_database, worker_database, STRETCHED)
    )
    with psycopg.connect(database.administrator_url, autocommit=True) as administrator:
        administrator.execute(
            f"ALTER ROLE platforma_portal IN DATABASE {database.name} SET lock_timeout = '200ms'".encode()
        )
    app = make_application(database.url(DatabaseRole.PORTAL))
    headers = {"host": tenancy.host, "cookie": f"__Host-platforma={tenancy.tokens[Role.OWNER]}"}
    address = f"http://{tenancy.host}/api/v1/networks"
    try:
        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(app=app), headers=headers) as client,
            await psycopg.AsyncConnection.connect(database.administrator_url) as holder,
        ):
            network = f"{address}/{tenancy.ids['network_id']}"
            await holder.execute("SELECT 1 FROM networks WHERE id = %s FOR UPDATE", (tenancy.ids["network_id"],))
            held = await client.patch(network, json={"name": "held"})
            await holder.rollback()
            engine = app.state.database.engine
            engine.pool._timeout = 0.1
            connections = [await engine.connect() for _ in range(engine.pool.size() + engine.pool._max_overflow)]
            busy = await client.get(address)
            for connection in connections:
                await connection.close()
            free = await client.get(address)
    finally:
        await app.state.database.close()
        with psycopg.connect(database.administrator_url, autocommit=True) as administrator:
            administrator.execute(f"ALTER ROLE platforma_portal IN DATABASE {database.name} RESET ALL".encode())
    for answer in (held, busy):
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert int(answer.headers["retry-after"]) > 0
    assert free.status_code == 200


async def test_what_failed_left_nothing(
    database: TestDatabase,
    portal_database: Database,
    operator_database: Database,
    provisioner_database: Database,
    worker_database: Database,
    administrator: psycopg.AsyncConnection[Any],
) -> None:
    """A request that fails in its last part takes the first part with it: no row, no operation, no job."""
    tenancy = await furnish(
        Databases(portal_database, operator_database, provisioner_database, worker_database, STRETCHED)
    )
    app = make_application(database.url(DatabaseRole.PORTAL))
    subnets = [{"cidr": "10.30.0.0/24"}, {"cidr": "10.30.0.0/25"}]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app)) as client:
        response = await client.post(
            f"http://{tenancy.host}/api/v1/networks",
            json={"name": "half-made", "subnets": subnets},
            headers={"host": tenancy.host, "cookie": f"__Host-platforma={tenancy.tokens[Role.OWNER]}"},
        )
    await app.state.database.close()
    assert response.status_code == 409
    assert response.json()["type"].endswith("address-overlap")
    rows = await administrator.execute(
        "SELECT (SELECT count(*) FROM networks WHERE name = 'half-made'),"
        " (SELECT count(*) FROM operations WHERE resource_name = 'half-made')"
    )
    assert await rows.fetchone() == (0, 0)
