"""Onboarding: a project of its own, a credential for nothing else, and a first network."""

from contextlib import suppress
from itertools import count
from uuid import UUID

import pytest

from platforma.clouds.openstack.errors import CloudCredentialInvalid, CloudError, CloudUnavailable
from platforma.clouds.openstack.resources import ProjectCredential
from platforma.kit.crypto import UnsealError
from platforma.operations.models import Plane
from platforma.tenants.quotas import OPENSTACK_QUOTAS
from platforma.tenants.service import retry_onboarding
from tests.operations.stage import ACT, Crash, Stage

SEAMS = ("claimed", "stepped", "recording", "recorded")
FIRST = {"security_group": 1, "router": 1, "network": 1, "subnet": 1}


async def _check_onboarded(stage: Stage, tenant_id: UUID) -> None:
    assert (await stage.row("SELECT status FROM tenants WHERE id = %s", tenant_id))["status"] == "active"
    assert stage.objects(tenant_id) == FIRST
    assert [project for project in stage.cloud.identity.projects if project == tenant_id.hex] == [tenant_id.hex]
    for table in ("networks", "subnets", "routers", "security_groups"):
        (row,) = await stage.rows(f"SELECT status, cloud_id FROM {table} WHERE tenant_id = %s", tenant_id)
        assert row["status"] == "active", table
        assert row["cloud_id"] in stage.cloud.objects
    operations = await stage.rows("SELECT action, status FROM operations WHERE tenant_id = %s", tenant_id)
    assert sorted(row["action"] for row in operations) == [
        "network.create",
        "router.create",
        "security_group.create",
        "tenant.onboard",
    ]
    assert {row["status"] for row in operations} == {"succeeded"}


async def test_a_tenant_is_onboarded(stage: Stage) -> None:
    tenant_id = await stage.make_tenant()
    await _check_onboarded(stage, tenant_id)
    assert stage.cloud.quotas[tenant_id.hex] == OPENSTACK_QUOTAS


async def test_the_credential_is_sealed_for_this_tenant(stage: Stage) -> None:
    tenant_id, other = await stage.make_tenant(), await stage.make_tenant()
    row = await stage.row("SELECT sealed, project_id FROM cloud_credentials WHERE tenant_id = %s", tenant_id)
    sealed = bytes(row["sealed"])
    credential = ProjectCredential.from_bytes(stage.keys.open(sealed, owner=tenant_id.bytes + b"/openstack"))
    assert credential.project_id == row["project_id"] == tenant_id.hex
    assert credential.secret.encode() not in sealed
    with pytest.raises(UnsealError):
        stage.keys.open(sealed, owner=other.bytes + b"/openstack")


async def test_the_default_group_admits_nothing_from_outside(stage: Stage) -> None:
    tenant_id = await stage.make_tenant()
    group = await stage.row("SELECT * FROM security_groups WHERE tenant_id = %s", tenant_id)
    rules = stage.cloud.objects[group["cloud_id"]].attributes["rules"].values()
    assert group["is_default"]
    admitted = [(rule.ethertype, rule.remote_group_cloud_id) for rule in rules if rule.direction == "ingress"]
    assert sorted(admitted) == [("IPv4", group["cloud_id"]), ("IPv6", group["cloud_id"])]
    assert sorted(rule.ethertype for rule in rules if rule.direction == "egress") == ["IPv4", "IPv6"]
    assert {rule.remote_ip_prefix for rule in rules} == {None}


@pytest.mark.parametrize("seam", SEAMS)
async def test_a_crash_anywhere_is_resumed(stage: Stage, seam: str) -> None:
    for occurrence in count(1):
        with stage.crash_at(seam, occurrence) as crashed:
            tenant_id = await stage.make_tenant(onboard=False)
            await _survive(stage, tenant_id)
            await _check_onboarded(stage, tenant_id)
        if not crashed:
            assert occurrence > 4
            return


@pytest.mark.parametrize("is_after", [False, True])
async def test_a_crash_in_any_call_is_resumed(stage: Stage, is_after: bool) -> None:
    for occurrence in count(1):
        with stage.crash_at_call(occurrence, is_after=is_after) as crashed:
            tenant_id = await stage.make_tenant(onboard=False)
            await _survive(stage, tenant_id)
            await _check_onboarded(stage, tenant_id)
        if not crashed:
            assert occurrence > 5
            return


@pytest.mark.parametrize("method", ["ensure_project", "ensure_user", "create_credential", "set_quotas"])
async def test_a_lost_answer_is_made_good(stage: Stage, method: str) -> None:
    stage.cloud.lose_answer(method, CloudUnavailable())
    await _check_onboarded(stage, await stage.make_tenant())


@pytest.mark.parametrize("error", [CloudUnavailable(), CloudError("No."), CloudCredentialInvalid()], ids=repr)
async def test_a_failed_onboarding_can_be_tried_again(stage: Stage, error: CloudError) -> None:
    tenant_id = await stage.make_tenant(onboard=False)
    operation = await stage.row("SELECT id FROM operations WHERE tenant_id = %s", tenant_id)
    stage.cloud.fail_next("verify_confined", error, times=2)
    engine = stage.engine(Plane.PLATFORM)
    await engine.reconcile(operation["id"])
    if error.is_transient:
        stage.clock.go(stage.settings.give_up_after_seconds)
        await engine.reconcile(operation["id"])
    failed = await stage.operation(operation["id"])
    assert failed["status"] == "failed"
    assert (await stage.row("SELECT sealed FROM cloud_credentials WHERE tenant_id = %s", tenant_id))["sealed"] is None
    stage.cloud._faults.clear()
    await retry_onboarding(stage.databases.operator, ACT, tenant_id)
    await stage.finish_all(tenant_id)
    await _check_onboarded(stage, tenant_id)


async def _survive(stage: Stage, tenant_id: UUID) -> None:
    """Onboard through a crash; what the tenants' worker makes then has its own tests of crashes."""
    operation = await stage.row("SELECT id FROM operations WHERE tenant_id = %s", tenant_id)
    with suppress(Crash):
        await stage.finish(operation["id"])
    stage.crash_no_more()
    await stage.finish_all(tenant_id)
