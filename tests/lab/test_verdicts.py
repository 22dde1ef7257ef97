"""What follows from what was counted: silence alone proves nothing."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.report import knock_out_lines, last_line, line, write
from lab.verdicts import Count, KnockOut, Measured, Proof, Verdict
from platforma.verification.lab import LabResultInvalid, read_lab_result

PROOF = Proof("private-same-v4-udp", "N01", "IPv4", "udp", "A to B", "A to A", "the overlay")
NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def measured(attack: int = 0, control: int = 3, sent: int = 3, seconds: float | None = None) -> Measured:
    return Measured(PROOF, Count(sent, attack), Count(3, control), seconds, None if seconds is None else 10.0)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (measured(), Verdict.HELD),
        (measured(attack=1), Verdict.BYPASSED),
        (measured(control=0), Verdict.NOT_PROVEN),
        (measured(sent=0), Verdict.NOT_PROVEN),
        (measured(attack=1, control=0), Verdict.BYPASSED),
        (measured(seconds=9), Verdict.HELD),
        (measured(seconds=11), Verdict.BYPASSED),
    ],
)
def test_a_verdict_needs_a_control_that_was_heard(found: Measured, verdict: Verdict) -> None:
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("held", "red", "is_good"),
    [
        ([measured()], [measured(attack=3)], True),
        ([measured(attack=1)], [measured(attack=3)], False),
        ([measured()], [measured()], False),
        ([measured()], [measured(control=0)], False),
    ],
)
def test_a_knock_out_is_good_if_the_rest_holds_and_its_own_proofs_turn_red(
    held: list[Measured], red: list[Measured], is_good: bool
) -> None:
    knocked = KnockOut("overlay", "the overlay", held, red)
    assert knocked.is_good is is_good
    assert knock_out_lines(knocked)[0].startswith("PASS" if is_good else "FAIL")


def test_lines_say_what_was_counted() -> None:
    assert line(measured()) == "PASS  N01 private-same-v4-udp: A to B [attack 0/3, control 3/3]"
    assert line(measured(attack=2)).startswith("FAIL")
    assert line(measured(attack=2), is_red=True).startswith("PASS")
    assert last_line([measured(), measured(attack=1)], []) == "1 passed, 1 failed"


def test_a_result_is_read_with_its_age(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    assert read_lab_result(path, NOW) is None
    written = write(path, NOW, 90.0, [measured()], [KnockOut("overlay", "the overlay", [], [measured(attack=1)])])
    assert written["is_good"] is True
    found = read_lab_result(path, NOW + timedelta(hours=5))
    assert found is not None
    assert (found.is_good, found.passed, found.failed, found.knockouts) == (True, 1, 0, 1)
    assert found.threats == ("N01",)
    assert found.sentence == "1 proofs held, 0 did not, 1 walls were knocked out; 5 hours ago."
    old = read_lab_result(path, NOW + timedelta(days=3))
    assert old is not None
    assert (old.is_good, old.is_stale) == (False, True)


def test_a_bad_result_names_what_did_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    write(path, NOW, 90.0, [measured(attack=1)], [KnockOut("overlay", "the overlay", [], [measured()])])
    found = read_lab_result(path, NOW)
    assert found is not None
    assert found.not_held == ("private-same-v4-udp", "knock-out overlay")
    assert not found.is_good


@pytest.mark.parametrize("text", ["", "{}", json.dumps({"format": 1})])
def test_what_is_no_result_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lab.json"
    path.write_text(text)
    with pytest.raises(LabResultInvalid):
        read_lab_result(path, NOW)


def test_nothing_proven_is_not_good(tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    assert write(path, NOW, 1.0, [], [])["is_good"] is False
    found = read_lab_result(path, NOW)
    assert found is not None
    assert not found.is_good
