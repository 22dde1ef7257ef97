"""How much of a volume is read back, and what that proves.

If one block in `1 / share` or more still held anything, then so many blocks, drawn without putting back, would all read
as zeroes with a probability of at most `1 - confidence`: `(1 - share) ** n <= 1 - confidence`. First and last block are
read besides.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

BLOCK = 64 * 1024
"""Bytes that are read at once, and that count as one."""


@dataclass(frozen=True)
class Assurance:
    """With `confidence`, less than `share` of the blocks holds anything. A confidence of 1 reads all of them.

    Where the back end clears what it deletes, nothing of that is done, and the records say so.
    """

    confidence: float = 0.999
    share: float = 0.001
    backend_clears: bool = False

    def blocks_of(self, size: int) -> int:
        """Return how many blocks of a volume of `size` bytes are drawn."""
        blocks = math.ceil(size / BLOCK)
        if self.confidence >= 1:
            return blocks
        return min(blocks, math.ceil(math.log(1 - self.confidence) / math.log(1 - self.share)))


@dataclass(frozen=True)
class Sample:
    """Blocks to read, drawn with a seed, so that anybody can draw them again."""

    size: int
    drawn: int
    seed: str

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return math.ceil(self.size / BLOCK)

    def numbers(self) -> list[int]:
        """Return the numbers of the blocks in their order, the first and the last among them."""
        generator = random.Random(self.seed)  # noqa: S311 (the seed is drawn from secrets after the erasure)
        return sorted({0, self.blocks - 1, *generator.sample(range(self.blocks), self.drawn)})

    def ranges(self) -> Iterator[tuple[int, int]]:
        """Yield offset and length of each block."""
        for number in self.numbers():
            yield number * BLOCK, min(BLOCK, self.size - number * BLOCK)
