"""Erasure of a full volume of one GiB against plain `dd` of zeroes to the same file, and what reading back costs."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

from bench.results import Result
from platforma.clouds.blocks import BlockDevice, Connection, LocalBlocks
from platforma.storage.erasing import overwrite, read_back
from platforma.storage.sampling import Assurance, Sample

SIZE = 1 << 30
EXTENT = 64 << 20
_CHUNK = 16 << 20


def bench_erasure(rounds: int) -> list[Result]:
    """Overwrite in turns, and read the default sample and then everything back."""
    erased: list[float] = []
    plain: list[float] = []
    sampled: list[float] = []
    whole: list[float] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd() / ".platforma") as name:
        pool = Path(name) / "pool"
        for number in range(rounds):
            sides = ((_erase, erased), (_dd, plain))
            for measure, seconds in sides if number % 2 else reversed(sides):
                _fill(pool)
                seconds.append(measure(pool))
            with _opened(pool) as device:
                sampled.append(_read(device, Assurance()))
                whole.append(_read(device, Assurance(confidence=1)))
    mib = SIZE >> 20
    return [
        _result("erasure of a full volume, against dd", plain, erased, mib, "at least 0.8"),
        _result("erasure with the default sample read back", erased, _sums(erased, sampled), mib, ""),
        _result("erasure with everything read back", erased, _sums(erased, whole), mib, ""),
    ]


def _result(name: str, baseline: list[float], seconds: list[float], mib: int, target: str) -> Result:
    ratios = [one / other for one, other in zip(baseline, seconds, strict=True)]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios * 3)
    return Result(
        name,
        mib / median(seconds),
        "MiB/s",
        mib / median(baseline),
        median(ratios),
        f"{low:.3f} to {high:.3f}",
        target,
    )


def _sums(first: list[float], second: list[float]) -> list[float]:
    return [one + other for one, other in zip(first, second, strict=True)]


def _fill(pool: Path) -> None:
    """Write something to every byte, and have it on the medium."""
    chunk = os.urandom(_CHUNK)
    with pool.open("wb", buffering=0) as file:
        for _ in range(SIZE // _CHUNK):
            file.write(chunk)
        os.fsync(file.fileno())


@contextmanager
def _opened(pool: Path) -> Iterator[BlockDevice]:
    extents = [[start, EXTENT] for start in range(0, SIZE, EXTENT)]
    device = LocalBlocks(pool.parent).open(Connection("", "local", {"device_path": str(pool), "extents": extents}))
    try:
        yield device
    finally:
        device.close()


def _erase(pool: Path) -> float:
    began = time.perf_counter()
    with _opened(pool) as device:
        position = 0
        while position < SIZE:
            position = overwrite(device, position)
    return time.perf_counter() - began


def _dd(pool: Path) -> float:
    began = time.perf_counter()
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={pool}", "bs=16M", f"count={SIZE // _CHUNK}", "conv=notrunc,fsync", "status=none"],
        check=True,
    )
    return time.perf_counter() - began


def _read(device: BlockDevice, assurance: Assurance) -> float:
    began = time.perf_counter()
    if read_back(device, Sample(SIZE, assurance.blocks_of(SIZE), "bench")) is not None:
        raise RuntimeError("The volume is not empty.")
    return time.perf_counter() - began
