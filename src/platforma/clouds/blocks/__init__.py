"""The bytes of a volume, where this machine can reach them: what erases and reads back works on these."""

from platforma.clouds.blocks.local import LocalBlocks
from platforma.clouds.blocks.protocol import BlockDevice, Blocks, Connection

__all__ = ["BlockDevice", "Blocks", "Connection", "LocalBlocks"]
