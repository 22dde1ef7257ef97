"""What a session check costs as sessions and tenants grow: `gate.open_session` itself, and `GET /api/v1/me`."""

import os
import random
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.load import Specification
from bench.processes import LOOPBACK, serving
from bench.results import Result
from bench.rounds import Ratio, Round, Side, compare, compare_rounds, measure_in_turns, median_of
from bench.stage import Stage, host_of
from platforma.authentication.cookies import SESSION_COOKIE
from platforma.database.engine import libpq_dsn
from platforma.database.roles import DatabaseRole
from platforma.kit.crypto import new_key

_OPEN = "SELECT * FROM gate.open_session(token => %s, host => %s)"
_CONNECTIONS = 8
TARGET = "0.85 to 1.15"


@dataclass(frozen=True)
class Installation:
    """How many tenants there are, and how many sessions have been revoked."""

    tenants: int
    revoked: int

    @property
    def database(self) -> str:
        """The name of its database."""
        return f"sessions_{self.tenants}_{self.revoked}"

    def __str__(self) -> str:
        return f"{self.revoked:,} revoked sessions, {self.tenants:,} tenants"


SMALLEST = Installation(tenants=10, revoked=1)
GROWN = (
    Installation(tenants=10, revoked=1_000),
    Installation(tenants=10, revoked=1_000_000),
    Installation(tenants=10_000, revoked=1),
)


@dataclass(frozen=True)
class SessionScale:
    """How much is measured: blocks of calls to the gate, and rounds of requests."""

    grown: Sequence[Installation] = GROWN
    blocks: int = 100
    calls: int = 200
    rounds: int = 10
    seconds: float = 2.0


def bench_sessions(stage: Stage, scale: SessionScale) -> list[Result]:
    """Compare the session check of larger installations with the smallest one's."""
    installations = [SMALLEST, *scale.grown]
    for installation in installations:
        stage.make(installation.database, tenants=installation.tenants, revoked=installation.revoked)
    gate = _time_the_gate(stage, installations, scale)
    requests = _time_requests(stage, installations, scale)
    return [
        *_results("Session check in the database", "us", gate),
        *(
            Result(
                f"GET /api/v1/me: {installation}",
                median_of(rounds, lambda item: item.throughput_per_cpu_second),
                "requests/CPU s",
                median_of(requests[0], lambda item: item.throughput_per_cpu_second),
                (ratio := compare_rounds(rounds, requests[0], lambda item: item.throughput_per_cpu_second)).median,
                ratio.spread,
                TARGET,
            )
            for installation, rounds in zip(scale.grown, requests[1:], strict=True)
        ),
    ]


def _results(name: str, unit: str, timed: dict[Installation, list[float]]) -> list[Result]:
    smallest = timed[SMALLEST]
    results = []
    for installation, blocks in timed.items():
        if installation is not SMALLEST:
            ratio: Ratio = compare(blocks, smallest)
            results.append(
                Result(
                    f"{name}: {installation}",
                    statistics.median(blocks),
                    unit,
                    statistics.median(smallest),
                    ratio.median,
                    ratio.spread,
                    TARGET,
                )
            )
    return results


def _time_the_gate(
    stage: Stage, installations: Sequence[Installation], scale: SessionScale
) -> dict[Installation, list[float]]:
    """Return, for each block of calls, the median microseconds of `gate.open_session`, from the portal's role.

    Caller and backends share one core: a call that has to wake another core takes twice as long, and which
    installation's backend sits where is chance.
    """
    cores = os.sched_getaffinity(0)
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, cores)
        os.sched_setaffinity(0, {min(cores)})
        callers = [(item, _Caller(stack, stage, item)) for item in installations]
        for _, caller in callers:
            caller.time_block(scale.calls)
        timed: dict[Installation, list[float]] = {item: [] for item in installations}
        for number in range(scale.blocks):
            for item, caller in callers if number % 2 == 0 else reversed(callers):
                timed[item].append(caller.time_block(scale.calls))
    return timed


class _Caller:
    def __init__(self, stack: ExitStack, stage: Stage, installation: Installation) -> None:
        url = libpq_dsn(stage.url(DatabaseRole.PORTAL, installation.database))
        self._connection: psycopg.Connection[Any] = stack.enter_context(psycopg.connect(url, prepare_threshold=None))
        os.sched_setaffinity(self._connection.info.backend_pid, os.sched_getaffinity(0))
        self._random = random.Random(installation.tenants)
        self._sessions = _sessions(stage, installation)

    def time_block(self, calls: int) -> float:
        times = []
        for token, host in self._random.choices(self._sessions, k=calls):
            begun = time.perf_counter()
            row = self._connection.execute(_OPEN, (token, host)).fetchone()
            times.append(time.perf_counter() - begun)
            self._connection.commit()
            if row is None:
                raise RuntimeError("A live session did not open.")
        return statistics.median(times) * 1e6


def _time_requests(stage: Stage, installations: Sequence[Installation], scale: SessionScale) -> list[list[Round]]:
    with ExitStack() as stack:
        sides = []
        for installation in installations:
            environment = {
                "PLATFORMA_DATABASE__PORTAL": stage.url(DatabaseRole.PORTAL, installation.database),
                "PLATFORMA_PEPPER": new_key(),
            }
            port, pid = stack.enter_context(serving("bench.sides:create_product", environment))
            requests = [
                f"GET /api/v1/me HTTP/1.1\r\nHost: {host}\r\nCookie: {SESSION_COOKIE}={token}\r\n\r\n"
                for token, host in _sessions(stage, installation)[:200]
            ]
            load = Specification(LOOPBACK, port, requests, _CONNECTIONS, scale.seconds)
            sides.append(Side(load, server=[pid], database=[stage.postmaster]))
        return measure_in_turns(sides, scale.rounds)


def _sessions(stage: Stage, installation: Installation) -> list[tuple[str, str]]:
    """Return tokens and hosts of live sessions, of as many tenants as the smallest installation has.

    What grows is what there is, not what is in the processor's caches.
    """
    numbers = range(0, installation.tenants, installation.tenants // SMALLEST.tenants)
    return list(zip(stage.tokens(numbers), map(host_of, numbers), strict=True))
