"""The oracle: is the answer to another tenant's id the answer to an id that never existed?

See docs/isolation: the two are alike byte for byte, in status, headers and body, once what differs between any
two answers (the request's own id, the date, the ids that the caller sent) is set aside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

VOLATILE_HEADERS = frozenset({"date", "x-request-id", "server-timing"})


@dataclass(frozen=True)
class Answer:
    """What came back, with what may differ set aside."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def normalise(status: int, headers: Iterable[tuple[str, str]], body: bytes, sent: Mapping[str, str]) -> Answer:
    """Set aside what differs between any two answers. `sent` maps ids that the caller sent to their names."""
    for value, name in sent.items():
        body = body.replace(value.encode(), f"<{name}>".encode())
    kept = []
    for key, header in headers:
        if key.lower() in VOLATILE_HEADERS:
            continue
        for value, name in sent.items():
            header = header.replace(value, f"<{name}>")
        kept.append((key.lower(), header))
    return Answer(status, tuple(sorted(kept)), body)


def differences(foreign: Answer, unknown: Answer) -> list[str]:
    """Say in what two answers differ; nothing if they are alike."""
    found = []
    if foreign.status != unknown.status:
        found.append(f"status {foreign.status} instead of {unknown.status}")
    if foreign.headers != unknown.headers:
        found.append(f"headers {sorted(set(foreign.headers) ^ set(unknown.headers))}")
    if foreign.body != unknown.body:
        found.append(f"body {foreign.body[:300]!r} instead of {unknown.body[:300]!r}")
    return found
