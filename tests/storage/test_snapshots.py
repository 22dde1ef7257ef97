"""Snapshots, and volumes that begin as a copy, over HTTP with a worker behind them."""

import pytest

from platforma.clouds.blocks.memory import MemoryDevice
from platforma.clouds.openstack.resources import CloudKind
from platforma.tenants.service import offboard_tenant
from tests.api_client import Member, unknown_id
from tests.operations.stage import ACT

CONTENT = b"what was written"


def read(member: Member, id_: str) -> bytes:
    """Return the first bytes of a volume or snapshot in the cloud."""
    pool = member.stage.cloud.pool
    return MemoryDevice(pool, member.cloud_object(CloudKind.VOLUME, id_).cloud_id).read(0, len(CONTENT))


def write(member: Member, id_: str, content: bytes) -> None:
    pool = member.stage.cloud.pool
    MemoryDevice(pool, member.cloud_object(CloudKind.VOLUME, id_).cloud_id).write(0, content)


async def take(member: Member, volume_id: str) -> str:
    """Take a snapshot; return its id."""
    made = await member.wish("POST", f"/volumes/{volume_id}/snapshots", {"name": "before"})
    assert await member.settle() == []
    return str(made["id"])


async def test_a_snapshot_keeps_a_volume_as_it_was_and_is_erased(a: Member) -> None:
    volume = await a.make_volume()
    write(a, volume["id"], CONTENT)
    snapshot_id = await take(a, volume["id"])
    write(a, volume["id"], b"something else!!")
    copy = await a.make("/volumes", name="copy", size_gib=3, snapshot_id=snapshot_id)
    assert read(a, copy["id"]) == CONTENT
    assert (copy["source_kind"], copy["source_id"]) == ("snapshot", snapshot_id)

    await a.wish("DELETE", f"/volumes/{volume['id']}")
    assert await a.settle() == []
    shown = await a.get(f"/snapshots/{snapshot_id}")
    assert (shown["status"], shown["volume_name"], shown["size_gib"]) == ("active", "data", 2)
    await a.wish("PATCH", f"/snapshots/{snapshot_id}", {"name": "kept"})
    assert await a.settle() == []

    pool = a.stage.cloud.pool
    extents = pool.owners[a.cloud_object(CloudKind.VOLUME, snapshot_id).cloud_id]
    await a.wish("DELETE", f"/snapshots/{snapshot_id}")
    assert await a.settle() == []
    assert (await a.get("/snapshots"))["items"] == []
    assert not any(CONTENT in page for extent in extents for page in pool.pages[extent].values())
    (erasure,) = [each for each in (await a.get("/erasures"))["items"] if each["subject_id"] == snapshot_id]
    assert (erasure["subject_kind"], erasure["state"], erasure["name"]) == ("snapshot", "released", "kept")
    assert read(a, copy["id"]) == CONTENT


async def test_copies_of_volumes_and_images(a: Member) -> None:
    volume = await a.make_volume()
    write(a, volume["id"], CONTENT)
    copy = await a.make("/volumes", name="copy", size_gib=2, source_volume_id=volume["id"])
    assert read(a, copy["id"]) == CONTENT
    boot = await a.make("/volumes", name="boot", size_gib=1, image_id=a.catalogue.image_id)
    assert boot["source_kind"] == "image"
    assert await a.get("/snapshots", volume_id=volume["id"]) == {"items": [], "next": None}


@pytest.mark.parametrize("field", ["snapshot_id", "source_volume_id"])
async def test_anothers_is_as_one_that_never_existed(a: Member, b: Member, field: str) -> None:
    volume = await b.make_volume()
    theirs = await take(b, volume["id"]) if field == "snapshot_id" else volume["id"]
    body = {"name": "copy", "size_gib": 2}
    foreign = await a.ask("POST", "/volumes", body | {field: theirs})
    unknown = await a.ask("POST", "/volumes", body | {field: unknown_id()})
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() == unknown.json()
    assert (await b.ask("POST", "/volumes", body | {field: theirs})).status_code == 202


async def test_what_is_refused(a: Member) -> None:
    volume = await a.make_volume()
    snapshot_id = await take(a, volume["id"])
    body = {"name": "copy", "size_gib": 1, "snapshot_id": snapshot_id}
    assert (await a.problem("POST", "/volumes", body))["type"] == "urn:platforma:problem:volume-cannot-shrink"
    both = body | {"size_gib": 2, "source_volume_id": volume["id"]}
    assert (await a.problem("POST", "/volumes", both))["status"] == 422


async def test_what_is_being_copied_is_not_erased(a: Member) -> None:
    """Else the copy would get zeroes."""
    volume = await a.make_volume()
    await a.wish("POST", f"/volumes/{volume['id']}/snapshots", {"name": "before"})
    problem = await a.problem("DELETE", f"/volumes/{volume['id']}")
    assert (problem["status"], problem["type"]) == (409, "urn:platforma:problem:being-copied")
    assert await a.settle() == []
    (snapshot,) = (await a.get("/snapshots"))["items"]
    await a.wish("POST", "/volumes", {"name": "copy", "size_gib": 2, "snapshot_id": snapshot["id"]})
    assert (await a.problem("DELETE", f"/snapshots/{snapshot['id']}"))["status"] == 409
    assert await a.settle() == []
    await a.wish("DELETE", f"/snapshots/{snapshot['id']}")
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    assert await a.settle() == []


async def test_a_source_that_went_meanwhile(a: Member) -> None:
    volume = await a.make_volume()
    copy = await a.wish("POST", "/volumes", {"name": "copy", "size_gib": 2, "source_volume_id": volume["id"]})
    await a.stage.databases.administrator.execute(b"DELETE FROM volumes WHERE id = %s", (volume["id"],))
    (failed,) = await a.settle()
    assert "there no more" in failed["error"]["detail"]
    assert (await a.get(f"/volumes/{copy['id']}"))["status"] == "error"


async def test_a_tenant_that_goes_has_its_snapshots_erased(a: Member) -> None:
    volume = await a.make_volume()
    await take(a, volume["id"])
    await offboard_tenant(a.stage.databases.operator, ACT, a.tenant_id)
    await a.stage.finish_all(a.tenant_id)
    assert a.in_cloud(CloudKind.VOLUME) == []
    rows = await a.stage.rows("SELECT event FROM erasure_records WHERE tenant_id = %s", a.tenant_id)
    assert [row["event"] for row in rows].count("verified") == 2
