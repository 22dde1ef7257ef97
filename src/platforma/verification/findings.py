"""What a verification has found, and its form for machines (docs/isolation/README.md has the contract)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from platforma.kit.probes import ALIKE, Layer, Observation, Outcome

if TYPE_CHECKING:
    from platforma.verification.coverage import Coverage


@dataclass(frozen=True)
class Finding:
    """An observation, and the probe that made it."""

    probe: str
    layer: Layer
    threats: tuple[str, ...]
    observation: Observation
    title: str = ""
    expected: str = ALIKE


@dataclass(frozen=True)
class Verification:
    """All that one verification found. `absent` is about kinds of things that the installation cannot have."""

    began_at: datetime
    ended_at: datetime
    findings: tuple[Finding, ...] = field(repr=False)
    absent: tuple[Finding, ...] = field(default=(), repr=False)
    furnished: frozenset[str] = frozenset()
    """What both canaries had, as paths and bodies call it."""
    nowhere: tuple[str, ...] = ()
    """What no tenant of the installation can have."""
    coverage: "Coverage | None" = None

    def count(self, outcome: Outcome) -> int:
        """Return how many findings have an outcome."""
        return sum(each.observation.outcome is outcome for each in self.findings)

    @property
    def is_safe(self) -> bool:
        """Whether everything was tried, and everything held, and nothing is uncovered."""
        held = bool(self.findings) and all(each.observation.outcome is Outcome.HELD for each in self.findings)
        return held and (self.coverage is None or self.coverage.is_full)

    def plain(self) -> dict[str, Any]:
        """Return it for machines, as docs/isolation has it."""
        assert self.coverage is not None  # noqa: S101 (it is counted before it is told)
        parts = {
            "routes": self.coverage.routes,
            "tables": self.coverage.tables,
            "cloud_resources": self.coverage.cloud_resources,
        }
        return {
            "started": _moment(self.began_at),
            "finished": _moment(self.ended_at),
            "coverage": {name: part.numbers for name, part in parts.items()},
            "probes": [_probe(each) for each in self.findings],
            "bypasses": self.count(Outcome.BYPASSED),
            "not_proven": self.count(Outcome.NOT_PROVEN),
            "uncovered": {name: part.missing for name, part in parts.items()},
            "absent": list(self.nowhere),
            "is_safe": self.is_safe,
        }


def _probe(finding: Finding) -> dict[str, Any]:
    seen = finding.observation
    return {
        "id": f"{finding.probe}: {seen.subject}",
        "layer": str(finding.layer),
        "attack": f"{finding.title or finding.probe}: {seen.subject}",
        "expected": finding.expected,
        "observed": seen.detail or ("as expected" if seen.outcome is Outcome.HELD else str(seen.outcome)),
        "verdict": str(seen.outcome),
        "threats": list(finding.threats),
    }


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
