"""Volume types: offered while a canary proves their method, and not a moment longer."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.exc import ProgrammingError

from platforma.clouds.openstack.errors import CloudUnavailable
from platforma.clouds.openstack.resources import CloudKind
from platforma.kit.clock import utc_now
from platforma.storage.canary import Verdict
from platforma.storage.models import VolumeType
from platforma.storage.proving import PROOF_HOLDS, PROVE_EVERY, TRY_AGAIN, copy_types, prove_next
from platforma.storage.sampling import Assurance
from tests.api_client import Member
from tests.database.server import TestDatabase
from tests.operations.stage import Stage

PLATFORM, BACKEND = "zeroed_by_platform", "zeroed_by_backend"


@pytest.fixture
def database(fresh_database: TestDatabase) -> TestDatabase:
    """Types for this test alone."""
    return fresh_database


@pytest.fixture
async def types(stage: Stage) -> Stage:
    """The types of the cloud, `standard`, which leaks, and `zeroed`, copied."""
    await copy_types(stage.databases.provisioner, stage.access)
    return stage


async def want(stage: Stage, name: str, method: str, **changes: Any) -> None:
    """Wish, as an operator, for a type to be offered; anything else is as a provisioner has it."""
    values = {"method": method, "wanted_at": utc_now()}
    async with stage.databases.operator.platform() as session:
        await session.execute(update(VolumeType).where(VolumeType.name == name).values(values))
    if changes:
        async with stage.databases.provisioner.platform() as session:
            await session.execute(update(VolumeType).where(VolumeType.name == name).values(changes))


async def prove(stage: Stage, verdict: Verdict | None = None) -> bool:
    """Send what is due; with a verdict, as if that had come of it."""
    fly = None if verdict is None else lambda _kind: verdict
    return await prove_next(stage.databases.provisioner, stage.access, None, Assurance(), fly=fly)


async def of(stage: Stage, name: str) -> dict[str, Any]:
    return await stage.row("SELECT * FROM volume_types WHERE name = %s", name)


async def test_nothing_is_offered_that_nobody_wants(types: Stage) -> None:
    assert not await prove(types)
    rows = await types.rows("SELECT name, is_offered FROM volume_types ORDER BY name")
    assert [(row["name"], row["is_offered"]) for row in rows] == [("standard", False), ("zeroed", False)]


@pytest.mark.parametrize(
    ("name", "method", "is_offered"),
    [("standard", PLATFORM, True), ("standard", BACKEND, False), ("zeroed", BACKEND, True)],
)
async def test_a_type_is_offered_only_if_its_method_erases(
    types: Stage, name: str, method: str, is_offered: bool
) -> None:
    await want(types, name, method)
    assert not (await of(types, name))["is_offered"]
    assert await prove(types)
    row = await of(types, name)
    assert (row["is_offered"], row["proven_at"] is not None) == (is_offered, is_offered)
    assert ("read nothing of the last one" if is_offered else "has read what the last one wrote") in row["finding"]
    assert not await prove(types)


async def test_an_eraser_that_does_nothing_is_not_offered(types: Stage) -> None:
    types.cloud.pool.zeroes_nothing = True
    await want(types, "standard", PLATFORM)
    assert await prove(types)
    row = await of(types, "standard")
    assert (row["is_offered"], "still held something" in row["finding"]) == (False, True)


async def test_another_method_has_to_be_proven_again(types: Stage) -> None:
    await want(types, "zeroed", BACKEND)
    assert await prove(types)
    await want(types, "zeroed", PLATFORM)
    assert not (await of(types, "zeroed"))["is_offered"]
    assert await prove(types)
    assert (await of(types, "zeroed"))["is_offered"]


async def test_a_type_that_begins_to_leak_is_withdrawn_within_a_week(types: Stage) -> None:
    old = utc_now() - PROVE_EVERY - timedelta(minutes=1)
    await want(types, "zeroed", BACKEND)
    assert await prove(types)
    await want(types, "zeroed", BACKEND, wanted_at=old, tried_at=old, proven_at=old)
    assert (await of(types, "zeroed"))["is_offered"]
    types.cloud.volume_types["zeroed"] = False
    assert await prove(types)
    row = await of(types, "zeroed")
    assert (row["is_offered"], row["proven_at"]) == (False, None)


@pytest.mark.parametrize(("age", "is_offered"), [(PROVE_EVERY, True), (PROOF_HOLDS, False)])
async def test_what_shows_nothing_is_tried_again_and_holds_for_a_day(
    types: Stage, age: timedelta, is_offered: bool
) -> None:
    old = utc_now() - age - timedelta(minutes=1)
    await want(types, "zeroed", BACKEND, tried_at=old, proven_at=old, proven_method=BACKEND, wanted_at=old)
    assert await prove(types, Verdict("zeroed", False, "The space did not come back.", has_shown=False))
    assert (await of(types, "zeroed"))["is_offered"] is is_offered
    assert not await prove(types)
    await want(types, "zeroed", BACKEND, tried_at=utc_now() - TRY_AGAIN - timedelta(minutes=1), wanted_at=old)
    assert await prove(types)
    assert (await of(types, "zeroed"))["is_offered"]


async def test_a_cloud_that_is_away_shows_nothing(types: Stage) -> None:
    await want(types, "zeroed", BACKEND)
    types.cloud.fail_next("ensure_volume", CloudUnavailable())
    assert await prove(types)
    row = await of(types, "zeroed")
    assert (row["is_offered"], row["finding"].startswith("Nothing was shown")) == (False, True)


async def test_what_the_cloud_has_no_more_is_not_offered(types: Stage) -> None:
    await want(types, "zeroed", BACKEND)
    assert await prove(types)
    del types.cloud.volume_types["zeroed"]
    await copy_types(types.databases.provisioner, types.access)
    row = await of(types, "zeroed")
    assert (row["is_present"], row["is_offered"]) == (False, False)


async def test_no_operator_can_write_a_proof(types: Stage) -> None:
    for values in ({"proven_at": utc_now()}, {"proven_method": BACKEND}, {"finding": "clean"}, {"is_present": True}):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with types.databases.operator.platform() as session:
                await session.execute(update(VolumeType).values(values))


async def test_members_choose_among_what_is_offered(types: Stage, a: Member) -> None:
    await want(types, "zeroed", BACKEND)
    unproven = (await of(types, "zeroed"))["id"]
    body = {"name": "data", "size_gib": 1, "volume_type_id": str(unproven)}
    assert (await a.get("/volume-types"))["items"] == []
    unknown = await a.problem("POST", "/volumes", {**body, "volume_type_id": str(uuid4())})
    refused = await a.problem("POST", "/volumes", body)
    assert (refused["status"], refused | {"request_id": ""}) == (404, unknown | {"request_id": ""})
    assert await prove(types)
    (offered,) = (await a.get("/volume-types"))["items"]
    assert (offered["name"], offered["method"], offered["id"]) == ("zeroed", BACKEND, str(unproven))
    volume = await a.make("/volumes", **body)
    assert volume["volume_type_id"] == offered["id"]
    copy = await a.make("/volumes", name="copy", size_gib=1, source_volume_id=volume["id"])
    assert copy["volume_type_id"] == offered["id"]
    made = [item for item in types.cloud.objects.values() if item.kind is CloudKind.VOLUME]
    assert [item.attributes["clears"] for item in made] == [True, True]


@pytest.mark.parametrize(("leaks_since", "method"), [(False, BACKEND), (True, PLATFORM)])
async def test_what_is_deleted_is_erased_by_what_is_proven_now(
    types: Stage, a: Member, leaks_since: bool, method: str
) -> None:
    """Where the back end's clearing is not proven any more, Platforma overwrites."""
    await want(types, "zeroed", BACKEND)
    assert await prove(types)
    id_ = (await of(types, "zeroed"))["id"]
    volume = await a.make("/volumes", name="data", size_gib=1, volume_type_id=str(id_))
    if leaks_since:
        await want(types, "zeroed", BACKEND, proven_at=None, proven_method=None)
    await a.wish("DELETE", f"/volumes/{volume['id']}")
    await a.settle()
    erasure = await types.row("SELECT method, state FROM erasures WHERE subject_id = %s", UUID(volume["id"]))
    assert (erasure["method"], erasure["state"]) == (method, "released")
