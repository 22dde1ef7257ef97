"""Making the stand-in fail: the next requests that match answer otherwise, late, or not at all."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

from devcloud.kubernetes.problems import ApiProblem


@dataclass
class Fault:
    """What happens to requests whose method and path match.

    `after` is whether the work is done all the same. `hold` keeps the request until it is set; a fault with neither
    `status` nor `body` nor `hold` closes the connection.
    """

    method: str
    path: re.Pattern[str]
    times: int | None = 1
    status: int | None = None
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    is_after: bool = False
    hits: int = 0


class Faults:
    """The faults that are planted. May be planted from another thread."""

    def __init__(self) -> None:
        self.planted: list[Fault] = []

    def inject(self, method: str, path: str, *, times: int | None = 1, **how: Any) -> Fault:
        """Plant a fault for the next `times` requests (None: for all) whose path the pattern is found in."""
        fault = Fault(method, re.compile(path), times, **how)
        self.planted.append(fault)
        return fault

    def mend(self) -> None:
        """Let everything work again."""
        self.planted.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, which it uses up."""
        for fault in self.planted:
            if fault.method in ("*", method) and fault.path.search(path):
                fault.hits += 1
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self.planted.remove(fault)
                return fault
        return None


async def delay(fault: Fault) -> None:
    """Wait as long as the fault says."""
    if fault.seconds:
        await asyncio.sleep(fault.seconds)


def throttled(seconds: int) -> ApiProblem:
    """Return what a server says that is asked too much."""
    problem = ApiProblem(429, "TooManyRequests", "the server has received too many requests", retryAfterSeconds=seconds)
    problem.headers["Retry-After"] = str(seconds)
    return problem
