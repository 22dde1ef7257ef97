"""Watches: a line for each change of what a request chooses, until its time is over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from devcloud.kubernetes.problems import gone
from devcloud.kubernetes.resources import Call, Resources
from devcloud.kubernetes.selectors import field_test, label_test
from devcloud.kubernetes.store import Change, Object

LONGEST_SECONDS = 1800.0
_PAUSE_SECONDS = 0.5


async def watch(
    resources: Resources, call: Call, query: dict[str, str], version: int, is_ending: asyncio.Event
) -> AsyncIterator[bytes]:
    """Yield the changes after a version. Without one, what is there comes first, as if it had just been made."""
    labels, by_field = label_test(query.get("labelSelector", "")), field_test(query.get("fieldSelector", ""))

    def is_chosen(value: Object | None) -> bool:
        if value is None or (call.namespace and value["metadata"].get("namespace") != call.namespace):
            return False
        return labels(value["metadata"].get("labels") or {}) and by_field(value)

    if not version:
        version = resources.store.version
        for each in list(resources.chosen(call, query)):
            yield _line("ADDED", each)
    until = time.monotonic() + float(query.get("timeoutSeconds") or LONGEST_SECONDS)
    while time.monotonic() < until and not is_ending.is_set():
        changes = resources.store.since(version)
        if changes is None:
            yield _line("ERROR", gone(f"too old resource version: {version}").status())
            return
        for change in changes:
            version = change.version
            if change.kind == call.kind and (line := _told(change, is_chosen(change.before), is_chosen(change.object))):
                yield line
        await resources.store.changed(min(_PAUSE_SECONDS, max(0.0, until - time.monotonic())))


def _told(change: Change, was_chosen: bool, is_chosen: bool) -> bytes | None:
    """Return what a watch says of a change: an object that is no longer chosen is deleted in its eyes."""
    if change.type == "DELETED":
        return _line("DELETED", change.object) if was_chosen else None
    if is_chosen:
        return _line("MODIFIED" if was_chosen else "ADDED", change.object)
    return _line("DELETED", change.object) if was_chosen else None


def _line(type_: str, value: dict[str, Any]) -> bytes:
    return json.dumps({"type": type_, "object": value}).encode() + b"\n"
