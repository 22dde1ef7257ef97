"""Erasure on the fake cloud's pool, whose extents are reused at once with what was left in them."""

import json
from functools import partial
from itertools import count
from uuid import UUID

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from platforma.authentication.principals import SessionBinding
from platforma.clouds.blocks.memory import GIBIBYTE, MemoryDevice
from platforma.clouds.openstack import CloudUnavailable
from platforma.clouds.openstack.resources import CloudKind
from platforma.operations.registry import reconcilers_of
from platforma.storage.erasure_models import ErasureRecord
from platforma.storage.evidence import find_break, hash_of
from platforma.storage.sampling import Assurance, Sample
from tests.api_client import Json, Member
from tests.operations.stage import Crash

SECRET = b"what A wrote"
SEAMS = ("claimed", "stepped", "recording", "recorded")


def write_secret(member: Member, volume_id: str, *, at: int = GIBIBYTE + 4096 * 3) -> int:
    """Write as the tenant's server would; return the number of the extent."""
    cloud_id = member.cloud_object(CloudKind.VOLUME, volume_id).cloud_id
    pool = member.stage.cloud.pool
    device = MemoryDevice(pool, cloud_id)
    device.write(at, SECRET)
    return pool.owners[cloud_id][at // GIBIBYTE]


def is_left(member: Member, extent: int) -> bool:
    """Say whether the secret is in an extent of the pool."""
    return any(SECRET in page for page in member.stage.cloud.pool.pages[extent].values())


async def delete(member: Member, volume_id: str) -> Json:
    """Delete a volume to its end; return its erasure."""
    await member.wish("DELETE", f"/volumes/{volume_id}")
    assert await member.settle() == []
    return await erasure_of(member, volume_id)


async def erasure_of(member: Member, volume_id: str) -> Json:
    (found,) = [each for each in (await member.get("/erasures"))["items"] if each["subject_id"] == volume_id]
    return await member.get(f"/erasures/{found['id']}")


async def test_the_next_tenant_reads_nothing_of_the_last(a: Member, b: Member) -> None:
    volume = await a.make_volume()
    extent = write_secret(a, volume["id"])
    erasure = await delete(a, volume["id"])
    assert not is_left(a, extent)
    theirs = await b.make_volume()
    pool = b.stage.cloud.pool
    cloud_id = b.cloud_object(CloudKind.VOLUME, theirs["id"]).cloud_id
    assert extent in pool.owners[cloud_id]
    assert not is_left(b, extent)
    assert [record["event"] for record in erasure["records"]] == [
        "requested",
        "detached",
        "erased",
        "verified",
        "released",
    ]
    verified = json.loads(erasure["records"][3]["content"])
    assert verified["sample"]["read"] >= 6905
    assert verified["sample"]["confidence"] == 0.999
    drawn = Sample(2 * GIBIBYTE, verified["sample"]["drawn"], verified["sample"]["seed"])  # as anybody can again
    assert (len(drawn.numbers()), drawn.blocks) == (verified["sample"]["read"], verified["sample"]["blocks"])
    assert verified["range_bytes"] == [0, 2 * GIBIBYTE]
    assert verified["requested_by"] == erasure["requested_by"]


async def test_without_erasure_the_next_tenant_reads_it(a: Member, b: Member) -> None:
    """The control: the pool of the fake cloud really hands on what was left."""
    volume = await a.make_volume()
    extent = write_secret(a, volume["id"])
    a.stage.cloud.remove(a.cloud_object(CloudKind.VOLUME, volume["id"]))
    theirs = await b.make_volume()
    cloud_id = b.cloud_object(CloudKind.VOLUME, theirs["id"]).cloud_id
    assert extent in b.stage.cloud.pool.owners[cloud_id]
    assert is_left(b, extent)


async def test_where_the_back_end_clears_nothing_is_overwritten_and_the_records_say_so(
    a: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = await a.make_volume()
    with_method = partial(reconcilers_of, assurance=Assurance(backend_clears=True))
    monkeypatch.setattr("tests.operations.stage.reconcilers_of", with_method)
    monkeypatch.setattr(MemoryDevice, "zero", lambda *_: pytest.fail("it was overwritten"))
    erasure = await delete(a, volume["id"])
    assert (erasure["method"], erasure["state"]) == ("zeroed_by_backend", "released")
    events = [json.loads(each["content"])["event"] for each in erasure["records"]]
    assert events == ["requested", "detached", "released"]
    assert json.loads(erasure["records"][-1]["content"])["method"] == "zeroed_by_backend"


async def test_a_volume_that_is_not_empty_is_not_given_back(a: Member) -> None:
    """The device says that it has overwritten, and has not."""
    volume = await a.make_volume()
    cloud_id = a.cloud_object(CloudKind.VOLUME, volume["id"]).cloud_id
    MemoryDevice(a.stage.cloud.pool, cloud_id).write(
        2 * GIBIBYTE - len(SECRET), SECRET
    )  # the last block is always read
    a.stage.cloud.pool.zeroes_nothing = True
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    (failed,) = await a.settle()
    assert "still holds something" in failed["error"]["detail"]
    assert a.calls("delete_volume") == 0
    assert cloud_id in a.stage.cloud.pool.owners
    erasure = await erasure_of(a, volume["id"])
    assert erasure["state"] == "detached"
    assert [record["event"] for record in erasure["records"]].count("failed") == 3
    assert "something is left at byte" in erasure["records"][-1]["content"]

    a.stage.cloud.pool.zeroes_nothing = False
    assert (await a.ask("POST", f"/operations/{failed['id']}/retry")).status_code == 202
    assert await a.settle() == []
    assert (await erasure_of(a, volume["id"]))["state"] == "released"


async def test_a_volume_that_somebody_else_deletes_is_lost_and_told(a: Member) -> None:
    volume = await a.make_volume()
    a.stage.cloud.remove(a.cloud_object(CloudKind.VOLUME, volume["id"]))
    erasure = await delete(a, volume["id"])
    assert erasure["state"] == "lost"
    certificate = await a.get(f"/erasures/{erasure['id']}/certificate")
    assert "It is not known what became of it" in certificate["statement"]


async def test_a_volume_that_was_never_made(a: Member) -> None:
    volume = await a.wish("POST", "/volumes", {"name": "x", "size_gib": 1})
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    await a.settle()
    erasure = await erasure_of(a, volume["id"])
    assert erasure["state"] == "released"
    assert [record["event"] for record in erasure["records"]] == ["requested", "released"]
    assert "never made" in (await a.get(f"/erasures/{erasure['id']}/certificate"))["statement"]


async def test_a_volume_that_is_open_elsewhere_waits(a: Member) -> None:
    """A frozen eraser holds the volume: nobody erases, verifies or deletes it meanwhile."""
    volume = await a.make_volume()
    cloud_id = a.cloud_object(CloudKind.VOLUME, volume["id"]).cloud_id
    frozen = a.stage.cloud.pool.device(cloud_id)
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    for _ in range(6):
        for row in await a.stage.rows("SELECT id FROM operations WHERE action = 'volume.delete'"):
            await a.stage.engine().reconcile(row["id"])
    assert a.calls("delete_volume") == 0
    assert (await erasure_of(a, volume["id"]))["state"] == "detached"
    frozen.close()
    assert await a.settle() == []


@pytest.mark.parametrize("method", ["open_volume", "release_volume", "delete_volume"])
async def test_an_answer_that_is_lost(a: Member, method: str) -> None:
    volume = await a.make_volume()
    extent = write_secret(a, volume["id"])
    if method == "open_volume":
        a.stage.cloud.fail_next(method, CloudUnavailable())
    else:
        a.stage.cloud.lose_answer(method, CloudUnavailable())
    assert (await delete(a, volume["id"]))["state"] == "released"
    assert not is_left(a, extent)
    assert a.in_cloud(CloudKind.VOLUME) == []


async def _delete_with_crashes(a: Member, volume_id: str, seam: str, occurrence: int) -> bool:
    await a.wish("DELETE", f"/volumes/{volume_id}")
    with a.stage.crash_at(seam, occurrence) as crashed:
        try:
            await a.settle()
        except Crash:
            a.stage.cloud.pool.open.clear()  # the kernel lets go of what a dead process had open
    a.stage.clock.go(3600)
    for row in await a.stage.rows("SELECT id FROM operations WHERE tenant_id = %s", a.tenant_id):
        await a.stage.databases.administrator.execute(b"UPDATE operations SET claim = NULL WHERE id = %s", (row["id"],))
    assert await a.settle() == []
    return bool(crashed)


@pytest.mark.parametrize("seam", SEAMS)
async def test_a_worker_that_dies_anywhere(a: Member, seam: str) -> None:
    """Nothing is released unverified, and nothing is overwritten twice but for the step that died."""
    for occurrence in count(1):
        volume = await a.make_volume()
        cloud_id = a.cloud_object(CloudKind.VOLUME, volume["id"]).cloud_id
        extent = write_secret(a, volume["id"])
        crashed = await _delete_with_crashes(a, volume["id"], seam, occurrence)
        assert not is_left(a, extent)
        erasure = await erasure_of(a, volume["id"])
        events = [record["event"] for record in erasure["records"]]
        assert events == ["requested", "detached", "erased", "verified", "released"]
        assert 2 * GIBIBYTE <= a.stage.cloud.pool.bytes_zeroed[cloud_id] <= 4 * GIBIBYTE
        if not crashed:
            break
    assert occurrence > 4


async def test_the_chain_of_records(a: Member, b: Member) -> None:
    for _ in range(2):
        await delete(a, (await a.make_volume())["id"])
    await delete(b, (await b.make_volume())["id"])
    records = await a.stage.rows(
        "SELECT sequence, previous_hash, hash, content FROM erasure_records WHERE tenant_id = %s ORDER BY sequence",
        a.tenant_id,
    )
    assert [record["sequence"] for record in records] == list(range(1, 11))
    previous = ""
    for record in records:
        assert record["previous_hash"] == previous
        previous = record["hash"]
        assert previous == hash_of(record["sequence"], record["previous_hash"], record["content"])
    assert (await a.get("/erasures"))["items"][0]["state"] == "released"


@pytest.mark.parametrize(
    "statement",
    ["UPDATE erasure_records SET content = '{}'", "DELETE FROM erasure_records", "TRUNCATE erasure_records"],
)
async def test_nobody_changes_a_record(a: Member, statement: str) -> None:
    """Not even the superuser, while the triggers are there."""
    await delete(a, (await a.make_volume())["id"])
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="never changed or removed"):
        await a.stage.databases.administrator.execute(statement.encode())


async def test_a_record_that_was_changed_is_seen(a: Member) -> None:
    """The triggers gone, and a record forged: the chain says where."""
    erasure = await delete(a, (await a.make_volume())["id"])
    path = f"/erasures/{erasure['id']}/certificate"
    assert (await a.get(path))["chain_is_whole"] is True
    administrator = a.stage.databases.administrator
    await administrator.execute(b"ALTER TABLE erasure_records DISABLE TRIGGER keep")
    try:
        forge = b"UPDATE erasure_records SET content = content || ' ' WHERE tenant_id = %s AND sequence = 3"
        await administrator.execute(forge, (a.tenant_id,))
    finally:
        await administrator.execute(b"ALTER TABLE erasure_records ENABLE TRIGGER keep")
    assert (await a.get(path))["chain_is_whole"] is False


async def test_the_portal_can_only_say_that_an_erasure_is_requested(a: Member) -> None:
    """With the portal's own role, and SQL of one's own."""
    erasure = await delete(a, (await a.make_volume())["id"])
    with pytest.raises(DBAPIError, match="row-level security"):
        async with a.stage.databases.portal.write(SessionBinding(a.token, a.host)) as session:
            session.add(ErasureRecord(erasure_id=UUID(erasure["id"]), event="verified", content="{}"))


async def test_the_certificate(a: Member, b: Member) -> None:
    erasure = await delete(a, (await a.make_volume(name="Ünïcode ✓ data"))["id"])
    response = await a.ask("GET", f"/erasures/{erasure['id']}/certificate.pdf")
    assert response.status_code == 200
    assert response.content.startswith(b"%PDF-")
    assert "attachment" in response.headers["content-disposition"]
    certificate = await a.get(f"/erasures/{erasure['id']}/certificate")
    assert "read back before its space was given back" in certificate["statement"]
    assert certificate["chain_head"] == certificate["erasure"]["records"][-1]["hash"]
    for path in ("", "/certificate", "/certificate.pdf"):
        assert (await b.ask("GET", f"/erasures/{erasure['id']}{path}")).status_code == 404


def test_a_chain_with_a_gap_is_broken() -> None:
    class Link:
        def __init__(self, sequence: int, previous: str, content: str) -> None:
            self.sequence, self.previous_hash, self.content = sequence, previous, content
            self.hash = hash_of(sequence, previous, content)

    first = Link(1, "", "a")
    second = Link(2, first.hash, "b")
    third = Link(3, second.hash, "c")
    assert find_break([first, second, third]) is None
    assert find_break([first, third]) == 2
    assert find_break([second, third]) == 1
