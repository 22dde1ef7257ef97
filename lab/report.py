"""The result: a line a check, PASS or FAIL, and a file that says the same and more."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.verdicts import KnockOut, Measured, Verdict, is_good


def line(measured: Measured, *, is_red: bool = False) -> str:
    """Return the line of a proof; one that `is_red` must be bypassed, for its wall is gone."""
    wanted = Verdict.BYPASSED if is_red else Verdict.HELD
    proof, attack, control = measured.proof, measured.attack, measured.control
    counted = f"attack {attack.arrived}/{attack.sent}, control {control.arrived}/{control.sent}"
    after = "" if measured.seconds is None else f", shut after {measured.seconds:.1f} s"
    words = f"{'PASS' if measured.verdict is wanted else 'FAIL'}  {proof.threat} {proof.id}: {proof.attack}"
    note = f" ({measured.note})" if measured.note else ""
    return f"{words} [{counted}{after}]{note}" + ("" if measured.verdict is wanted else f" {measured.verdict}")


def knock_out_lines(knocked: KnockOut) -> list[str]:
    """Return the lines of a knock-out."""
    head = f"{'PASS' if knocked.is_good else 'FAIL'}  knock-out {knocked.id}: without {knocked.wall}"
    held = sum(each.verdict is Verdict.HELD for each in knocked.held)
    red = sum(each.verdict is Verdict.BYPASSED for each in knocked.red)
    counts = f"{held} of {len(knocked.held)} attacks on B still fail, {red} of {len(knocked.red)} proofs turn red"
    wrong = [f"      {line(each)}" for each in knocked.held if each.verdict is not Verdict.HELD]
    wrong += [f"      {line(each, is_red=True)}" for each in knocked.red if each.verdict is not Verdict.BYPASSED]
    return [f"{head}: {counts}", *wrong]


def last_line(measured: Sequence[Measured], knocked: Sequence[KnockOut]) -> str:
    """Return how many passed and failed."""
    checks = [each.verdict is Verdict.HELD for each in measured] + [each.is_good for each in knocked]
    return f"{sum(checks)} passed, {len(checks) - sum(checks)} failed"


def write(
    path: Path, started: datetime, duration: float, measured: list[Measured], knocked: list[KnockOut]
) -> dict[str, Any]:
    """Write the result, whole or not at all."""
    result = {
        "format": 1,
        "started": started.astimezone(UTC).isoformat(timespec="seconds"),
        "duration_seconds": round(duration, 1),
        "is_good": is_good(measured, knocked),
        "passed": sum(each.verdict is Verdict.HELD for each in measured),
        "failed": sum(each.verdict is not Verdict.HELD for each in measured),
        "proofs": [each.shown() for each in measured],
        "knockouts": [each.shown() for each in knocked],
    }
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(result, indent=2) + "\n")
    partial.replace(path)
    return result
