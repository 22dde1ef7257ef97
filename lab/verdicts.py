"""What a proof is, what was counted, and what follows from it. Nothing here touches a wire."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What follows from a measurement."""

    HELD = "held"
    BYPASSED = "bypassed"
    NOT_PROVEN = "not proven"


@dataclass(frozen=True)
class Proof:
    """One attack beside the control that differs from it in one fact."""

    id: str
    threat: str
    """As in the catalogue of attacks (THREATS N01 to N10)."""
    family: str
    """`IPv4`, `IPv6`, `ARP` or `API`."""
    protocol: str
    attack: str
    control: str
    wall: str
    """What stands in the way: the wall whose absence lets the attack through."""


@dataclass(frozen=True)
class Count:
    """Frames that were sent, and those of them that came in at the far end."""

    sent: int
    arrived: int


@dataclass(frozen=True)
class Measured:
    """What was counted for one proof."""

    proof: Proof
    attack: Count
    control: Count
    seconds: float | None = None
    """For what is shut only after a while: how long frames still came in after the act that shuts it."""
    limit_seconds: float | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Silence proves nothing unless the control was heard and the attack was sent."""
        if self.attack.arrived > 0:
            return Verdict.BYPASSED
        if self.control.arrived == 0 or self.attack.sent == 0:
            return Verdict.NOT_PROVEN
        if self.seconds is not None and self.limit_seconds is not None and self.seconds > self.limit_seconds:
            return Verdict.BYPASSED
        return Verdict.HELD

    def shown(self) -> dict[str, Any]:
        """Return it as the result's file has it."""
        return {**asdict(self), **asdict(self.proof), "verdict": self.verdict} | {"proof": self.proof.id}


@dataclass(frozen=True)
class KnockOut:
    """A wall that was taken away, what still held without it, and which proofs then turned red, as they must."""

    id: str
    wall: str
    held: list[Measured] = field(default_factory=list)
    """Attacks of A on B that must fail all the same."""
    red: list[Measured] = field(default_factory=list)
    """Proofs of that very wall, which must now be bypassed."""

    @property
    def is_good(self) -> bool:
        """Whether nothing of A reached B, and the proofs of the wall saw that it was gone."""
        return all(each.verdict is Verdict.HELD for each in self.held) and all(
            each.verdict is Verdict.BYPASSED for each in self.red
        )

    def shown(self) -> dict[str, Any]:
        """Return it as the result's file has it."""
        return {
            "id": self.id,
            "wall": self.wall,
            "is_good": self.is_good,
            "held": [each.shown() for each in self.held],
            "red": [each.shown() for each in self.red],
        }


def is_good(measured: list[Measured], knocked: list[KnockOut]) -> bool:
    """Say whether a run is green: every proof held, every knock-out is good, and there was something to prove."""
    return bool(measured) and all(each.verdict is Verdict.HELD for each in measured) and all(k.is_good for k in knocked)
