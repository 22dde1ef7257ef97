"""The real application with two furnished tenants, and whatever a test puts in between."""

from collections.abc import AsyncIterator, Awaitable, Callable
from copy import copy
from typing import Any
from uuid import uuid4

import httpx
import pytest_asyncio

from platforma.authentication.permissions import Role
from platforma.kit.probes import Reply, Scene
from platforma.verification.party import HttpParty
from tests.isolation.conftest import WEBHOOK_SECRET, Stage, make_application, stage
from tests.isolation.world import PASSWORD, Tenancy, furnish

__all__ = ["make_application", "stage"]

Application = Callable[[Any, Any, Any], Awaitable[None]]
Between = Callable[[Application, Any, Any, Any], Awaitable[None]]


class InProcessParty(HttpParty):
    """A member of a furnished tenant, who has everything already."""

    def __init__(self, client: httpx.AsyncClient, tenancy: Tenancy) -> None:
        email = f"owner@{tenancy.canary}.example"
        super().__init__(
            client,  # type: ignore[arg-type]
            host=tenancy.host,
            mark=tenancy.canary,
            email=email,
            password=PASSWORD,
            patience_seconds=1,
        )
        self.token = tenancy.tokens[Role.OWNER]
        self.colleague = copy(self)
        self.colleague.token = tenancy.tokens[Role.MEMBER]
        self.ids = {name: str(id_) for name, id_ in tenancy.ids.items()} | {"member_session_id": str(uuid4())}

    async def settle(self, answer: Reply) -> str | None:
        """No worker is there."""
        return None


@pytest_asyncio.fixture(loop_scope="session")
async def scene_behind(stage: Stage) -> AsyncIterator[Callable[[Between], Awaitable[Scene]]]:
    """Make a scene whose requests go through something first."""
    clients: list[httpx.AsyncClient] = []

    async def make(between: Between) -> Scene:
        application = stage.client._transport.app  # type: ignore[attr-defined]

        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            await between(application, scope, receive, send)

        transport = httpx.ASGITransport(app=wrapped, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://portal.test")
        clients.append(client)
        # A verification takes away all that its tenants have.
        a, b = await furnish(stage.databases), await furnish(stage.databases)
        return Scene(InProcessParty(client, a), InProcessParty(client, b), b.host, (WEBHOOK_SECRET,))

    yield make
    for client in clients:
        await client.aclose()


async def untouched(application: Application, scope: Any, receive: Any, send: Any) -> None:
    """Nothing in between."""
    await application(scope, receive, send)
