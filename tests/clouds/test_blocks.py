"""Volumes that are extents of a file of this machine."""

from pathlib import Path

import pytest

from platforma.clouds.blocks import Connection, LocalBlocks
from platforma.clouds.errors import CloudAnswerInvalid, CloudConflict, CloudRefused

EXTENT = 1 << 20


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """A file of four extents, full of somebody's bytes."""
    path = tmp_path / "pool"
    path.write_bytes(b"\xaa" * EXTENT * 4)
    return path


def connection(path: Path, *extents: int, driver: str = "local") -> Connection:
    """Return what Cinder would say of a volume that has these extents."""
    places = [[number * EXTENT, EXTENT] for number in extents]
    return Connection("attachment", driver, {"device_path": str(path), "extents": places})


def test_what_is_zeroed_is_the_volume_and_nothing_beside_it(pool: Path, tmp_path: Path) -> None:
    device = LocalBlocks(tmp_path).open(connection(pool, 3, 1))
    assert device.size == 2 * EXTENT
    device.zero(0, device.size)
    device.flush()
    assert device.read(0, device.size) == bytes(2 * EXTENT)
    device.close()
    content = pool.read_bytes()
    for number, byte in enumerate((b"\xaa", b"\0", b"\xaa", b"\0")):
        assert content[number * EXTENT : (number + 1) * EXTENT] == byte * EXTENT


def test_reading_and_writing_across_extents(pool: Path, tmp_path: Path) -> None:
    device = LocalBlocks(tmp_path).open(connection(pool, 2, 0))
    device.write(EXTENT - 2, b"1234")
    assert device.read(EXTENT - 3, 6) == b"\xaa1234\xaa"
    device.close()
    content = pool.read_bytes()
    assert content[3 * EXTENT - 2 : 3 * EXTENT] == b"12"
    assert content[:2] == b"34"


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (EXTENT, 1), (0, EXTENT + 1)])
def test_what_is_outside_is_refused(pool: Path, tmp_path: Path, offset: int, length: int) -> None:
    device = LocalBlocks(tmp_path).open(connection(pool, 1))
    for act in (device.read, device.zero):
        with pytest.raises(ValueError, match="are not in a volume of"):
            act(offset, length)
    with pytest.raises(ValueError, match="are not in a volume of"):
        device.write(offset, bytes(length))
    device.close()
    assert pool.read_bytes() == b"\xaa" * EXTENT * 4


def test_a_volume_is_open_once(pool: Path, tmp_path: Path) -> None:
    blocks = LocalBlocks(tmp_path)
    first = blocks.open(connection(pool, 1))
    with pytest.raises(CloudConflict):
        blocks.open(connection(pool, 1))
    blocks.open(connection(pool, 2)).close()
    first.close()
    first.close()
    blocks.open(connection(pool, 1)).close()


def test_what_may_not_be_opened(pool: Path, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    link = tmp_path / "inner" / "link"
    link.symlink_to(pool)
    for blocks, wanted in (
        (LocalBlocks(), connection(pool, 1)),
        (LocalBlocks(tmp_path / "inner"), connection(pool, 1)),
        (LocalBlocks(tmp_path / "inner"), connection(tmp_path / "inner" / ".." / "pool", 1)),
        (LocalBlocks(tmp_path / "inner"), connection(link, 1)),
        (LocalBlocks(tmp_path), connection(pool, 1, driver="iscsi")),
        (LocalBlocks(tmp_path), connection(tmp_path / "missing", 1)),
    ):
        with pytest.raises(CloudRefused):
            blocks.open(wanted)
    with pytest.raises(CloudAnswerInvalid):
        LocalBlocks(tmp_path).open(Connection("a", "local", {"device_path": str(pool), "extents": [["x", 1]]}))


def test_a_hole_is_left_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "pool"
    with path.open("wb") as file:
        file.truncate(EXTENT * 64)
    device = LocalBlocks(tmp_path).open(connection(path, *range(64)))
    device.zero(0, device.size)
    device.flush()
    device.close()
    assert path.stat().st_blocks * 512 < EXTENT
