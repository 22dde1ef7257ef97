"""Drills: each fault takes something away, what is told of B is seen, and what is noticed is what was not so before."""

import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from platforma.database.roles import DatabaseRole
from platforma.kit.ids import new_id
from platforma.kit.probes import Layer, Observation, Outcome, Reply, Scene
from platforma.storage import service as storage
from platforma.storage.schemas import VolumeCreate
from platforma.verification.catalog import verify_catalog
from platforma.verification.drill import faults
from platforma.verification.drill.faults import FAULTS, by_name
from platforma.verification.drill.knockouts import Watch, disclosures_of, faulty, holds, knocked_out
from platforma.verification.findings import Finding, Verification
from platforma.verification.oracle import differences, normalise, without_new
from tests.database.server import TestDatabase

MOMENT = datetime(2026, 11, 23, tzinfo=UTC)
APPLY = """
import os, sys
from platforma.app import create_app
from platforma.verification.drill.faults import FAULTS
for fault in FAULTS:
    child = os.fork()
    if child == 0:
        try:
            fault.apply_to_code()
        except BaseException as error:
            print(fault.name, error, flush=True)
            os._exit(1)
        os._exit(0)
    os.waitpid(child, 0)
"""


def found(*findings: tuple[str, str, Outcome, str]) -> Verification:
    """Return a verification that found this."""
    listed = [Finding(probe, Layer.DATABASE, (), Observation(*seen)) for probe, *seen in findings]  # type: ignore[arg-type]
    return Verification(MOMENT, MOMENT, tuple(listed))


def test_each_layer_has_three_faults_or_more() -> None:
    assert len(by_name()) == len(FAULTS)
    assert all(count >= 3 for count in Counter(fault.layer for fault in FAULTS).values())
    assert {fault.layer for fault in FAULTS} == set(Layer)


async def test_a_source_that_is_not_looked_up_is_taken_as_the_service_takes_one() -> None:
    """A fault that breaks creation altogether would be noticed, and would attack nothing."""
    ids = {"snapshot_id": uuid4()}
    source = await faults._any_source(None, VolumeCreate(name="v", size_gib=1, **ids))
    assert isinstance(source, storage._Source)
    assert (source.kind, source.id) == ("snapshot", ids["snapshot_id"])
    assert (await faults._any_source(None, VolumeCreate(name="v", size_gib=1))).volume_type_id is None


def test_what_is_replaced_in_code_is_there() -> None:
    """In a process of its own for each: there is no way back."""
    done = subprocess.run([sys.executable, "-c", APPLY], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_what_is_changed_in_the_database_is_seen_in_the_catalog(fresh_database: TestDatabase) -> None:
    url = fresh_database.url(DatabaseRole.OPERATOR)

    def wrong() -> set[Observation]:
        return {each.observation for each in verify_catalog(url)[1] if each.observation.outcome is Outcome.BYPASSED}

    seen = wrong()
    assert seen == set()
    changed: set[str] = set()
    for fault in FAULTS:
        functions = {function for function, _old, _new in fault.gate}
        if fault.gate or fault.statements:
            fault.apply_to_database(fresh_database.administrator_url)
            now = wrong()
            assert now - seen or functions & changed, fault.name
            seen = now
        changed |= functions
    assert changed == {each.subject.removeprefix("function gate.") for each in seen if "gate." in each.subject} - {
        "gate.signing_keys"
    }


class _Party:
    """Somebody who gets one answer to everything."""

    def __init__(self, mark: str, ids: dict[str, str], text: str) -> None:
        self.mark, self.ids, self.token, self.colleague = mark, ids, mark, None
        self._text = text

    async def ask(self, method: str, target: str, **_how: Any) -> Reply:
        return Reply(200, (), self._text.encode(), 0.0)


async def test_what_is_told_of_b_is_seen_and_what_a_has_sent_is_not() -> None:
    b = _Party("mark-of-b", {"network_id": "n-b", "flavor_id": "shared"}, "")
    a: Any = _Party("mark-of-a", {"flavor_id": "shared"}, "mark-of-a shared n-b")
    watch = Watch()
    watch.put_on(Scene(a, b, "other"))  # type: ignore[arg-type]
    await a.ask("GET", "/api/v1/networks/n-b")
    assert watch.seen == []
    await a.ask("GET", "/api/v1/networks")
    assert watch.seen == ["GET /api/v1/networks: n-b"]


def test_an_answer_that_differs_tells_and_one_that_is_alike_does_not() -> None:
    alike = found(("foreign ids", "create_volume body.source", Outcome.BYPASSED, "POST /; it answers 202"))
    assert disclosures_of(alike, []) == []
    differs = found(("foreign ids", "get_volume path.id", Outcome.BYPASSED, "GET /; status 200 instead of 404"))
    assert disclosures_of(differs, []) == ["foreign ids: get_volume path.id: status 200 instead of 404"]
    changed = found(("victim unchanged", "everything", Outcome.BYPASSED, "changed: get_volume"))
    assert disclosures_of(changed, ["seen"]) == ["seen", "victim unchanged: everything: changed: get_volume"]
    assert disclosures_of(found(("cookies", "twice", Outcome.BYPASSED, "It answers 200")), []) == []


def test_what_was_so_before_is_not_noticed() -> None:
    wrong = found(("cookies", "twice", Outcome.BYPASSED, ""), ("timing", "get_volume", Outcome.NOT_PROVEN, "away"))
    report = {"probes": 2, "faulty": faulty(wrong), "disclosures": []}
    noticed = knocked_out("1 authentication", "a fault", report, faulty(wrong)[:1])
    assert noticed.noticed == ["not proven: timing: get_volume"]
    assert noticed.plain()["detected"] is True
    assert not knocked_out("1 authentication", "a fault", report, faulty(wrong)).is_detected


def test_a_knock_out_that_breaks_the_product_is_told_and_proves_little() -> None:
    lost = ["not proven: furnishing: a volume"]
    report = {"probes": 2, "faulty": lost, "disclosures": []}
    assert knocked_out("4 storage", "a fault", report, []).plain()["broken"] == lost
    assert knocked_out("4 storage", "a fault", report, lost).plain()["broken"] == []


def test_with_all_walls_what_is_not_proven_is_no_disclosure_and_what_is_bypassed_ends_the_drill() -> None:
    assert holds({"faulty": ["not proven: foreign ids: detach"], "disclosures": []})
    assert not holds({"faulty": ["bypassed: foreign ids: detach"], "disclosures": []})
    assert not holds({"faulty": [], "disclosures": ["GET /: b"]})


def test_what_a_has_just_made_tells_nothing_and_what_b_had_does() -> None:
    bs, since = new_id(), datetime.now(UTC) + timedelta(milliseconds=2)
    time.sleep(0.004)

    def answer(id_: object, moment: datetime) -> Any:
        body = f'{{"id":"{id_}","created_at":"{moment.isoformat()}"}}'.encode()
        return without_new(normalise(202, [("location", f"/volumes/{id_}")], body, {}), since)

    now = datetime.now(UTC)
    assert differences(answer(new_id(), now), answer(new_id(), now + timedelta(seconds=1))) == []
    for other in (bs, uuid4()):
        assert len(differences(answer(other, now), answer(new_id(), now))) == 2
    assert differences(answer(new_id(), since - timedelta(days=1)), answer(new_id(), now)) != []
