"""What is asked of whatever brings a volume's blocks to this machine. Errors are `CloudError`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Connection:
    """How a back end says that a volume is reached: Cinder's `connection_info` of an attachment."""

    attachment_id: str
    driver: str
    """As Cinder's `driver_volume_type`: `iscsi`, `rbd`, `local`, ..."""
    data: Mapping[str, Any]


class BlockDevice(Protocol):
    """A volume that is open, for one process at a time. Offsets and lengths are in bytes."""

    @property
    def size(self) -> int:
        """How large it is."""

    @property
    def place(self) -> str | None:
        """Where its bytes are on the medium, the same for two volumes that have the same space; None if not known."""

    def read(self, offset: int, length: int) -> bytes:
        """Return what is there, from the medium and no cache of this machine."""

    def write(self, offset: int, content: bytes) -> None:
        """Write."""

    def zero(self, offset: int, length: int) -> None:
        """Have the range read as zeroes. What does already may be left alone."""

    def flush(self) -> None:
        """Have everything on the medium that was written."""

    def close(self) -> None:
        """Let go of it. May be called again."""


class Blocks(Protocol):
    """Where volumes are opened."""

    def connector(self) -> Mapping[str, Any]:
        """Return how this machine presents itself to a back end, as Nova's hosts do."""

    def open(self, connection: Connection) -> BlockDevice:
        """Open a volume. Raises CloudRefused for what this machine cannot open, CloudConflict while it is open."""
