"""The fixtures that all tests of isolation stand on."""

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
