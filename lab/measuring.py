"""Sending attacks and their controls, and counting what comes in where.

The order makes silence mean something: controls until they are heard, then the attacks, then the controls once more on
the same ways. What was sent before a control that has come in has come in too, or never will.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lab.captures import Wire
from lab.frames import Packet, new_token
from lab.processes import wait_until
from lab.verdicts import Count, Measured, Proof

FRAMES = 3
"""How many times each attack is sent."""
QUIET = 8
"""How many frames in a row must stay out before a way is taken to be shut."""
_GAP_SECONDS = 0.2
_HEARD_SECONDS = 30.0
_SETTLE_SECONDS = 0.4
_AGAIN_SECONDS = 0.5


@dataclass
class Shot:
    """Something to send, from where, and the far ends where it must, or must not, come in."""

    sender: Wire
    frames: Callable[[bytes], Sequence[bytes]]
    ends: Sequence[Wire]
    token: bytes = field(default_factory=new_token)
    sent: int = 0

    def send(self) -> None:
        """Send it once."""
        made = self.frames(self.token)
        self.sender.send(*made)
        self.sent += len(made)

    @property
    def arrived(self) -> int:
        """How many frames of it have come in at its far ends."""
        return sum(end.count(self.token) for end in self.ends)

    @property
    def count(self) -> Count:
        """What was sent and what came in."""
        return Count(self.sent, self.arrived)


@dataclass
class Trial:
    """A proof with its attack and its control."""

    proof: Proof
    attack: Shot
    control: Shot


def packet_shot(sender: Wire, packet: Packet, *ends: Wire) -> Shot:
    """Return the shot of a packet."""
    return Shot(sender, lambda token: [packet.frame(token)], ends)


def fragments_shot(sender: Wire, packet: Packet, *ends: Wire) -> Shot:
    """Return the shot of a packet in two fragments."""
    return Shot(sender, packet.fragments, ends)


def measure(trials: Sequence[Trial]) -> list[Measured]:
    """Carry out trials side by side, and return what was counted."""
    _hear([trial.control for trial in trials])
    for _ in range(FRAMES):
        for trial in trials:
            trial.attack.send()
            time.sleep(0.002)
    again = [Shot(trial.control.sender, trial.control.frames, trial.control.ends) for trial in trials]
    _hear(again)
    time.sleep(_SETTLE_SECONDS)
    return [
        Measured(trial.proof, trial.attack.count, _both(trial.control, after))
        for trial, after in zip(trials, again, strict=True)
    ]


def _both(before: Shot, after: Shot) -> Count:
    """Count a control's two parts as one; a way that was lost meanwhile proves nothing."""
    arrived = before.arrived + after.arrived if before.arrived and after.arrived else 0
    return Count(before.sent + after.sent, arrived)


def until_silent(send: Callable[[bytes], int], ends: Sequence[Wire], limit_seconds: float) -> tuple[float, Count]:
    """Send again and again until nothing comes in any more, or the time is over.

    Returns after how long the last frame came in, and the count of those that were sent since.
    """
    began = last = time.monotonic()
    sent = arrived = 0
    while sent < QUIET and time.monotonic() - began < limit_seconds:
        token = new_token()
        made = send(token)
        time.sleep(_GAP_SECONDS)
        found = sum(end.count(token) for end in ends)
        if found:
            sent, arrived, last = 0, found, time.monotonic()
        else:
            sent, arrived = sent + made, 0
    return last - began, Count(sent, arrived)


def hear(shot: Shot, seconds: float = _HEARD_SECONDS) -> bool:
    """Send until it has come in; say whether it did in time."""
    return _hear([shot], seconds)


def _hear(shots: Sequence[Shot], seconds: float = _HEARD_SECONDS) -> bool:
    """Send until each has come in, or the time is over."""

    def are_heard() -> bool:
        silent = [shot for shot in shots if not shot.arrived]
        for shot in silent:
            shot.send()
            time.sleep(0.002)
        if silent:
            time.sleep(0.05)
        return all(shot.arrived for shot in silent)

    try:
        wait_until("the controls are heard", seconds, are_heard, _AGAIN_SECONDS)
    except TimeoutError:
        return False
    return True
