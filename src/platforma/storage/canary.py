"""Canaries: what one project writes and deletes, and what the next one that gets the space can read.

Two projects of Platforma's own. One writes a pattern to a volume, erases it as Platforma does, or not at all, and
deletes it. The other makes volumes until one has the same space, and looks. A canary that never gets the space back has
shown nothing, and says so.
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4, uuid5

from platforma.clouds.blocks.protocol import BlockDevice
from platforma.clouds.openstack.errors import CloudConflict, CloudUnavailable
from platforma.clouds.openstack.protocol import Clouds, ProjectCloud
from platforma.clouds.openstack.resources import AdministratorCredential, CloudId, OpenStackSettings
from platforma.storage.erasing import overwrite, read_back
from platforma.storage.sampling import Assurance, Sample

_PROJECTS = UUID("5d6f2a6e-7c0e-4f6b-9d0b-1f1d0c7a5e01")
_VOLUMES_AT_MOST = 8
_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.2
_PATTERN = 4096


@dataclass(frozen=True)
class Verdict:
    """What a canary of one volume type has shown."""

    volume_type: str
    is_clean: bool
    words: str
    has_shown: bool = True
    """Whether it has shown anything: space that did not come back shows neither."""


@dataclass(frozen=True)
class CanaryFlight:
    """Canaries of every volume type of a cloud."""

    first: ProjectCloud
    second: ProjectCloud
    volume_types: tuple[str, ...]
    assurance: Assurance

    @classmethod
    def of(
        cls,
        clouds: Clouds,
        where: OpenStackSettings,
        administrator: AdministratorCredential,
        assurance: Assurance,
    ) -> "CanaryFlight":
        """Have the two projects, and open them. Raises CloudError."""
        administration = clouds.open_administration(where, administrator)
        opened = []
        for name in ("first", "second"):
            tenant_id = uuid5(_PROJECTS, name)
            project_id = administration.ensure_project(tenant_id, description="Canaries of Platforma")
            user_id = administration.ensure_user(tenant_id, project_id)
            opened.append(clouds.open_project(where, administration.create_credential(project_id, user_id)))
        return cls(opened[0], opened[1], tuple(each.name for each in administration.list_volume_types()), assurance)

    def fly(self, *, is_erased: bool = True) -> Iterator[Verdict]:
        """Send one through each type, erased by Platforma or left to the back end. Raises CloudError."""
        for volume_type in self.volume_types:
            yield self.send(volume_type, is_erased=is_erased)

    def send(self, volume_type: str, *, is_erased: bool) -> Verdict:
        """Send one through a type. Leaves no volume behind, unless the cloud does not delete it in time."""
        mine, theirs = uuid4(), [uuid4() for _ in range(_VOLUMES_AT_MOST)]
        pattern = secrets.token_bytes(_PATTERN)
        try:
            place, wrong = self._write(mine, volume_type, pattern, is_erased=is_erased)
            if wrong is not None:
                return Verdict(volume_type, False, f"It was overwritten, and still held something at byte {wrong}.")
            _delete(self.first, mine)
            for id_ in theirs:
                found = self._look(id_, volume_type, place, pattern)
                if found is not None:
                    return found
            words = f"The space did not come back within {_VOLUMES_AT_MOST} volumes: nothing was shown."
            return Verdict(volume_type, False, words, has_shown=False)
        finally:
            _delete(self.first, mine)
            for id_ in theirs:
                _delete(self.second, id_)

    def _write(self, id_: UUID, volume_type: str, pattern: bytes, *, is_erased: bool) -> tuple[str | None, int | None]:
        """Write the pattern and erase it; return where it was, and where reading back has found something."""
        cloud_id = _make(self.first, id_, volume_type)
        device = self.first.open_volume(cloud_id)
        try:
            for offset in _offsets(device):
                device.write(offset, pattern)
            device.flush()
            position, wrong = 0, None
            while is_erased and position < device.size:
                position = overwrite(device, position)
            if is_erased:
                sample = Sample(device.size, self.assurance.blocks_of(device.size), secrets.token_hex(16))
                wrong = read_back(device, sample)
            return device.place, wrong
        finally:
            device.close()
            self.first.release_volume(cloud_id)

    def _look(self, id_: UUID, volume_type: str, place: str | None, pattern: bytes) -> Verdict | None:
        """Return what the other project sees, or None if its volume is elsewhere."""
        cloud_id = _make(self.second, id_, volume_type)
        device = self.second.open_volume(cloud_id)
        try:
            if place is None or device.place != place:
                return None
            seen = sum(device.read(offset, _PATTERN) == pattern for offset in _offsets(device))
        finally:
            device.close()
            self.second.release_volume(cloud_id)
        if seen:
            return Verdict(volume_type, False, f"The next project has read what the last one wrote, at {seen} places.")
        return Verdict(volume_type, True, "The next project has got the same space, and read nothing of the last one.")


def _offsets(device: BlockDevice) -> tuple[int, ...]:
    """Return where the pattern goes: the beginning, the end, and in between."""
    return (0, device.size // 3 // _PATTERN * _PATTERN, device.size - _PATTERN)


def _make(cloud: ProjectCloud, id_: UUID, volume_type: str) -> CloudId:
    deadline = time.monotonic() + _WAIT_SECONDS
    made = cloud.ensure_volume(id_, size_gib=1, description="A canary", volume_type=volume_type)
    while made.status != "available":
        if made.status.startswith("error") or time.monotonic() > deadline:
            raise CloudUnavailable(f"A volume of the type {volume_type} is {made.status}.")
        time.sleep(_POLL_SECONDS)
        made = cloud.get_volume(made.cloud_id)
    return made.cloud_id


def _delete(cloud: ProjectCloud, id_: UUID) -> None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            if cloud.delete_volume(id_):
                return
        except CloudConflict:
            pass
        time.sleep(_POLL_SECONDS)
