"""The oracle: is the answer to another tenant's id the answer to an id that never existed?

See docs/isolation: the two are alike byte for byte, in status, headers and body, once what differs between any
two answers (the request's own id, the date, the ids that the caller sent) is set aside.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

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


def without_new(answer: Answer, since: datetime) -> Answer:
    """Set aside ids that were made, and moments that came, since then: two things that A has just made differ in them.

    Such an id is of version 7, which says when it was made: none that B had before is taken for one.
    """
    headers = tuple((name, _without_new(value, since)) for name, value in answer.headers)
    return replace(answer, headers=headers, body=_without_new(answer.body.decode("latin-1"), since).encode("latin-1"))


def _without_new(text: str, since: datetime) -> str:
    def of_id(found: re.Match[str]) -> str:
        made_ms = UUID(found[0]).int >> 80
        return "<new id>" if made_ms >= int(since.timestamp() * 1000) else found[0]

    def of_moment(found: re.Match[str]) -> str:
        return "<now>" if datetime.fromisoformat(found[0]) >= since else found[0]

    return _MOMENT.sub(of_moment, _ID_OF_VERSION_7.sub(of_id, text))


_ID_OF_VERSION_7 = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
_MOMENT = re.compile(r"\b\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-][0-1]\d:\d\d)")


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
