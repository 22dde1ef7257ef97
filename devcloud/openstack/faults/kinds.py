"""What can be made to go wrong, and what was seen to."""

from __future__ import annotations

import dataclasses
import re
import threading


@dataclasses.dataclass(frozen=True)
class Delay:
    """Wait, then do the request and answer: a slow service."""

    seconds: float


@dataclasses.dataclass(frozen=True)
class Hold:
    """Wait until `release` is set, then do the request and answer: a slow service without a clock."""

    release: threading.Event


@dataclasses.dataclass(frozen=True)
class Answer:
    """Do not do the request; answer `status` in the service's own words."""

    status: int
    message: str = "Injected by the fault proxy."
    retry_after: int | None = None


@dataclasses.dataclass(frozen=True)
class Drop:
    """Do not do the request; close the connection."""


@dataclasses.dataclass(frozen=True)
class LoseAnswer:
    """Do the request, then close the connection: the client cannot know that it was done."""


Fault = Delay | Hold | Answer | Drop | LoseAnswer


@dataclasses.dataclass
class Injection:
    """One fault in place. `left` counts the requests still to be hit, None for all of them."""

    fault: Fault
    method: re.Pattern[str]
    path: re.Pattern[str]
    left: int | None
    hits: int = 0
    hit: threading.Event = dataclasses.field(default_factory=threading.Event)


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request that came by. `status` is the service's answer, None if it was not asked."""

    method: str
    path: str
    status: int | None
    fault: Fault | None


@dataclasses.dataclass(frozen=True)
class Response:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
