"""The load generator: a process of its own, so that what it costs is not the server's.

`python -m bench.load` reads a JSON object of host, port, requests (texts, sent in turn), connections and seconds,
and prints a JSON object of what came back. HTTP/1.1 with keep-alive on raw sockets. Every answer has
to be a 200, or nothing is measured.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Specification:
    """What to send, where, how often at a time, and for how long."""

    host: str
    port: int
    requests: Sequence[str]
    connections: int
    seconds: float


@dataclass(frozen=True)
class Answered:
    """How many requests were answered, in which time, and how long single ones took."""

    requests: int
    seconds: float
    median_ms: float
    p99_ms: float
    bytes_each: int


class _Connection(asyncio.Protocol):
    """Sends a request whenever the one before is answered."""

    def __init__(self, requests: Sequence[bytes], first: int, until: float) -> None:
        self.requests = requests
        self.next = first
        self.until = until
        self.latencies: list[float] = []
        self.size = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = b""
        self._needed = 0
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._needed:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._received, 0, end + 2)
            if not self._received.startswith(b"HTTP/1.1 200 ") or length is None:
                self._fail(f"Not a 200 with a length: {self._received[:500]!r}")
                return
            self._needed = end + 4 + int(length[1])
        if len(self._received) < self._needed:
            return
        self.latencies.append(time.perf_counter() - self._sent)
        self.size = self._needed
        self._received = b""
        self._needed = 0
        if time.perf_counter() >= self.until:
            self.transport.close()
            self.done.set_result(None)
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("The server closed the connection.")

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self.transport.write(self.requests[self.next % len(self.requests)])
        self.next += 1

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))
            self.transport.abort()


async def send_load(specification: Specification) -> Answered:
    """Keep all connections busy for the given time; raises RuntimeError if any answer is not a 200."""
    loop = asyncio.get_running_loop()
    requests = [request.encode() for request in specification.requests]
    begun = time.perf_counter()
    until = begun + specification.seconds
    stride = max(1, len(requests) // specification.connections)
    made = [
        await loop.create_connection(
            lambda first=number * stride: _Connection(requests, first, until),  # type: ignore[misc]
            specification.host,
            specification.port,
        )
        for number in range(specification.connections)
    ]
    connections = [connection for _, connection in made]
    await asyncio.gather(*(connection.done for connection in connections))
    seconds = time.perf_counter() - begun
    latencies = sorted(latency for connection in connections for latency in connection.latencies)
    return Answered(
        requests=len(latencies),
        seconds=seconds,
        median_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[len(latencies) * 99 // 100] * 1000,
        bytes_each=connections[0].size,
    )


def main() -> None:
    """Send the load that standard input describes."""
    specification = Specification(**json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(send_load(specification)))))


if __name__ == "__main__":
    main()
