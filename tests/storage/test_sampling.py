"""How much is read back, and what it proves."""

import random

import pytest

from platforma.clouds.blocks.memory import GIBIBYTE, MemoryPool
from platforma.storage.erasing import read_back
from platforma.storage.sampling import BLOCK, Assurance, Sample


@pytest.mark.parametrize(
    ("confidence", "share", "drawn"), [(0.95, 0.05, 59), (0.999, 0.001, 6905), (0.99, 0.01, 459), (1, 0.5, 1 << 14)]
)
def test_the_size_follows_from_the_confidence(confidence: float, share: float, drawn: int) -> None:
    assert Assurance(confidence, share).blocks_of(GIBIBYTE) == drawn


def test_a_small_volume_is_read_as_a_whole() -> None:
    assert Assurance().blocks_of(5 * BLOCK) == 5
    assert Assurance().blocks_of(5 * BLOCK + 1) == 6


def test_first_and_last_block_are_always_read() -> None:
    for seed in map(str, range(200)):
        numbers = Sample(100 * BLOCK + 7, 3, seed).numbers()
        assert {0, 100} <= set(numbers)
        assert numbers == Sample(100 * BLOCK + 7, 3, seed).numbers()
    assert list(Sample(BLOCK + 7, 2, "x").ranges()) == [(0, BLOCK), (BLOCK, 7)]


def test_what_is_left_is_found_as_often_as_was_promised() -> None:
    """A twentieth of the blocks holds something, in 400 volumes: at a confidence of 0.95, about 20 may be missed."""
    generator = random.Random(7)
    blocks, assurance = 1000, Assurance(0.95, 0.05)
    missed = 0
    for _ in range(400):
        full = set(generator.sample(range(1, blocks - 1), blocks // 20))
        sample = Sample(blocks * BLOCK, assurance.blocks_of(blocks * BLOCK), str(generator.random()))
        missed += not full & set(sample.numbers())
    assert missed <= 35


@pytest.mark.parametrize("at", [0, 1, GIBIBYTE - 1])
def test_one_byte_at_either_end_is_found(at: int) -> None:
    pool = MemoryPool()
    pool.allocate("a", 1)
    device = pool.device("a")
    sample = Sample(GIBIBYTE, 5, "seed")
    assert read_back(device, sample) is None
    device.write(at, b"\x01")
    assert read_back(device, sample) == at // BLOCK * BLOCK
