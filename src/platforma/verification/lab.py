"""The packet lab's last result, for the isolation report: `make lab` writes it, and nothing here runs the lab."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

STALE_AFTER = timedelta(days=2)
"""The lab runs each night; a result that is older says little about today."""
_FORMAT = 1

Number = Annotated[int, Field(ge=0)]


class LabResultInvalid(Exception):
    """The file is no result of the packet lab, or one of another version."""


class _Proof(BaseModel):
    id: str
    threat: str
    verdict: str


class _KnockOut(BaseModel):
    id: str
    is_good: bool


class _File(BaseModel):
    format: int
    started: AwareDatetime
    duration_seconds: float
    is_good: bool
    passed: Number
    failed: Number
    proofs: list[_Proof]
    knockouts: list[_KnockOut]


@dataclass(frozen=True)
class LabResult:
    """What the lab found when it last ran to its end."""

    started: datetime
    age: timedelta
    duration: timedelta
    passed: int
    failed: int
    knockouts: int
    threats: tuple[str, ...]
    """Which lines of the catalogue of attacks were tried on the wire."""
    not_held: tuple[str, ...]
    """Proofs that were bypassed or not proven, and knock-outs that went wrong."""

    @property
    def is_stale(self) -> bool:
        """Whether it is too old to say anything of today."""
        return self.age > STALE_AFTER

    @property
    def is_good(self) -> bool:
        """Whether everything held, and not long ago."""
        return not self.not_held and not self.is_stale

    @property
    def sentence(self) -> str:
        """Say it in a line of a report."""
        hours = int(self.age.total_seconds() // 3600)
        age = f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
        counts = f"{self.passed} proofs held, {self.failed} did not, {self.knockouts} walls were knocked out"
        return f"{counts}; {age} ago{', which is too long' if self.is_stale else ''}."


def read_lab_result(path: Path, now: datetime) -> LabResult | None:
    """Return the lab's last result, or None if it never ran here. Raises LabResultInvalid."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        found = _File.model_validate_json(text)
    except ValidationError as error:
        raise LabResultInvalid(f"{path} is no result of the packet lab: {error.error_count()} errors.") from error
    if found.format != _FORMAT:
        raise LabResultInvalid(f"{path} is a result of another version of the packet lab.")
    not_held = [proof.id for proof in found.proofs if proof.verdict != "held"]
    not_held += [f"knock-out {each.id}" for each in found.knockouts if not each.is_good]
    if not found.is_good and not not_held:
        not_held.append("the run as a whole")
    return LabResult(
        started=found.started,
        age=now - found.started,
        duration=timedelta(seconds=found.duration_seconds),
        passed=found.passed,
        failed=found.failed,
        knockouts=len(found.knockouts),
        threats=tuple(sorted({proof.threat for proof in found.proofs})),
        not_held=tuple(not_held),
    )
