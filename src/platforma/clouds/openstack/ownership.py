"""What the parts of a project share: they find objects by our name or read them by id, and only the project's own."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

import structlog

from platforma.clouds.openstack.connection import Opened
from platforma.clouds.openstack.errors import CloudAnswerInvalid, CloudForeignObject, CloudNotFound
from platforma.clouds.openstack.kinds import Kind
from platforma.clouds.openstack.resources import CloudId, CloudKind, Reference, cloud_name
from platforma.clouds.openstack.translation import at_border

logger = structlog.get_logger(__name__)


class ProjectPart:
    """A part of the tenant's project.

    Each object that an answer brings passes `_owns` before anything is done with it. So even a cloud that shows or
    hands out what belongs to others moves nothing of theirs.
    """

    def __init__(self, opened: Opened, forget: Callable[[], None]) -> None:
        self.forget = forget
        self._opened = opened
        self._connection = opened.connection

    @property
    def project_id(self) -> str:
        """The project that everything here is in."""
        return self._opened.project_id

    def _owns(self, kind: Kind, item: Any) -> bool:
        """Say whether an object is the project's own; a foreign one is logged, for it should never be seen."""
        owner = kind.owner(item)
        is_own = owner == (self._opened.user_id if kind.kind is CloudKind.KEY_PAIR else self.project_id)
        if kind.kind is CloudKind.KEY_PAIR and owner is None:
            return True  # Nova lists the caller's key pairs only, and does not say so of each
        if not is_own:
            logger.error("openstack.foreign_object", kind=kind.kind, cloud_id=item.id, project_id=self.project_id)
        return is_own

    def _list(self, kind: Kind, **filters: Any) -> list[Any]:
        return [
            item
            for item in kind.list_of_project(self._connection, self.project_id, **filters)
            if self._owns(kind, item)
        ]

    def _accept(self, kind: Kind, item: Any) -> Any:
        """Return an object that an answer brought; raises CloudForeignObject if it is another project's."""
        if not self._owns(kind, item):
            raise CloudForeignObject
        return item

    @at_border
    def _read(self, kind: Kind, cloud_id: CloudId) -> Any:
        """Return one object; raises CloudNotFound, also if it is another project's."""
        item = kind.read(self._connection, cloud_id)
        if item.id != cloud_id:
            raise CloudAnswerInvalid("It is about another object.")
        return self._accept(kind, item)

    def _find(self, kind: Kind, id_: UUID) -> Any | None:
        """Return the object that bears our name, or None.

        There are several if an answer was lost and the object made again: the oldest stays, the others go.
        """
        found = self._named(kind, id_)
        for double in found[1:]:
            logger.warning("openstack.double_deleted", kind=kind.kind, cloud_id=double.id)
            kind.delete(self._connection, double.id)
        return found[0] if found else None

    def _named(self, kind: Kind, id_: UUID) -> list[Any]:
        name = cloud_name(id_)
        found = [item for item in self._list(kind, name=name) if kind.name(item) == name]
        return sorted(found, key=lambda item: (item.created_at or "", item.id))

    def _require_own(self, kind: Kind, cloud_ids: Collection[CloudId]) -> None:
        """Raise CloudNotFound unless all these objects are the project's own. One request, however many they are."""
        if cloud_ids and not set(cloud_ids) <= {item.id for item in self._list(kind)}:
            raise CloudNotFound

    def _delete(self, kind: Kind, reference: Reference, delete: Callable[[Any], bool] | None = None) -> bool:
        """Delete what is meant, and say whether all of it is gone. `delete` says so of one object."""
        if isinstance(reference, UUID):
            meant = self._named(kind, reference)
        else:
            try:
                meant = [self._read(kind, reference)]
            except CloudNotFound:
                meant = []
        gone = [delete(item) if delete else self._delete_at_once(kind, item) for item in meant]
        return all(gone)

    def _delete_at_once(self, kind: Kind, item: Any) -> bool:
        kind.delete(self._connection, item.id)
        return True
