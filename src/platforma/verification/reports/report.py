"""What a report says of a verification: by layer, with coverage, controls and what has to be done."""

from collections.abc import Iterable, Mapping
from typing import Any

from platforma import __version__
from platforma.kit.probes import Layer, Outcome
from platforma.verification.lab import LabResult
from platforma.verification.reports.controls import CONTROLS
from platforma.verification.reports.signing import ReportError

FORMAT = "platforma verification report, 1"
_KEYS = {"started", "finished", "coverage", "probes", "bypasses", "uncovered", "absent"}


def make_report(verification: Any, lab: LabResult | None = None) -> dict[str, Any]:
    """Return the report of what `platforma verify --json` wrote; raises ReportError if that is something else.

    The packet lab tries an installation of its own: what it last found, if it is known, stands beside the verdict.

    Everything in it is counted from the attacks themselves: what the file says of itself is not believed.
    """
    if not isinstance(verification, Mapping) or not verification.keys() >= _KEYS:
        raise ReportError("This is no verification: make one with platforma verify --json FILE.")
    probes = list(verification["probes"])
    counts = {str(outcome): _count(probes, outcome) for outcome in Outcome}
    is_covered = all(covered == total > 0 for covered, total in verification["coverage"].values())
    return {
        "format": FORMAT,
        "version": __version__,
        "started": verification["started"],
        "finished": verification["finished"],
        "verdict": _verdict(counts, is_covered=is_covered),
        "counts": counts,
        "coverage": verification["coverage"],
        "uncovered": verification["uncovered"],
        "absent": verification["absent"],
        "layers": [_layer(layer, [each for each in probes if each["layer"] == layer]) for layer in Layer],
        "probes": probes,
        "lab": _lab(lab),
    }


def count_bypasses(reports: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return how many different bypasses reports have found, since the first of them, and when the last one was."""
    listed = sorted(reports, key=lambda each: str(each["started"]))
    if not listed:
        raise ReportError("There is no report to count from.")
    found = {each["id"] for report in listed for each in report["probes"] if each["verdict"] == Outcome.BYPASSED}
    whole = sum(report["verdict"] != "not proven" for report in listed)
    return {
        "bypasses": len(found),
        "since": listed[0]["started"],
        "until": listed[-1]["finished"],
        "verifications": len(listed),
        "whole": whole,
    }


def _lab(lab: LabResult | None) -> dict[str, Any] | None:
    if lab is None:
        return None
    return {
        "started": lab.started.isoformat(),
        "age_hours": int(lab.age.total_seconds() // 3600),
        "is_good": lab.is_good,
        "sentence": lab.sentence,
        "not_held": list(lab.not_held),
        "threats": list(lab.threats),
    }


def _verdict(counts: Mapping[str, int], *, is_covered: bool) -> str:
    if counts[Outcome.BYPASSED]:
        return str(Outcome.BYPASSED)
    if counts[Outcome.NOT_PROVEN] or not is_covered or not counts[Outcome.HELD]:
        return str(Outcome.NOT_PROVEN)
    return str(Outcome.HELD)


def _layer(layer: Layer, probes: list[Mapping[str, Any]]) -> dict[str, Any]:
    controls = CONTROLS[layer]
    counts = {str(outcome): _count(probes, outcome) for outcome in Outcome}
    return {
        "layer": str(layer),
        "promise": controls.promise,
        "verdict": _verdict(counts, is_covered=True),
        "counts": counts,
        "tried": sorted({each["attack"].partition(":")[0] for each in probes}),
        "controls": {
            "OWASP ASVS 5.0": list(controls.asvs),
            "SOC 2": list(controls.soc2),
            "ISO 27001": list(controls.iso27001),
        },
    }


def _count(probes: Iterable[Mapping[str, Any]], outcome: Outcome) -> int:
    return sum(each["verdict"] == outcome for each in probes)
