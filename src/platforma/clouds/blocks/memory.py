"""A pool in memory, for the fake cloud: extents are reused at once, with what whoever had them before has left there.

Several ways to lie can be planted, to see that what verifies finds out.
"""

from collections import defaultdict

from platforma.clouds.errors import CloudConflict

GIBIBYTE = 1 << 30
PAGE = 1 << 16


class MemoryPool:
    """Extents of one GiB, of which only the pages are kept that somebody has written."""

    def __init__(self) -> None:
        self.owners: dict[str, list[int]] = {}
        self.pages: dict[int, dict[int, bytes]] = defaultdict(dict)
        self.open: set[str] = set()
        self.zeroes_nothing = False
        """Whether a device says that it has zeroed, and has not."""
        self.bytes_zeroed: dict[str, int] = defaultdict(int)
        """What was asked to be zeroed, by owner."""
        self._free: list[int] = []
        self._next = 0

    def allocate(self, owner: str, gibibytes: int) -> None:
        """Have so many extents in the owner's name; the one that was freed last is given out first."""
        extents = self.owners.setdefault(owner, [])
        while len(extents) < gibibytes:
            if self._free:
                extents.append(self._free.pop())
            else:
                extents.append(self._next)
                self._next += 1

    def release(self, owner: str, *, clear: bool) -> None:
        """Free the owner's extents, as they are or cleared."""
        for extent in reversed(self.owners.pop(owner, [])):
            if clear:
                self.pages.pop(extent, None)
            self._free.append(extent)

    def copy(self, source: str, target: str) -> None:
        """Have the target read as the source does, as far as that goes."""
        for source_extent, target_extent in zip(self.owners.get(source, []), self.owners[target], strict=False):
            self.pages[target_extent] = dict(self.pages[source_extent])

    def device(self, owner: str) -> "MemoryDevice":
        """Open what an owner has, once at a time."""
        if owner in self.open:
            raise CloudConflict("The volume is open in another process.")
        self.open.add(owner)
        return MemoryDevice(self, owner)


class MemoryDevice:
    """As `BlockDevice`."""

    def __init__(self, pool: MemoryPool, owner: str) -> None:
        self._pool = pool
        self._owner = owner
        self._extents = list(pool.owners[owner])
        self.place: str | None = str(sorted(self._extents))
        self.size = len(self._extents) * GIBIBYTE

    def read(self, offset: int, length: int) -> bytes:
        """See BlockDevice."""
        parts = []
        for extent, page, start, size in self._places(offset, length):
            content = self._pool.pages[extent].get(page)
            parts.append(bytes(size) if content is None else content[start : start + size])
        return b"".join(parts)

    def write(self, offset: int, content: bytes) -> None:
        """See BlockDevice."""
        at = 0
        for extent, page, start, size in self._places(offset, len(content)):
            before = self._pool.pages[extent].get(page, bytes(PAGE))
            self._pool.pages[extent][page] = before[:start] + content[at : at + size] + before[start + size :]
            at += size

    def zero(self, offset: int, length: int) -> None:
        """See BlockDevice."""
        self._pool.bytes_zeroed[self._owner] += length
        if self._pool.zeroes_nothing:
            return
        end = offset + length
        for number, extent in enumerate(self._extents):
            for page in list(self._pool.pages[extent]):
                at = number * GIBIBYTE + page * PAGE
                start, stop = max(at, offset), min(at + PAGE, end)
                if start < stop:
                    self.write(start, bytes(stop - start))

    def flush(self) -> None:
        """See BlockDevice."""

    def close(self) -> None:
        """See BlockDevice."""
        self._pool.open.discard(self._owner)

    def _places(self, offset: int, length: int) -> list[tuple[int, int, int, int]]:
        """Return the pages of a range: extent, page, where in it, and how much of it."""
        if offset < 0 or offset + length > self.size:
            raise ValueError(f"{offset} and {length} bytes are not in a volume of {self.size}.")
        places = []
        while length > 0:
            number, inside = divmod(offset, GIBIBYTE)
            page, start = divmod(inside, PAGE)
            taken = min(PAGE - start, length)
            places.append((self._extents[number], page, start, taken))
            offset, length = offset + taken, length - taken
        return places
