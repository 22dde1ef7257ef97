"""The state machine of an erasure: requested, detached, erased, verified, released.

Each step takes a volume one state further, or a part of the way: what has been overwritten and flushed is recorded, and
a worker that comes after one that died goes on from there. The cloud may delete a volume only when it is verified.
"""

import secrets
import time
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog

from platforma.clouds.blocks.protocol import BlockDevice
from platforma.clouds.openstack.errors import CloudConflict, CloudNotFound
from platforma.clouds.openstack.protocol import VolumeCloud
from platforma.clouds.openstack.resources import CloudId, CloudVolume
from platforma.operations.reconciling import RowKey, Step, again, failed
from platforma.storage.erasure_models import Erasure, ErasureMethod, ErasureState
from platforma.storage.evidence import reach
from platforma.storage.sampling import BLOCK, Assurance, Sample

logger = structlog.get_logger(__name__)

CHUNK = 16 << 20
BUDGET_SECONDS = 3.0
"""So long a step overwrites before it records how far it has come: what a crash may cost."""
TRIES = 3
"""So often a volume is overwritten, if reading back finds something, before a person has to look."""
_ZEROES = bytes(BLOCK)
_GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class ErasureView:
    """An erasure: what was last recorded of it."""

    id: UUID
    state: str
    method: str
    position: int
    attempts: int

    @classmethod
    def of(cls, row: Erasure) -> "ErasureView":
        """Return what the steps need of a row."""
        return cls(row.id, row.state, row.method, row.position, row.attempts)

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (Erasure, self.id)

    @property
    def may_be_deleted(self) -> bool:
        """Whether the cloud may have the space back."""
        return self.state in (ErasureState.VERIFIED, ErasureState.RELEASED)


def erase(erasure: ErasureView, volume: CloudVolume, cloud: VolumeCloud, assurance: Assurance) -> Step | None:
    """Take the next step towards `verified`, or return None when the cloud may delete the volume.

    The volume is in the cloud and at no server.
    """
    if erasure.state == ErasureState.REQUESTED:
        return again(
            0,
            "Detached the volume",
            progress=5,
            changes={erasure.row: {"size_gib": volume.size_gib, "cloud_id": volume.cloud_id, **_method(assurance)}},
            record=reach(erasure.id, ErasureState.DETACHED),
        )
    if erasure.may_be_deleted or erasure.method == ErasureMethod.BACKEND:
        return None
    device = cloud.open_volume(volume.cloud_id)
    try:
        if device.size < volume.size_gib * _GIBIBYTE:
            return failed("The volume is smaller than the cloud says, and was not erased. Tell your provider.")
        if erasure.state == ErasureState.DETACHED:
            return _overwrite(erasure, device)
        return _verify(erasure, device, assurance)
    finally:
        device.close()


def _method(assurance: Assurance) -> dict[str, Any]:
    return {"method": ErasureMethod.BACKEND} if assurance.backend_clears else {}


def overwrite(device: BlockDevice, position: int) -> int:
    """Overwrite from a position on, for a while, and flush; return how far it has come."""
    end = time.monotonic() + BUDGET_SECONDS
    while position < device.size and time.monotonic() < end:
        length = min(CHUNK, device.size - position)
        device.zero(position, length)
        position += length
    device.flush()
    return position


def _overwrite(erasure: ErasureView, device: BlockDevice) -> Step:
    position = overwrite(device, erasure.position)
    done = position / device.size
    changes: dict[RowKey, dict[str, Any]] = {erasure.row: {"position": position}}
    if position < device.size:
        words = f"Overwrote {position / _GIBIBYTE:.1f} of {device.size / _GIBIBYTE:.0f} GiB"
        return again(0, words, progress=5 + int(75 * done), changes=changes)
    record = reach(erasure.id, ErasureState.ERASED, bytes_overwritten=position)
    return again(0, "Overwrote the volume", progress=80, changes=changes, record=record)


def _verify(erasure: ErasureView, device: BlockDevice, assurance: Assurance) -> Step:
    sample = Sample(device.size, assurance.blocks_of(device.size), secrets.token_hex(16))
    wrong = read_back(device, sample)
    result: dict[str, Any] = {
        "sample": {
            "block_bytes": BLOCK,
            "blocks": sample.blocks,
            "drawn": sample.drawn,
            "read": len(sample.numbers()),
            "seed": sample.seed,
            "confidence": assurance.confidence,
            "share": assurance.share,
        },
        "result": "zeroes" if wrong is None else f"something is left at byte {wrong}",
    }
    if wrong is None:
        return again(
            0,
            "Read the volume back: it is empty",
            progress=90,
            record=reach(erasure.id, ErasureState.VERIFIED, **result),
        )
    logger.critical("erased volume is not empty", erasure=erasure.id, at=wrong)
    changes: dict[RowKey, dict[str, Any]] = {erasure.row: {"position": 0, "attempts": erasure.attempts + 1}}
    step = again(0, "Something was left: overwriting the volume again", progress=5, changes=changes)
    if erasure.attempts + 1 >= TRIES:
        words = "The volume was overwritten, and still holds something. It was not given back. Tell your provider."
        step = failed(words, changes)
    return replace(step, record=reach(erasure.id, ErasureState.DETACHED, event="failed", **result))


def read_back(device: BlockDevice, sample: Sample) -> int | None:
    """Return where the first block of the sample begins that is not all zeroes, or None."""
    for offset, length in sample.ranges():
        if device.read(offset, length) != _ZEROES[:length]:
            return offset
    return None


def release(cloud_id: CloudId, cloud: VolumeCloud) -> None:
    """Let go of a volume that is verified, as far as this machine has it. Safe to repeat."""
    try:
        cloud.release_volume(cloud_id)
    except CloudNotFound:
        return
    except CloudConflict:
        logger.info("volume is still held", volume=cloud_id)
