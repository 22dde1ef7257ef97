"""Volumes that are files or extents of a file on this machine (`driver_volume_type: local`), as `devcloud` has them.

A lock of the kernel's keeps a volume open for one process only: it falls when the process dies, and holds while the
process is merely frozen, so that nobody releases what somebody may still write to.
"""

import contextlib
import fcntl
import hashlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any

from platforma.clouds.blocks.protocol import Connection
from platforma.clouds.errors import CloudAnswerInvalid, CloudConflict, CloudRefused

_CHUNK = 4 << 20


class LocalBlocks:
    """As `Blocks`. Opens only what is below `directory`; without one it opens nothing."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = None if directory is None else directory.resolve()

    def connector(self) -> Mapping[str, Any]:
        """See Blocks."""
        host = socket.gethostname()
        return {"host": f"platforma-{host}", "platform": os.uname().machine, "os_type": "linux", "multipath": False}

    def open(self, connection: Connection) -> "LocalDevice":
        """See Blocks."""
        if connection.driver != "local" or self._directory is None:
            raise CloudRefused(f"Platforma's worker has no way to open volumes of the kind {connection.driver}.")
        path = Path(str(connection.data.get("device_path", ""))).resolve()
        if not path.is_relative_to(self._directory):
            raise CloudRefused("The volume is not where Platforma's worker may open volumes.")
        return LocalDevice(path, _extents(connection, path), self._lock_of(connection))

    def _lock_of(self, connection: Connection) -> Path:
        """Return the lock's file, which is named for the place and not for the attachment: those come and go."""
        place = repr((connection.data.get("device_path"), sorted(map(tuple, connection.data.get("extents") or ()))))
        directory = (self._directory or Path()) / "erasing"
        directory.mkdir(exist_ok=True)
        return directory / hashlib.sha256(place.encode()).hexdigest()[:32]


class LocalDevice:
    """As `BlockDevice`: extents of a file, in their order."""

    def __init__(self, path: Path, extents: list[tuple[int, int]], lock: Path) -> None:
        self._extents = extents
        self.place: str | None = f"{path} {sorted(extents)}"
        self.size = sum(length for _, length in extents)
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._file = -1
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except BlockingIOError as error:
            self.close()
            raise CloudConflict("The volume is open in another process.") from error
        except OSError as error:
            self.close()
            raise CloudRefused(f"The volume cannot be opened: {os.strerror(error.errno or 0)}.") from error
        self._has_holes = S_ISREG(os.fstat(self._file).st_mode)

    def read(self, offset: int, length: int) -> bytes:
        """See BlockDevice."""
        parts = []
        for start, size in self._places(offset, length):
            os.posix_fadvise(self._file, start, size, os.POSIX_FADV_DONTNEED)  # from the medium, not from our cache
            parts.append(os.pread(self._file, size, start))
        content = b"".join(parts)
        if len(content) != length:
            raise CloudAnswerInvalid("The volume ends before its end.")
        return content

    def write(self, offset: int, content: bytes) -> None:
        """See BlockDevice."""
        at = 0
        for start, size in self._places(offset, len(content)):
            _write(self._file, start, content[at : at + size])
            at += size

    def zero(self, offset: int, length: int) -> None:
        """See BlockDevice."""
        zeroes = memoryview(bytes(min(length, _CHUNK)))
        for place, size in self._places(offset, length):
            for start, end in self._written(place, place + size):
                for at in range(start, end, _CHUNK):
                    _write(self._file, at, zeroes[: min(_CHUNK, end - at)])

    def flush(self) -> None:
        """See BlockDevice."""
        os.fsync(self._file)

    def close(self) -> None:
        """See BlockDevice."""
        open_ones, self._file, self._lock = (self._file, self._lock), -1, -1
        for descriptor in open_ones:
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)

    def _places(self, offset: int, length: int) -> Iterator[tuple[int, int]]:
        """Yield where a range of the volume is in the file."""
        if offset < 0 or offset + length > self.size:
            raise ValueError(f"{offset} and {length} bytes are not in a volume of {self.size}.")
        for start, size in self._extents:
            if offset < size and length > 0:
                taken = min(size - offset, length)
                yield start + offset, taken
                offset, length = 0, length - taken
            else:
                offset = max(0, offset - size)

    def _written(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield what of a range of the file may hold anything: a hole of a sparse file reads as zeroes."""
        if not self._has_holes:
            yield start, end
            return
        while start < end:
            try:
                start = os.lseek(self._file, start, os.SEEK_DATA)
            except OSError:  # no data from here to the end of the file
                return
            if start >= end:
                return
            stop = min(os.lseek(self._file, start, os.SEEK_HOLE), end)
            yield start, stop
            start = stop


def _write(file: int, start: int, content: bytes | memoryview) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(file, view, start)
        view, start = view[written:], start + written


def _extents(connection: Connection, path: Path) -> list[tuple[int, int]]:
    found = connection.data.get("extents")
    try:
        if found is None:
            return [(0, path.stat().st_size)]
        extents = [(int(start), int(length)) for start, length in found]
    except (OSError, TypeError, ValueError) as error:
        raise CloudAnswerInvalid("It does not say where the volume is.") from error
    if not extents or any(start < 0 or length <= 0 for start, length in extents):
        raise CloudAnswerInvalid("It does not say where the volume is.")
    return extents
