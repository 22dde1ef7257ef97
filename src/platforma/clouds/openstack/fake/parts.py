"""What the parts of the fake project share: to find, to have and to delete by our id or the cloud's."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from platforma.clouds.openstack.errors import CloudCredentialInvalid, CloudNotFound
from platforma.clouds.openstack.fake.state import FakeObject, FakeState
from platforma.clouds.openstack.resources import CloudId, CloudKind, ProjectCredential, Reference, cloud_name


class FakeProjectPart:
    """The project behind one credential."""

    def __init__(
        self, state: FakeState, credential: ProjectCredential, accepted: Mapping[str, ProjectCredential]
    ) -> None:
        self.state = state
        self._credential = credential
        self._accepted = accepted

    @property
    def project_id(self) -> str:
        return self._credential.project_id

    def check_credential(self) -> None:
        """Raise CloudCredentialInvalid if the credential has been deleted since."""
        if self._accepted.get(self._credential.credential_id) != self._credential:
            raise CloudCredentialInvalid

    def _list(self, kind: CloudKind) -> list[FakeObject]:
        return [item for item in self.state.list(kind, self.project_id) if self.state.look(item)]

    def _get(self, kind: CloudKind, cloud_id: CloudId) -> FakeObject:
        item = self.state.get(kind, self.project_id, cloud_id)
        if not self.state.look(item):
            raise CloudNotFound
        return item

    def _ensure(
        self, kind: CloudKind, id_: UUID, *, status: str | None = "ACTIVE", **attributes: Any
    ) -> tuple[FakeObject, bool]:
        """Return the object with our name, and whether it was made just now. The oldest of several is kept."""
        found = [item for item in self._list(kind) if item.name == cloud_name(id_)]
        for double in found[1:]:
            self.state.remove(double)
        if found:
            return found[0], False
        return self.state.add(kind, self.project_id, cloud_name(id_), status=status, **attributes), True

    def _delete(self, kind: CloudKind, reference: Reference, delete: Callable[[FakeObject], None]) -> bool:
        """Delete each object that is meant, and say whether all are gone."""
        meant = [item for item in self._list(kind) if reference_fits(reference, item)]
        for item in meant:
            delete(item)
        return not any(item.cloud_id in self.state.objects for item in meant)

    def _held_by(self, server: FakeObject) -> set[CloudId]:
        """Return what Nova says: `held` are volumes that it alone knows of."""
        return set(server.attributes.get("held", ())) | {
            volume.cloud_id
            for volume in self._list(CloudKind.VOLUME)
            if volume.status != "available"
            and any(each.server_cloud_id == server.cloud_id for each in volume.attributes["attachments"])
        }


def reference_fits(reference: Reference, item: FakeObject) -> bool:
    """Say whether this is the object that is meant."""
    return item.name == cloud_name(reference) if isinstance(reference, UUID) else item.cloud_id == reference
