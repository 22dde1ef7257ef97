"""Kubeconfigs: issued by a worker, collected once with the key, revoked with all that is lost by it."""

import base64
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import yaml

from platforma.clouds.errors import CloudUnavailable
from platforma.kit.clock import utc_now
from platforma.kit.crypto import new_private_key
from platforma.tenants.service import offboard_tenant, resume_tenant, suspend_member, suspend_tenant
from tests.api_client import Json, Member
from tests.database.tenants import invite_and_accept, sign_in
from tests.kubernetes.conftest import Connected, make_namespace
from tests.operations.stage import ACT


async def ask(member: Member, name: str = "laptop", **body: Any) -> tuple[Json, str]:
    """Ask for a kubeconfig; return it and its key."""
    response = await member.ask("POST", "/kubeconfigs", {"name": name, **body})
    assert response.status_code == 202, response.text
    return response.json()["resource"], response.json()["key"]


async def collect(member: Member, made: Json, key: str) -> Any:
    response = await member.ask("POST", f"/kubeconfigs/{made['id']}/collect", {"key": key})
    assert response.status_code == 200, response.text
    return yaml.safe_load(response.json()["kubeconfig"])


@pytest.fixture
async def made(a: Member, cluster: Connected) -> Json:
    """A namespace of A."""
    return await make_namespace(a)


@pytest.mark.usefixtures("made")
async def test_a_kubeconfig_is_issued_and_collected_once(a: Member, cluster: Connected) -> None:
    asked, key = await ask(a, lifetime_seconds=1800)
    path = f"/kubeconfigs/{asked['id']}"
    problem = await a.problem("POST", f"{path}/collect", {"key": key})
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:kubeconfig-not-issued")
    assert await a.settle() == []
    issued = await a.get(path)
    assert (issued["status"], issued["collected_at"]) == ("active", None)
    (account,) = cluster.fake.kubeconfigs.values()
    assert account.tenant_id == a.tenant_id
    row = await a.stage.row("SELECT * FROM kubeconfigs")
    assert account.tokens[0] not in str(row)
    assert key not in str(row)
    assert base64.b64decode(key) not in bytes(row["sealed"])

    document = await collect(a, asked, key)
    assert document["users"][0]["user"] == {"token": account.tokens[0]}
    assert document["clusters"][0]["cluster"]["server"] == cluster.fake.server
    namespaces = [context["context"]["namespace"] for context in document["contexts"]]
    assert namespaces == list(cluster.fake.namespaces)
    assert (await a.get(path))["collected_at"] is not None
    assert (await a.stage.row("SELECT sealed FROM kubeconfigs"))["sealed"] is None
    assert (await a.problem("POST", f"{path}/collect", {"key": key}))["type"].endswith(":kubeconfig-collected")
    actions = [row["action"] for row in await a.stage.rows("SELECT action FROM audit_events ORDER BY at")]
    assert actions[-2:] == ["kubeconfig.issue", "kubeconfig.collect"]


@pytest.mark.usefixtures("made")
async def test_the_wrong_key_opens_nothing_and_loses_nothing(a: Member) -> None:
    asked, key = await ask(a)
    _, other = await ask(a, "other")
    assert await a.settle() == []
    for wrong in (other, base64.b64encode(new_private_key()).decode()):
        problem = await a.problem("POST", f"/kubeconfigs/{asked['id']}/collect", {"key": wrong})
        assert (problem["status"], problem["type"]) == (422, "urn:platforma:problem:wrong-key")
    for bad in ("", "x", key[:-2], key + "AAAA", "ü" * 44):
        assert (await a.problem("POST", f"/kubeconfigs/{asked['id']}/collect", {"key": bad}))["status"] == 422
    assert await collect(a, asked, key)


async def test_the_key_of_one_does_not_open_anothers(a: Member, b: Member, made: Json) -> None:
    await make_namespace(b)
    mine, my_key = await ask(a)
    theirs, their_key = await ask(b)
    assert await a.settle() == []
    assert await b.settle() == []
    assert (await a.problem("POST", f"/kubeconfigs/{theirs['id']}/collect", {"key": their_key}))["status"] == 404
    move = b"UPDATE kubeconfigs SET sealed = (SELECT sealed FROM kubeconfigs WHERE id = %s) WHERE id = %s"
    await a.stage.databases.administrator.execute(move, (theirs["id"], mine["id"]))
    for key in (my_key, their_key):
        problem = await a.problem("POST", f"/kubeconfigs/{mine['id']}/collect", {"key": key})
        assert problem["type"].endswith(":wrong-key")
    assert await collect(b, theirs, their_key)


async def test_there_has_to_be_something_to_reach(a: Member, cluster: Connected) -> None:
    assert (await a.problem("POST", "/kubeconfigs", {"name": "x"}))["type"].endswith(":not-made-yet")
    made = await make_namespace(a)
    asked, _key = await ask(a)
    await a.wish("DELETE", f"/namespaces/{made['id']}")
    failed = [row for row in await a.settle() if row["status"] == "failed"]
    assert [row["resource_id"] for row in failed] == [UUID(asked["id"])]


@pytest.mark.usefixtures("made")
async def test_lifetimes_are_short(a: Member) -> None:
    for seconds in (0, 599, 8 * 3600 + 1, 10**12):
        assert (await a.problem("POST", "/kubeconfigs", {"name": "x", "lifetime_seconds": seconds}))["status"] == 422


@pytest.mark.usefixtures("made")
async def test_one_and_all_are_revoked(a: Member, cluster: Connected) -> None:
    first, key = await ask(a, "first")
    await ask(a, "second")
    await ask(a, "third")
    assert await a.settle() == []
    revoked = await a.wish("DELETE", f"/kubeconfigs/{first['id']}")
    assert revoked["status"] == "deleting"
    assert (await a.problem("POST", f"/kubeconfigs/{first['id']}/collect", {"key": key}))["status"] == 409
    assert await a.settle() == []
    assert UUID(first["id"]) not in cluster.fake.kubeconfigs
    assert len(cluster.fake.kubeconfigs) == 2
    assert (await a.problem("GET", f"/kubeconfigs/{first['id']}"))["status"] == 404
    response = await a.ask("DELETE", "/kubeconfigs")
    assert (response.status_code, response.json()) == (202, {"revoked": 2})
    assert await a.settle() == []
    assert not cluster.fake.kubeconfigs
    assert (await a.get("/kubeconfigs"))["items"] == []


async def test_revoking_is_done_when_the_cluster_is_back(a: Member, made: Json, cluster: Connected) -> None:
    asked, _key = await ask(a)
    assert await a.settle() == []
    cluster.fake.fail_next("revoke_kubeconfig", CloudUnavailable(), times=2)
    await a.wish("DELETE", f"/kubeconfigs/{asked['id']}")
    operation = (await a.get("/operations", resource_id=asked["id"]))["items"][0]
    await a.stage.engine().reconcile(UUID(operation["id"]))
    assert cluster.fake.kubeconfigs
    assert (await a.get(f"/kubeconfigs/{asked['id']}"))["status_reason"]
    assert await a.settle() == []
    assert not cluster.fake.kubeconfigs


@pytest.mark.usefixtures("made")
async def test_a_lost_answer_leaves_no_token_that_nobody_knows_how_to_revoke(a: Member, cluster: Connected) -> None:
    cluster.fake.lose_answer("issue_kubeconfig", CloudUnavailable())
    asked, key = await ask(a)
    assert await a.settle() == []
    (account,) = cluster.fake.kubeconfigs.values()
    assert (await collect(a, asked, key))["users"][0]["user"]["token"] == account.tokens[-1]
    await a.wish("DELETE", f"/kubeconfigs/{asked['id']}")
    assert await a.settle() == []
    assert not cluster.fake.kubeconfigs


@pytest.mark.usefixtures("made")
async def test_what_has_ended_makes_room(a: Member, cluster: Connected) -> None:
    administrator = a.stage.databases.administrator
    await administrator.execute(
        b"UPDATE quotas SET maximum = 1 WHERE tenant_id = %s AND resource = 'kubeconfigs'", (a.tenant_id,)
    )
    await ask(a)
    assert await a.settle() == []
    assert (await a.problem("POST", "/kubeconfigs", {"name": "x"}))["resource"] == "kubeconfigs"
    await administrator.execute(b"UPDATE kubeconfigs SET expires_at = %s", (utc_now() - timedelta(seconds=1),))
    second, _key = await ask(a, "second")
    assert await a.settle() == []
    assert list(cluster.fake.kubeconfigs) == [UUID(second["id"])]


@pytest.mark.usefixtures("made")
async def test_suspending_a_tenant_revokes_its_tokens(a: Member, b: Member, cluster: Connected) -> None:
    await make_namespace(b)
    await ask(a)
    theirs, _key = await ask(b)
    assert await a.settle() == []
    assert await b.settle() == []
    pending = (await a.ask("POST", "/kubeconfigs", {"name": "late"})).json()["resource"]
    await suspend_tenant(a.stage.databases.operator, ACT, a.tenant_id)
    await run_what_runs(a)
    assert list(cluster.fake.kubeconfigs) == [UUID(theirs["id"])]
    assert not await a.stage.rows("SELECT 1 FROM kubeconfigs WHERE tenant_id = %s", a.tenant_id)
    await resume_tenant(a.stage.databases.operator, ACT, a.tenant_id)
    await a.settle()
    assert UUID(pending["id"]) not in cluster.fake.kubeconfigs


async def run_what_runs(member: Member) -> None:
    """Take the steps of all operations a few times: those of a suspended tenant wait."""
    for _ in range(6):
        unfinished = await member.stage.rows(
            "SELECT id FROM operations WHERE tenant_id = %s AND status IN ('queued', 'running')", member.tenant_id
        )
        for row in unfinished:
            await member.stage.engine().reconcile(row["id"])


async def colleague_of(a: Member, role: str) -> tuple[Member, UUID]:
    """Sign in another member of A's tenant."""
    stage, email = a.stage, f"{role}@{a.host}"
    await invite_and_accept(
        stage.databases.operator, stage.databases.portal, stage.secret, a.tenant_id, a.host, email, role=role
    )
    _, token = await sign_in(stage.databases.portal, stage.secret, a.host, email)
    row = await stage.row("SELECT id FROM members WHERE email = %s", email)
    return Member(a.client, stage, a.tenant_id, a.host, token, a.catalogue), row["id"]


@pytest.mark.usefixtures("made")
async def test_suspending_a_member_revokes_that_members_tokens(a: Member, cluster: Connected) -> None:
    mine, _key = await ask(a)
    colleague, member_id = await colleague_of(a, "member")
    await ask(colleague, "theirs")
    assert await a.settle() == []
    assert len(cluster.fake.kubeconfigs) == 2
    await suspend_member(a.stage.databases.operator, ACT, a.tenant_id, member_id)
    assert await a.settle() == []
    assert list(cluster.fake.kubeconfigs) == [UUID(mine["id"])]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("change", [{"role": "viewer"}, {"status": "suspended"}], ids=str)
async def test_a_member_who_loses_power_loses_tokens(a: Member, cluster: Connected, change: Json) -> None:
    mine, _key = await ask(a)
    colleague, member_id = await colleague_of(a, "admin")
    await ask(colleague, "theirs")
    assert await a.settle() == []
    response = await a.ask("PATCH", f"/members/{member_id}", change)
    assert response.status_code == 200, response.text
    assert await a.settle() == []
    assert list(cluster.fake.kubeconfigs) == [UUID(mine["id"])]


@pytest.mark.usefixtures("made")
async def test_a_token_is_not_issued_to_who_was_suspended_meanwhile(a: Member, cluster: Connected) -> None:
    """The request was under way when the member was suspended: nothing revoked it, but nothing issues it either."""
    colleague, member_id = await colleague_of(a, "member")
    await ask(colleague, "late")
    await a.stage.databases.administrator.execute(
        b"UPDATE members SET status = 'suspended' WHERE id = %s", (member_id,)
    )
    await a.settle()
    assert not cluster.fake.kubeconfigs
    assert not await a.stage.rows("SELECT 1 FROM kubeconfigs")


@pytest.mark.usefixtures("made")
async def test_offboarding_leaves_nothing_in_clusters(a: Member, b: Member, cluster: Connected) -> None:
    """The twin beside it, with as much, keeps all it has. A namespace that we have forgotten goes too."""
    theirs = await make_namespace(b)
    await ask(a)
    await ask(b)
    assert await a.settle() == []
    assert await b.settle() == []
    forgotten = await make_namespace(a, "forgotten")
    await a.stage.databases.administrator.execute(b"DELETE FROM namespaces WHERE id = %s", (forgotten["id"],))
    assert forgotten["cloud_id"] in cluster.fake.namespaces
    cluster.fake.fail_next("delete_namespace", CloudUnavailable())
    await offboard_tenant(a.stage.databases.operator, ACT, a.tenant_id)
    await a.stage.finish_all(a.tenant_id)
    assert list(cluster.fake.namespaces) == [theirs["cloud_id"]]
    assert [each.tenant_id for each in cluster.fake.kubeconfigs.values()] == [b.tenant_id]
    status = await a.stage.row("SELECT status FROM tenants WHERE id = %s", a.tenant_id)
    assert status == {"status": "offboarded"}
    assert (await b.get(f"/namespaces/{theirs['id']}"))["status"] == "active"
