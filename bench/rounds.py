"""Rounds: each side in turn, many times, and the median of the rounds' ratios.

What else the machine does at the moment hits both sides of a round alike; comparing within rounds cancels it.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from bench.load import Answered, Specification
from bench.processes import cpu_seconds


@dataclass(frozen=True)
class Side:
    """One side of a comparison: the load, and the processes that serve it."""

    load: Specification
    server: Sequence[int]
    database: Sequence[int] = ()


@dataclass(frozen=True)
class Round:
    """What one round of one side showed."""

    answered: Answered
    server_cpu_seconds: float
    database_cpu_seconds: float

    @property
    def throughput(self) -> float:
        """Requests a second."""
        return self.answered.requests / self.answered.seconds

    @property
    def throughput_per_cpu_second(self) -> float:
        """Requests for each CPU second of all that serves."""
        return self.answered.requests / max(0.01, self.server_cpu_seconds + self.database_cpu_seconds)

    @property
    def cpu_ms(self) -> float:
        """CPU time of a request, in all that serves it."""
        return 1000 / self.throughput_per_cpu_second


@dataclass(frozen=True)
class Ratio:
    """A ratio, as the median of the rounds' own ratios, with the middle half of them."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> str:
        """The middle half, for a table."""
        return f"{self.low:.3f} to {self.high:.3f}"


def measure(side: Side) -> Round:
    """Send one round of load, and read the CPU time before and after."""
    server, database = cpu_seconds(side.server), cpu_seconds(side.database)
    finished = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(side.load)).encode(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=side.load.seconds + 60,
    )
    return Round(
        Answered(**json.loads(finished.stdout)),
        cpu_seconds(side.server) - server,
        cpu_seconds(side.database) - database,
    )


def measure_in_turns(sides: Sequence[Side], rounds: int) -> list[list[Round]]:
    """Measure each side once in each round, after one round to warm up; the order turns from round to round."""
    for side in sides:
        measure(side)
    measured: list[list[Round]] = [[] for _ in sides]
    for number in range(rounds):
        order = list(range(len(sides)))
        for index in order if number % 2 == 0 else reversed(order):
            measured[index].append(measure(sides[index]))
    return measured


def compare(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return ours / theirs."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    if len(ratios) < 2:
        return Ratio(ratios[0], ratios[0], ratios[0])
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Ratio(median, low, high)


def compare_rounds(ours: Sequence[Round], theirs: Sequence[Round], of: Callable[[Round], float]) -> Ratio:
    """Return the ratio of one figure of two sides."""
    return compare([of(item) for item in ours], [of(item) for item in theirs])


def median_of(rounds: Sequence[Round], of: Callable[[Round], float]) -> float:
    """Return the median of one figure."""
    return statistics.median(of(item) for item in rounds)
