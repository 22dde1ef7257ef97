"""The pool of the embedded Cinder: what one volume leaves, the next one gets, unless it was cleared."""

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devcloud.openstack.layout import SERVICES_PATH

SPECIFICATION = importlib.util.spec_from_file_location("pool", SERVICES_PATH / "devcloud_plugins" / "pool.py")
assert SPECIFICATION is not None
assert SPECIFICATION.loader is not None
MODULE = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(MODULE)

EXTENT = 1 << 16
PATTERN = b"what tenant A wrote "

MakePool = Callable[..., Any]


@pytest.fixture
def make_pool(tmp_path: Path) -> MakePool:
    """Return what opens the pool, each time as a process does that knows nothing of the last one."""
    return lambda **options: MODULE.Pool(tmp_path / "pool", **({"extent": EXTENT, "extents": 8} | options))


def content(pool: Any, owner: str) -> bytes:
    """Read all that an owner has."""
    with Path(pool.path).open("rb") as file:
        return b"".join(os.pread(file.fileno(), length, start) for start, length in pool.ranges(owner))


@pytest.mark.parametrize(("clear", "is_seen"), [("none", True), ("zero", False)])
def test_the_next_owner_sees_what_was_not_cleared(make_pool: MakePool, clear: str, *, is_seen: bool) -> None:
    pool = make_pool()
    pool.allocate("a", 2 * EXTENT)
    pool.write("a", EXTENT - 5, PATTERN)
    before = pool.ranges("a")
    pool.release("a", clear=clear)
    pool.allocate("b", 2 * EXTENT)
    assert pool.ranges("b") == before
    assert (PATTERN in content(pool, "b")) is is_seen


def test_what_was_freed_last_is_given_out_first(make_pool: MakePool) -> None:
    pool = make_pool()
    for owner in "abc":
        pool.allocate(owner, EXTENT)
    places = {owner: pool.ranges(owner) for owner in "abc"}
    pool.release("a", clear="none")
    pool.release("c", clear="none")
    pool.allocate("d", EXTENT)
    assert pool.ranges("d") == places["c"]
    pool.allocate("d", 2 * EXTENT)
    assert sorted(pool.ranges("d")) == sorted(places["c"] + places["a"])


def test_a_volume_keeps_its_bytes_while_it_grows_and_others_come_and_go(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.allocate("a", EXTENT)
    pool.write("a", 0, PATTERN)
    pool.allocate("b", EXTENT)
    pool.allocate("a", 2 * EXTENT + 1)
    pool.allocate("a", 2 * EXTENT + 1)
    assert sum(length for _, length in pool.ranges("a")) == 3 * EXTENT
    pool.release("b", clear="zero")
    assert content(pool, "a").startswith(PATTERN)
    assert make_pool().ranges("a") == pool.ranges("a")
    assert pool.owners() == {"a"}


def test_a_copy_leaves_nothing_of_what_was_there(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.allocate("old", EXTENT)
    pool.write("old", 100, PATTERN)
    pool.allocate("source", EXTENT)
    pool.release("old", clear="none")
    pool.allocate("target", EXTENT)
    assert PATTERN in content(pool, "target")
    pool.copy("source", "target")
    assert content(pool, "target") == bytes(EXTENT)


def test_a_full_pool_gives_nothing(make_pool: MakePool) -> None:
    pool = make_pool(extents=3)
    pool.allocate("a", 2 * EXTENT)
    with pytest.raises(MODULE.PoolFull):
        pool.allocate("b", 2 * EXTENT)
    assert pool.owners() == {"a"}
    pool.allocate("b", EXTENT)


def test_an_unknown_way_of_clearing_frees_nothing(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.allocate("a", EXTENT)
    with pytest.raises(ValueError, match="shred"):
        pool.release("a", clear="shred")
    assert pool.owners() == {"a"}
