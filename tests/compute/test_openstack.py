"""The whole life of servers and volumes on OpenStack's own services, asked for over HTTP."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest

from devcloud.openstack.credentials import Credentials
from platforma.clouds.openstack import ProjectCloud
from platforma.clouds.openstack.resources import CloudKind
from platforma.database.database import Database
from platforma.settings import WorkerSettings
from platforma.tenants.catalogue import sync_catalogue
from tests.api_client import Catalogue, Json, Member, make_member
from tests.database.server import TestDatabase
from tests.operations.real import Workers
from tests.operations.stage import Stage

pytestmark = pytest.mark.filterwarnings(r"ignore::PendingDeprecationWarning:openstack\..*")

_DEADLINE_SECONDS = 180.0
_LOOK_AGAIN_SECONDS = 0.3


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """A database of its own: its catalogue is that of the real cloud."""
    return fresh_database


@pytest.fixture
async def real(
    client: httpx.AsyncClient,
    stage: Stage,
    provisioner_database: Database,
    database: TestDatabase,
    openstack_cloud: Credentials,
    tmp_path: Path,
) -> Member:
    """The owner of a tenant in a project of the run's OpenStack."""
    stage.real_access = Workers(database, openstack_cloud, tmp_path / "log").access
    stage.settings = WorkerSettings(stalled_after_seconds=60, give_up_after_seconds=60)
    await sync_catalogue(provisioner_database, stage.access)
    flavors = await stage.rows("SELECT id FROM flavors ORDER BY ram_mib")
    image = await stage.row("SELECT id FROM images ORDER BY name LIMIT 1")
    catalogue = Catalogue(str(flavors[0]["id"]), str(flavors[-1]["id"]), str(image["id"]))
    return await make_member(client, stage, catalogue)


async def settle(member: Member) -> None:
    """Take steps at the pace of the cloud until every operation has succeeded."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        rows = await member.stage.rows(
            "SELECT id, action, status, step, error FROM operations WHERE tenant_id = %s", member.tenant_id
        )
        unfinished = [row for row in rows if row["status"] in ("queued", "running")]
        assert [row for row in rows if row["status"] in ("failed", "cancelled")] == []
        if not unfinished:
            return
        assert time.monotonic() < deadline, unfinished
        for row in unfinished:
            await member.stage.engine().reconcile(row["id"])
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


async def make(member: Member, path: str, body: Json) -> Json:
    """Make something, and return it when it is there."""
    made = await member.wish("POST", path, body)
    await settle(member)
    return await member.get(f"{path}/{made['id']}")


@pytest.mark.long
async def test_a_life_on_openstack(real: Member) -> None:
    stage = real.stage
    row = await stage.row("SELECT sealed FROM cloud_credentials WHERE tenant_id = %s", real.tenant_id)
    project: ProjectCloud = await asyncio.to_thread(stage.access.open_project, real.tenant_id, bytes(row["sealed"]))
    before = await asyncio.to_thread(project.inventory)

    network = await real.wish("POST", "/networks", {"name": "web", "subnets": [{"cidr": "10.7.0.0/24"}]})
    key_pair = await real.wish("POST", "/key-pairs", {"name": "mine"})
    group = await real.wish("POST", "/security-groups", {"name": "web", "rules": [{"protocol": "tcp"}]})
    body = real.server_body(network["id"], key_pair_id=key_pair["id"], security_group_ids=[group["id"]])
    server = await make(real, "/servers", body)
    assert (server["status"], server["power_state"]) == ("active", "running")
    assert server["networks"][0]["addresses"][0].startswith("10.7.0.")
    server_path = f"/servers/{server['id']}"

    volume = await make(real, "/volumes", {"name": "data", "size_gib": 1})
    volume_path = f"/volumes/{volume['id']}"
    await real.wish("POST", f"{volume_path}/attach", {"server_id": server["id"]})
    await settle(real)
    attachment = (await real.get(volume_path))["attachment"]
    assert (attachment["server_id"], attachment["status"]) == (server["id"], "attached")
    assert attachment["device"].startswith("/dev/")

    await real.wish("POST", f"{server_path}/stop")
    await settle(real)
    assert (await real.get(server_path))["power_state"] == "stopped"
    await real.wish("POST", f"{server_path}/start")
    await settle(real)
    assert (await real.get(server_path))["power_state"] == "running"

    cloud_id = (await stage.row("SELECT cloud_id FROM servers WHERE tenant_id = %s", real.tenant_id))["cloud_id"]
    for hard in (False, True):
        await real.wish("POST", f"{server_path}/reboot", {"hard": hard})
        await settle(real)
    assert await asyncio.to_thread(project.count_reboots, cloud_id) == 2
    assert (await real.get(server_path))["status"] == "active"

    await real.wish("POST", f"{server_path}/console-output")
    await settle(real)
    assert (await real.get(f"{server_path}/console-output"))["output"]

    await real.wish("POST", f"{volume_path}/detach")
    await settle(real)
    assert (await real.get(volume_path))["attachment"] is None
    await real.wish("POST", f"{volume_path}/extend", {"size_gib": 2})
    await settle(real)
    assert (await real.get(volume_path))["observed_size_gib"] == 2

    await real.wish("POST", f"{volume_path}/attach", {"server_id": server["id"]})
    await settle(real)
    await real.wish("DELETE", server_path)
    await settle(real)
    assert (await real.get(volume_path))["attachment"] is None
    for path in (volume_path, f"/key-pairs/{key_pair['id']}", f"/security-groups/{group['id']}"):
        await real.wish("DELETE", path)
    await real.wish("DELETE", f"/networks/{network['id']}")
    await settle(real)
    after = await asyncio.to_thread(project.inventory)
    assert {kind: {item.cloud_id for item in items} for kind, items in after.items()} == {
        kind: {item.cloud_id for item in items} for kind, items in before.items()
    }
    assert after[CloudKind.SERVER] == []
