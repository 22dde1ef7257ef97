"""The operator's acts on tenants."""

from uuid import UUID, uuid4

import pytest

from platforma.authentication.principals import SessionBinding
from platforma.database.errors import NotBoundError
from platforma.operations.models import Plane
from platforma.tenants.errors import (
    NameTaken,
    SignInNameTaken,
    UnknownMember,
    UnknownPortal,
    UnknownTenant,
    WrongTenantStatus,
)
from platforma.tenants.quotas import DEFAULT_QUOTAS
from platforma.tenants.service import (
    create_tenant,
    find_tenant_id,
    invite_member,
    offboard_tenant,
    resume_member,
    resume_tenant,
    retry_onboarding,
    revoke_sessions,
    suspend_member,
    suspend_tenant,
)
from tests.operations.stage import ACT, Stage


async def _is_live(stage: Stage, member: SessionBinding) -> bool:
    try:
        async with stage.databases.portal.read(SessionBinding(member.token, member.host)):
            return True
    except NotBoundError:
        return False


async def test_a_new_tenant_has_its_quotas_and_its_onboarding(stage: Stage) -> None:
    portal = await stage.make_portal()
    tenant_id = await create_tenant(
        stage.databases.operator, ACT, portal_name=portal, name="Acme", quotas={"servers": 3}
    )
    assert await find_tenant_id(stage.databases.operator, portal, "Acme") == tenant_id
    quotas = await stage.rows("SELECT resource, maximum FROM quotas WHERE tenant_id = %s", tenant_id)
    assert {row["resource"]: row["maximum"] for row in quotas} == DEFAULT_QUOTAS | {"servers": 3}
    operation = await stage.row("SELECT * FROM operations WHERE tenant_id = %s", tenant_id)
    assert (operation["action"], operation["plane"], operation["status"]) == ("tenant.onboard", "platform", "queued")
    job = await stage.row(
        "SELECT queue_name FROM jobs.procrastinate_jobs WHERE args->>'operation_id' = %s", str(operation["id"])
    )
    assert job["queue_name"] == "provisioning"
    audit = await stage.row("SELECT actor, reason FROM operator_audit WHERE tenant_id = %s", tenant_id)
    assert (audit["actor"], audit["reason"]) == (ACT.actor, ACT.reason)


async def test_a_name_is_given_once_in_a_portal(stage: Stage) -> None:
    portal, other = await stage.make_portal(), await stage.make_portal()
    await create_tenant(stage.databases.operator, ACT, portal_name=portal, name="Acme")
    with pytest.raises(NameTaken):
        await create_tenant(stage.databases.operator, ACT, portal_name=portal, name="Acme")
    await create_tenant(stage.databases.operator, ACT, portal_name=other, name="Acme")


async def test_a_tenant_that_was_half_made_is_made_whole(stage: Stage) -> None:
    """The first transaction was committed, and the process died before the second."""
    portal = await stage.make_portal()
    first = await create_tenant(stage.databases.operator, ACT, portal_name=portal, name="Acme")
    for table in ("operations", "quotas"):
        await stage.databases.administrator.execute(f"DELETE FROM {table} WHERE tenant_id = %s".encode(), (first,))
    assert await create_tenant(stage.databases.operator, ACT, portal_name=portal, name="Acme") == first
    assert (await stage.finish_all(first))[0]["status"] == "succeeded"


async def test_unknown_names_are_named(stage: Stage, tenant_id: UUID) -> None:
    operator = stage.databases.operator
    with pytest.raises(UnknownPortal, match="nowhere"):
        await create_tenant(operator, ACT, portal_name="nowhere", name="Acme")
    with pytest.raises(UnknownTenant, match="Nobody"):
        await find_tenant_id(operator, await stage.make_portal(), "Nobody")
    with pytest.raises(UnknownTenant):
        await suspend_tenant(operator, ACT, uuid4())
    with pytest.raises(UnknownMember, match="nobody@"):
        await suspend_member(operator, ACT, tenant_id, "nobody@example.org")


async def test_an_account_is_given_once_in_a_portal(stage: Stage) -> None:
    """Two tenants of one portal: the second is told that the e-mail is taken, and the first keeps it."""
    operator = stage.databases.operator
    portal = await stage.make_portal()
    first = await create_tenant(operator, ACT, portal_name=portal, name="First")
    second = await create_tenant(operator, ACT, portal_name=portal, name="Second")
    email = f"ada@{portal}.test"
    invited = await invite_member(operator, ACT, first, email=email.upper(), name="Ada", role="owner")
    assert invited.email == email
    with pytest.raises(SignInNameTaken, match=email):
        await invite_member(operator, ACT, second, email=email, name="Ada", role="owner")
    assert not await stage.rows("SELECT 1 FROM members WHERE tenant_id = %s", second)
    again = await invite_member(operator, ACT, first, email=email, name="Ada", role="owner")
    assert (again.member_id, again.token == invited.token) == (invited.member_id, False)
    elsewhere = await stage.make_tenant(onboard=False)
    await invite_member(operator, ACT, elsewhere, email=email, name="Ada", role="owner")


async def test_suspension_ends_every_session_at_once(stage: Stage, tenant_id: UUID, member: SessionBinding) -> None:
    bystander = await stage.sign_in(await stage.make_tenant(onboard=False))
    assert await _is_live(stage, member)
    await suspend_tenant(stage.databases.operator, ACT, tenant_id)
    assert not await _is_live(stage, member)
    assert await _is_live(stage, bystander)
    await resume_tenant(stage.databases.operator, ACT, tenant_id)
    assert not await _is_live(stage, member)
    assert await _is_live(stage, await stage.sign_in(tenant_id))
    row = await stage.row("SELECT status FROM tenants WHERE id = %s", tenant_id)
    assert row["status"] == "active"


async def test_a_tenant_suspended_while_it_is_onboarded_goes_on_later(stage: Stage) -> None:
    tenant_id = await stage.make_tenant(onboard=False)
    operation = await stage.row("SELECT id FROM operations WHERE tenant_id = %s", tenant_id)
    await suspend_tenant(stage.databases.operator, ACT, tenant_id)
    await stage.engine(Plane.PLATFORM).reconcile(operation["id"])
    assert not stage.objects(tenant_id)
    await resume_tenant(stage.databases.operator, ACT, tenant_id)
    await stage.finish_all(tenant_id)
    row = await stage.row("SELECT status FROM tenants WHERE id = %s", tenant_id)
    assert row["status"] == "active"


async def test_one_member_is_suspended_and_no_other(stage: Stage, tenant_id: UUID, member: SessionBinding) -> None:
    other = await stage.sign_in(tenant_id)
    rows = await stage.rows("SELECT email FROM members WHERE tenant_id = %s ORDER BY id", tenant_id)
    await suspend_member(stage.databases.operator, ACT, tenant_id, rows[0]["email"])
    assert (await _is_live(stage, member), await _is_live(stage, other)) == (False, True)
    await resume_member(stage.databases.operator, ACT, tenant_id, rows[0]["email"])
    row = await stage.row("SELECT status FROM members WHERE email = %s", rows[0]["email"])
    assert row["status"] == "active"


async def test_sessions_are_revoked_by_tenant_member_and_session(
    stage: Stage, tenant_id: UUID, member: SessionBinding
) -> None:
    operator = stage.databases.operator
    second, third = await stage.sign_in(tenant_id), await stage.sign_in(tenant_id)
    sessions = await stage.rows(
        "SELECT s.id, m.email FROM sessions s JOIN members m ON m.id = s.member_id"
        " WHERE s.tenant_id = %s ORDER BY s.id",
        tenant_id,
    )
    assert await revoke_sessions(operator, ACT, tenant_id, session_id=sessions[0]["id"]) == 1
    assert [await _is_live(stage, each) for each in (member, second, third)] == [False, True, True]
    assert await revoke_sessions(operator, ACT, tenant_id, email=sessions[1]["email"]) == 1
    assert [await _is_live(stage, each) for each in (second, third)] == [False, True]
    assert await revoke_sessions(operator, ACT, tenant_id) == 1
    assert not await _is_live(stage, third)


async def test_acts_that_do_not_fit_are_refused(stage: Stage, tenant_id: UUID) -> None:
    operator = stage.databases.operator
    with pytest.raises(WrongTenantStatus):
        await resume_tenant(operator, ACT, tenant_id)
    with pytest.raises(WrongTenantStatus):
        await retry_onboarding(operator, ACT, tenant_id)
    await offboard_tenant(operator, ACT, tenant_id)
    with pytest.raises(WrongTenantStatus):
        await suspend_tenant(operator, ACT, tenant_id)
    await stage.finish_all(tenant_id)
    with pytest.raises(WrongTenantStatus):
        await offboard_tenant(operator, ACT, tenant_id)
