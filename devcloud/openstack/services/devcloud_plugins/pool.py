"""One pool file that volumes get their extents from, with the bytes that whoever had them before has left there.

An extent that is freed is the first to be given out again, so that what is not erased is seen by the next tenant at
once. `clear` is what Cinder's `volume_clear` promises: `zero` overwrites before the extents are free, `none` does not.
"""

import fcntl
import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

MEBIBYTE = 1 << 20
EXTENT = 64 * MEBIBYTE
CHUNK = 4 * MEBIBYTE
CLEARS = ("none", "zero")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS extents (number INTEGER PRIMARY KEY, owner TEXT, position INTEGER, freed INTEGER);
CREATE UNIQUE INDEX IF NOT EXISTS extents_owner ON extents (owner, position) WHERE owner IS NOT NULL;
"""


class PoolFull(Exception):
    """There is no room for so many extents."""


class Pool:
    """The pool's file, which is sparse until somebody writes, and beside it the table of who has which extent."""

    def __init__(self, path, *, extent=EXTENT, extents=1 << 18):
        self.path = Path(path)
        self.extent = extent
        self.capacity = extents
        self._table = f"{path}.extents"
        self.path.touch()
        with self._connected() as table:
            table.executescript(_SCHEMA)

    def allocate(self, owner, size):
        """Have `size` bytes at least in the owner's name; what it has stays where it is. May be repeated."""
        wanted = -(-size // self.extent)
        with self._changing() as table:
            (present,) = table.execute("SELECT count(*) FROM extents WHERE owner = ?", (owner,)).fetchone()
            for position in range(present, wanted):
                table.execute(
                    "UPDATE extents SET owner = ?, position = ?, freed = NULL WHERE number = ?",
                    (owner, position, self._next(table)),
                )
        end = (self._highest() + 1) * self.extent
        with self.path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_size < end:
                file.truncate(end)

    def release(self, owner, *, clear):
        """Free the owner's extents, after overwriting them with zeroes if `clear` says so."""
        if clear not in CLEARS:
            raise ValueError(f"clear is {clear!r}, and not one of {', '.join(CLEARS)}")
        if clear == "zero":
            with self.path.open("r+b", buffering=0) as file:
                for start, length in self.ranges(owner):
                    zero(file.fileno(), start, length)
                os.fsync(file.fileno())
        with self._changing() as table:
            (last,) = table.execute("SELECT coalesce(max(freed), 0) FROM extents").fetchone()
            table.execute(
                "UPDATE extents SET owner = NULL, freed = ? - position, position = NULL WHERE owner = ?",
                (last + self.capacity, owner),
            )

    def ranges(self, owner):
        """Return where the owner's bytes are in the pool's file, in their order, as [start, length]."""
        with self._connected() as table:
            numbers = [
                number
                for (number,) in table.execute("SELECT number FROM extents WHERE owner = ? ORDER BY position", (owner,))
            ]
        found = []
        for number in numbers:
            start = number * self.extent
            if found and sum(found[-1]) == start:
                found[-1][1] += self.extent
            else:
                found.append([start, self.extent])
        return found

    def copy(self, source, target):
        """Copy what the source has written, and zeroes where it reads as zeroes, over the target's first bytes."""
        with self.path.open("r+b", buffering=0) as file:
            pairs = zip(self._chunks(source), self._chunks(target), strict=False)
            for (from_start, length), (to_start, _) in pairs:
                data = os.pread(file.fileno(), length, from_start)
                if data.count(0) == len(data):
                    zero(file.fileno(), to_start, length)
                else:
                    os.pwrite(file.fileno(), data, to_start)

    def write(self, owner, offset, data):
        """Write at an offset of the owner's bytes."""
        with self.path.open("r+b", buffering=0) as file:
            for start, length in self.ranges(owner):
                if offset < length and data:
                    part = data[: length - offset]
                    os.pwrite(file.fileno(), part, start + offset)
                    data = data[len(part) :]
                    offset = 0
                else:
                    offset -= min(offset, length)

    def owners(self):
        """Return who has extents."""
        with self._connected() as table:
            return {owner for (owner,) in table.execute("SELECT owner FROM extents WHERE owner IS NOT NULL")}

    def _chunks(self, owner):
        for start, length in self.ranges(owner):
            for at in range(start, start + length, CHUNK):
                yield at, min(CHUNK, start + length - at)

    def _next(self, table):
        """Return the extent that was freed last, or one that nobody ever had."""
        freed = table.execute("SELECT number FROM extents WHERE owner IS NULL ORDER BY freed DESC LIMIT 1").fetchone()
        if freed:
            return freed[0]
        (number,) = table.execute("SELECT coalesce(max(number) + 1, 0) FROM extents").fetchone()
        if number >= self.capacity:
            raise PoolFull(f"all {self.capacity} extents are taken")
        table.execute("INSERT INTO extents (number) VALUES (?)", (number,))
        return number

    def _highest(self):
        with self._connected() as table:
            return table.execute("SELECT coalesce(max(number), -1) FROM extents").fetchone()[0]

    @contextmanager
    def _connected(self):
        with closing(sqlite3.connect(self._table, timeout=60, isolation_level=None)) as table:
            yield table

    @contextmanager
    def _changing(self):
        """One writer at a time, and all of what it does or nothing."""
        with self._connected() as table:
            table.execute("BEGIN IMMEDIATE")
            try:
                yield table
            except BaseException:
                table.execute("ROLLBACK")
                raise
            table.execute("COMMIT")


def zero(descriptor, start, length):
    """Overwrite with zeroes what was ever written there; a hole of the file reads as zeroes already."""
    end = start + length
    zeroes = bytes(CHUNK)
    while start < end:
        try:
            start = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError:  # nothing but a hole from here to the end of the file
            return
        if start >= end:
            return
        stop = min(os.lseek(descriptor, start, os.SEEK_HOLE), end)
        while start < stop:
            start += os.pwrite(descriptor, zeroes[: min(CHUNK, stop - start)], start)
