"""Offboarding: nothing is left, in the cloud or in the database, but a tombstone and the operators' audit."""

from itertools import count
from uuid import UUID

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.clouds.openstack.errors import CloudConflict
from platforma.clouds.openstack.resources import CloudKind
from platforma.database.errors import NotBoundError
from platforma.database.roles import DatabaseRole
from platforma.database.tables import tenant_tables
from platforma.network.models import Network, Router, SecurityGroup, Subnet
from platforma.operations.models import Plane
from platforma.tenants.offboarding import deletion_order
from platforma.tenants.service import create_tenant, offboard_tenant
from tests.operations.stage import ACT, Crash, Stage

SEAMS = ("claimed", "stepped", "recording", "recorded")


async def _furnish(stage: Stage, tenant_id: UUID, *, finish: bool = True) -> SessionBinding:
    """Give a tenant more than it begins with, and something that is not ours in its project."""
    member = await stage.sign_in(tenant_id)
    network = Network(name="web")
    await stage.create(member, Router(name="edge"), SecurityGroup(name="web"), network)
    async with stage.wish(member) as session:
        session.add(Subnet(name="late", network_id=network.id, ip_version=4, cidr="10.9.0.0/24"))
    if finish:
        await stage.finish_all(tenant_id)
    stage.cloud.add(CloudKind.VOLUME, tenant_id.hex, "not ours", status="available", attachments=[])
    return member


async def _rows_left(stage: Stage, tenant_id: UUID) -> dict[str, int]:
    left = {}
    tables = [*tenant_tables(), "gate.credentials", "gate.session_tokens", "gate.invitations"]
    for table in tables:
        row = await stage.row(f"SELECT count(*) AS n FROM {table} WHERE tenant_id = %s", tenant_id)
        if row["n"]:
            left[table] = row["n"]
    return left


async def _check_gone(stage: Stage, tenant_id: UUID) -> None:
    assert await _rows_left(stage, tenant_id) == {}
    assert stage.objects(tenant_id) == {}
    assert tenant_id.hex not in stage.cloud.identity.projects
    assert f"user-{tenant_id.hex}" not in stage.cloud.identity.users
    assert not [each for each in stage.cloud.identity.credentials.values() if each.project_id == tenant_id.hex]
    tombstone = await stage.row("SELECT name, status FROM tenants WHERE id = %s", tenant_id)
    assert tombstone == {"name": "Acme", "status": "offboarded"}
    audit = await stage.rows("SELECT action FROM operator_audit WHERE tenant_id = %s ORDER BY at", tenant_id)
    assert audit[-1]["action"] == "tenant.offboarded"


async def test_nothing_is_left(stage: Stage, tenant_id: UUID) -> None:
    """The twin beside it, with as much, keeps all it has."""
    twin = await stage.make_tenant()
    await _furnish(stage, tenant_id)
    twin_member = await _furnish(stage, twin)
    rows, objects = await _rows_left(stage, twin), stage.objects(twin)
    await offboard_tenant(stage.databases.operator, ACT, tenant_id)
    await stage.finish_all(tenant_id)
    await _check_gone(stage, tenant_id)
    assert (await _rows_left(stage, twin), stage.objects(twin)) == (rows, objects)
    async with stage.databases.portal.read(SessionBinding(twin_member.token, twin_member.host)) as session:
        assert session.tenant_id == twin


async def test_the_members_are_out_at_once(stage: Stage, tenant_id: UUID) -> None:
    member = await _furnish(stage, tenant_id)
    await offboard_tenant(stage.databases.operator, ACT, tenant_id)
    with pytest.raises(NotBoundError):
        async with stage.databases.portal.read(SessionBinding(member.token, member.host)):
            pass
    for table in ("members", "sessions", "gate.credentials", "gate.session_tokens"):
        assert not await stage.rows(f"SELECT 1 FROM {table} WHERE tenant_id = %s", tenant_id)


async def test_what_is_under_way_is_stopped(stage: Stage, tenant_id: UUID) -> None:
    """Operations that were queued, and never begun, make nothing any more."""
    await _furnish(stage, tenant_id, finish=False)
    before = stage.objects(tenant_id)
    await offboard_tenant(stage.databases.operator, ACT, tenant_id)
    calls = len(stage.cloud.calls)
    await stage.finish_all(tenant_id)
    await _check_gone(stage, tenant_id)
    assert before != {}
    assert not [call for call in stage.cloud.calls[calls:] if call.method.startswith("ensure_")]


async def test_a_step_that_is_under_way_is_waited_for(stage: Stage, tenant_id: UUID) -> None:
    """A worker is in mid-step, with a token that the cloud still honours: the project is not emptied yet."""
    await _furnish(stage, tenant_id, finish=False)
    claimed = await stage.row(
        "UPDATE operations SET claim = gen_random_uuid(), status = 'running' WHERE id ="
        " (SELECT id FROM operations WHERE tenant_id = %s AND status = 'queued' LIMIT 1) RETURNING id",
        tenant_id,
    )
    await offboard_tenant(stage.databases.operator, ACT, tenant_id)
    offboarding = await stage.row(
        "SELECT id FROM operations WHERE tenant_id = %s AND action = 'tenant.offboard'", tenant_id
    )
    before = stage.objects(tenant_id)
    for _ in range(3):
        await stage.engine(Plane.PLATFORM).reconcile(offboarding["id"])
    assert (await stage.operation(offboarding["id"]))["step"] == "Waiting for what is under way"
    assert stage.objects(tenant_id) == before
    await stage.engine().reconcile(claimed["id"])
    assert (await stage.operation(claimed["id"]))["status"] == "cancelled"
    await stage.finish_all(tenant_id)
    await _check_gone(stage, tenant_id)


async def test_a_tenant_that_was_never_onboarded_goes_too(stage: Stage) -> None:
    tenant_id = await stage.make_tenant(onboard=False)
    await offboard_tenant(stage.databases.operator, ACT, tenant_id)
    await stage.finish_all(tenant_id)
    await _check_gone(stage, tenant_id)


async def test_its_name_can_be_given_again(stage: Stage) -> None:
    portal = await stage.make_portal()
    first = await create_tenant(stage.databases.operator, ACT, portal_name=portal, name="Acme")
    await offboard_tenant(stage.databases.operator, ACT, first)
    await stage.finish_all(first)
    assert await create_tenant(stage.databases.operator, ACT, portal_name=portal, name="Acme") != first


async def test_a_project_that_empties_slowly_is_waited_for(stage: Stage, tenant_id: UUID) -> None:
    await _furnish(stage, tenant_id)
    await offboard_tenant(stage.databases.operator, ACT, tenant_id)
    stage.cloud.fail_next("empty_project", CloudConflict("Volume is busy."), times=3)
    stage.cloud.lose_answer("delete_project", CloudConflict("Busy."))
    await stage.finish_all(tenant_id)
    await _check_gone(stage, tenant_id)


@pytest.mark.parametrize("seam", SEAMS)
async def test_a_crash_anywhere_is_resumed(stage: Stage, seam: str) -> None:
    for occurrence in count(1):
        tenant_id = await stage.make_tenant(onboard=False)
        await stage.finish((await stage.row("SELECT id FROM operations WHERE tenant_id = %s", tenant_id))["id"])
        stage.cloud.add(CloudKind.VOLUME, tenant_id.hex, "not ours", status="available", attachments=[])
        await offboard_tenant(stage.databases.operator, ACT, tenant_id)
        with stage.crash_at(seam, occurrence) as crashed:
            await _survive(stage, tenant_id)
        await _check_gone(stage, tenant_id)
        if not crashed:
            assert occurrence > 3
            return


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_crash_in_any_call_is_resumed(stage: Stage, is_after: bool) -> None:
    for occurrence in count(1):
        tenant_id = await stage.make_tenant(onboard=False)
        await stage.finish((await stage.row("SELECT id FROM operations WHERE tenant_id = %s", tenant_id))["id"])
        stage.cloud.add(CloudKind.VOLUME, tenant_id.hex, "not ours", status="available", attachments=[])
        await offboard_tenant(stage.databases.operator, ACT, tenant_id)
        with stage.crash_at_call(occurrence, is_after=is_after) as crashed:
            await _survive(stage, tenant_id)
        await _check_gone(stage, tenant_id)
        if not crashed:
            assert occurrence > 3
            return


def test_referring_rows_go_before_those_they_refer_to() -> None:
    order = deletion_order()
    assert set(order) == {model for model in tenant_tables().values() if not model.__outlives_tenant__}
    for position, model in enumerate(order):
        for key in model.__table__.foreign_keys:
            target = key.column.table.name
            if target in tenant_tables() and target != model.__tablename__:
                assert order.index(tenant_tables()[target]) > position, (model, target)


async def test_the_provisioner_may_delete_from_every_table(stage: Stage) -> None:
    """A table that is added later and forgets this would leave rows behind."""
    for model in deletion_order():
        assert "DELETE" in model.__grants__.get(DatabaseRole.PROVISIONER, ()), model


async def _survive(stage: Stage, tenant_id: UUID) -> None:
    try:
        await stage.finish_all(tenant_id)
    except Crash:
        await stage.finish_all(tenant_id)
