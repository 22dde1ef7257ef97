"""Objects, the order in which they were written, and who waits for the next write.

Everything runs on one event loop and no method gives way, so each is a transaction.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcloud.kubernetes.kinds import Kind, kinds

Object = dict[str, Any]
Places = dict[str, dict[str, Object]]
"""Objects of a kind by namespace (empty for kinds without) and name."""

HISTORY = 5000


@dataclass(frozen=True)
class Change:
    """A write, as a watch tells of it. `before` is what was there."""

    version: int
    type: str
    kind: Kind
    object: Object
    before: Object | None


class Store:
    """What the cluster holds. With a file, it is there again after a restart."""

    def __init__(self, file: Path | None = None) -> None:
        self.version = 1
        self.history: deque[Change] = deque(maxlen=HISTORY)
        self.is_saved = True
        self._objects: dict[str, Places] = {each.key: {} for each in kinds().values()}
        self._file = file
        self._changed = asyncio.Event()

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """Return an object, or None. It is the store's own: copy before changing."""
        return self._objects[kind.key].get(namespace, {}).get(name)

    def objects(self, kind: Kind, namespace: str | None = None) -> Iterator[Object]:
        """Yield the objects of a kind in order of namespace and name; without a namespace those of all."""
        places = self._objects[kind.key]
        for place in sorted(places) if namespace is None else [namespace]:
            for _, each in sorted(places.get(place, {}).items()):
                yield each

    def count(self, kind: Kind, namespace: str) -> int:
        """Return how many objects of a kind are in a namespace."""
        return len(self._objects[kind.key].get(namespace, ()))

    def put(self, kind: Kind, value: Object) -> Object:
        """Store an object under a new version, and return what is stored."""
        metadata = value["metadata"]
        place = self._objects[kind.key].setdefault(metadata.get("namespace", ""), {})
        before = place.get(metadata["name"])
        stored = copy.deepcopy(value)
        self.version += 1
        stored["metadata"]["resourceVersion"] = str(self.version)
        place[metadata["name"]] = stored
        self._tell(Change(self.version, "MODIFIED" if before else "ADDED", kind, stored, before))
        return stored

    def remove(self, kind: Kind, value: Object) -> Object:
        """Take an object away, and return it with the version of its end."""
        metadata = value["metadata"]
        before = self._objects[kind.key][metadata.get("namespace", "")].pop(metadata["name"])
        self.version += 1
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._tell(Change(self.version, "DELETED", kind, last, before))
        return last

    def since(self, version: int) -> list[Change] | None:
        """Return the changes after a version, or None if they are no longer known."""
        if version < self.version and (not self.history or self.history[0].version > version + 1):
            return None
        return [each for each in self.history if each.version > version]

    async def changed(self, seconds: float) -> None:
        """Return at the next write, or when the time is over."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def load(self) -> None:
        """Read what was saved, if anything was."""
        if self._file is None or not self._file.exists():
            return
        content = json.loads(self._file.read_text())
        self.version = content["version"]
        for key, each in content["objects"].items():
            for value in each:
                metadata = value["metadata"]
                self._objects[key].setdefault(metadata.get("namespace", ""), {})[metadata["name"]] = value

    def save(self) -> None:
        """Write everything to the file, whole or not at all, unless nothing has changed."""
        if self._file is None or self.is_saved:
            return
        content = {
            "version": self.version,
            "objects": {
                key: [value for place in places.values() for value in place.values()]
                for key, places in self._objects.items()
            },
        }
        partial = self._file.with_name(self._file.name + ".partial")
        with os.fdopen(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as handle:
            json.dump(content, handle)
        partial.replace(self._file)
        self.is_saved = True

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        self.is_saved = False
        self._changed.set()
        self._changed = asyncio.Event()
