"""What the tests of access paths look at: A and B with a row each, named so that B's is found wherever it leaks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select

from platforma.database.database import Database
from platforma.database.tenant_session import WriteSession
from platforma.network.models import Network, Subnet
from tests.database.tenants import SignedIn, TwoTenants

SHARED = "the same text at A and B"


@dataclass(frozen=True)
class Rows:
    """The rows of one tenant."""

    network_id: UUID
    subnet_id: UUID


@dataclass(frozen=True)
class World:
    """A, who attacks, and B, whose canary nobody but B may see."""

    a: SignedIn
    b: SignedIn
    a_rows: Rows
    b_rows: Rows


Path = Callable[[WriteSession, World], Awaitable[Any]]

CANARY = "canary of B"
OWN = "network of A"


async def make_world(portal: Database, tenants: TwoTenants) -> World:
    """Give each tenant a network with a subnet. The two subnets say the same where a careless join would look."""
    rows = []
    for tenant, name in ((tenants.a, OWN), (tenants.b, CANARY)):
        async with portal.write(tenant.binding()) as session:
            network = Network(name=name, description=SHARED)
            session.add(network)
            await session.flush()
            subnet = Subnet(
                name=f"subnet of {name}",
                description=SHARED,
                network_id=network.id,
                ip_version=4,
                cidr="10.0.0.0/24",
            )
            session.add(subnet)
            await session.flush()
            rows.append(Rows(network.id, subnet.id))
    return World(tenants.a, tenants.b, *rows)


async def digest(portal: Database, tenant: SignedIn) -> list[tuple[Any, ...]]:
    """Return everything that a tenant has in the tables of the world, as the tenant itself sees it."""
    state: list[tuple[Any, ...]] = []
    async with portal.read(tenant.binding()) as session:
        for model in (Network, Subnet):
            columns = list(model.__table__.columns.keys())
            for row in await session.scalars(select(model).order_by(model.id)):
                state.append((model.__tablename__, *(getattr(row, column) for column in columns)))
    return state
