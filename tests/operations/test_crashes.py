"""A worker that dies anywhere: nothing is lost, doubled or orphaned."""

from collections import Counter
from itertools import count
from uuid import UUID

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.database.tenant_session import WriteSession
from platforma.network.models import Network, Router, SecurityGroup, SecurityGroupRule, Subnet
from platforma.operations.models import Operation, Resource
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation, resource_kind
from tests.operations.stage import Crash, Stage

SEAMS = ("claimed", "stepped", "recording", "recorded")


class World:
    """A router, a network with two subnets on it, and a security group with rules: made, then removed."""

    def __init__(self, stage: Stage, tenant_id: UUID, member: SessionBinding) -> None:
        self.stage = stage
        self.tenant_id = tenant_id
        self.member = member
        self.rows: list[Resource] = []

    async def create(self) -> None:
        """Wish for all of it."""
        router, network, group = Router(name="edge"), Network(name="web"), SecurityGroup(name="web")
        async with self.stage.wish(self.member) as session:
            session.add_all([router, network, group])
            await session.flush()
            for cidr in ("10.1.0.0/24", "10.2.0.0/24"):
                session.add(Subnet(name=cidr, network_id=network.id, router_id=router.id, ip_version=4, cidr=cidr))
            for port, remote in ((22, None), (80, group.id)):
                session.add(
                    SecurityGroupRule(
                        security_group_id=group.id,
                        direction="ingress",
                        ethertype="IPv4",
                        protocol="tcp",
                        port_range_min=port,
                        port_range_max=port,
                        remote_group_id=remote,
                    )
                )
            for row in (router, network, group):
                await _request(session, row, "create")
        self.rows = [network, group, router]

    async def delete(self) -> None:
        """Wish all of it away."""
        async with self.stage.wish(self.member) as session:
            for row in self.rows:
                found = await get_resource(session, type(row), row.id, for_change=True)
                await delete_resource(session, found, f"{resource_kind(type(row))}.delete", "member")

    async def settle(self) -> Counter[str]:
        """Carry everything out; return how the operations ended. A crash in it is survived."""
        for _ in range(10):
            try:
                ended = await self.stage.finish_all(self.tenant_id)
            except Crash:
                continue
            return Counter(row["status"] for row in ended)
        raise AssertionError("There was more than one crash.")


async def _request(session: WriteSession, row: Resource, verb: str) -> Operation:
    action = f"{resource_kind(type(row))}.{verb}"
    return await request_operation(session, action=action, resource=row, requested_by="member")


MADE = {"network": 1, "subnet": 2, "router": 1, "security_group": 1}


@pytest.fixture
def world(stage: Stage, tenant_id: UUID, member: SessionBinding) -> World:
    """What is made and removed while the worker dies."""
    return World(stage, tenant_id, member)


@pytest.mark.parametrize("seam", SEAMS)
async def test_a_crash_between_the_acts_of_a_step(world: World, seam: str) -> None:
    """At each seam of each step, one after another, until there is none left to crash at."""
    before = world.stage.objects(world.tenant_id)
    for occurrence in count(1):
        with world.stage.crash_at(seam, occurrence) as crashed:
            await world.create()
            assert set(await world.settle()) == {"succeeded"}
            made = Counter(world.stage.objects(world.tenant_id))
            made.subtract(before)
            assert +made == MADE
            await world.delete()
            assert set(await world.settle()) == {"succeeded"}
            assert world.stage.objects(world.tenant_id) == before
        if not crashed:
            assert occurrence > 10
            return


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_crash_in_each_call_of_the_cloud(world: World, moment: str) -> None:
    """Before a call has done anything, and after it has done everything but answered."""
    before = world.stage.objects(world.tenant_id)
    for occurrence in count(1):
        with world.stage.crash_at_call(occurrence, is_after=moment == "after") as crashed:
            await world.create()
            assert set(await world.settle()) == {"succeeded"}
            made = Counter(world.stage.objects(world.tenant_id))
            made.subtract(before)
            assert +made == MADE
            await world.delete()
            assert set(await world.settle()) == {"succeeded"}
            assert world.stage.objects(world.tenant_id) == before
        if not crashed:
            assert occurrence > 20
            return
