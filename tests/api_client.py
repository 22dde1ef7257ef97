"""Tenants as their members see them: the real application on the real database, a fake cloud, and a worker on demand.

A test asks over HTTP with a true session's cookie, and calls `settle` where a worker would work by itself. Import the
fixtures into a `conftest.py` to use them.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from platforma.app import API_PREFIX, create_app
from platforma.clouds.openstack.fake import FakeObject
from platforma.clouds.openstack.fake.compute import FLAVORS, IMAGES
from platforma.clouds.openstack.resources import CloudKind, cloud_name
from platforma.compute.models import Flavor, Image
from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from platforma.settings import Settings
from tests.database.server import TestDatabase
from tests.database.tenants import PEPPER
from tests.operations.stage import Stage

Json = dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """The ids of what the fake cloud offers."""

    nano_id: str
    small_id: str
    image_id: str


@dataclass(frozen=True)
class Member:
    """A member of a tenant, signed in at the tenant's portal."""

    client: httpx.AsyncClient
    stage: Stage
    tenant_id: UUID
    host: str
    token: str
    catalogue: Catalogue

    async def ask(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        """Send a request below the API's prefix."""
        return await self.client.request(
            method,
            f"http://{self.host}{API_PREFIX}{path}",
            content=None if body is None else json.dumps(body),
            params=query or None,
            headers={"cookie": f"__Host-platforma={self.token}"}
            | ({} if body is None else {"content-type": "application/json"}),
        )

    async def get(self, path: str, **query: Any) -> Json:
        """Read, and expect to be answered."""
        response = await self.ask("GET", path, **query)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def wish(self, method: str, path: str, body: Any = None) -> Json:
        """Change something, and expect it to be accepted; return the resource."""
        response = await self.ask(method, path, body)
        assert response.status_code == 202, response.text
        return dict(response.json()["resource"])

    async def problem(self, method: str, path: str, body: Any = None, **query: Any) -> Json:
        """Ask for what is refused; return the problem."""
        response = await self.ask(method, path, body, **query)
        assert response.status_code >= 400, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
        return dict(response.json())

    async def settle(self) -> list[Json]:
        """Let a worker finish all operations of the tenant; return those that failed."""
        return [row for row in await self.stage.finish_all(self.tenant_id) if row["status"] != "succeeded"]

    async def make(self, path: str, **body: Any) -> Json:
        """Make something, let a worker finish it, and return it as it then is."""
        made = await self.wish("POST", path, body)
        assert await self.settle() == []
        return await self.get(f"{path}/{made['id']}")

    async def make_network(self, **body: Any) -> Json:
        """Make a network with a subnet."""
        return await self.make("/networks", **{"name": "web", "subnets": [{"cidr": "10.7.0.0/24"}], **body})

    def server_body(self, *network_ids: str, **body: Any) -> Json:
        """Return what a server is asked for with."""
        wanted: Json = {"name": "web-1", "flavor_id": self.catalogue.nano_id, "image_id": self.catalogue.image_id}
        return wanted | {"network_ids": list(network_ids)} | body

    async def make_server(self, **body: Any) -> Json:
        """Make a server on a network of its own."""
        network = await self.make_network()
        return await self.make("/servers", **self.server_body(network["id"], **body))

    async def make_volume(self, **body: Any) -> Json:
        """Make a volume."""
        return await self.make("/volumes", **{"name": "data", "size_gib": 2, **body})

    def in_cloud(self, kind: CloudKind) -> list[FakeObject]:
        """Return what the tenant's project has in the cloud of one kind."""
        return self.stage.cloud.list(kind, self.tenant_id.hex)

    def cloud_object(self, kind: CloudKind, id_: str) -> FakeObject:
        """Return the one cloud object of a resource."""
        (found,) = [item for item in self.in_cloud(kind) if item.name == cloud_name(UUID(id_))]
        return found

    def calls(self, method: str) -> int:
        """Count the calls of a method of the cloud for this tenant."""
        return sum(call.method == method and call.project_id == self.tenant_id.hex for call in self.stage.cloud.calls)


@pytest.fixture
async def catalogue(provisioner_database: Database) -> Catalogue:
    """What the fake cloud offers, offered to tenants."""
    ids: dict[str, str] = {}
    async with provisioner_database.platform() as session:
        wanted: list[tuple[Any, Any]] = [(Flavor, each) for each in FLAVORS]
        wanted += [(Image, each) for each in IMAGES]
        for model, each in wanted:
            row = await session.scalar(select(model).where(model.cloud_id == each.cloud_id))
            if row is None:
                row = model(**{name: getattr(each, name) for name in each.__slots__})
                session.add(row)
            row.is_offered = True
            await session.flush()
            ids[each.cloud_id] = str(row.id)
    return Catalogue(ids["flavor-nano"], ids["flavor-small"], ids["image-debian"])


@pytest.fixture
async def client(database: TestDatabase) -> AsyncIterator[httpx.AsyncClient]:
    """The application of a portal process, in this process."""
    app = create_app(Settings(database={"portal": database.url(DatabaseRole.PORTAL)}, pepper=SecretStr(PEPPER)))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport) as client:
        yield client
    await app.state.database.close()


async def make_member(client: httpx.AsyncClient, stage: Stage, catalogue: Catalogue) -> Member:
    """Make a tenant at a portal of its own, onboard it, and sign its owner in."""
    tenant_id = await stage.make_tenant()
    binding = await stage.sign_in(tenant_id)
    return Member(client, stage, tenant_id, binding.host, binding.token, catalogue)


@pytest.fixture
async def a(client: httpx.AsyncClient, stage: Stage, catalogue: Catalogue) -> Member:
    """The owner of a tenant."""
    return await make_member(client, stage, catalogue)


@pytest.fixture
async def b(client: httpx.AsyncClient, stage: Stage, catalogue: Catalogue) -> Member:
    """The owner of another tenant, at another portal of the same cloud."""
    return await make_member(client, stage, catalogue)


def unknown_id() -> str:
    """Return an id that never existed."""
    return str(uuid4())
