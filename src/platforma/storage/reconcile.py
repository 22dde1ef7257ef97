"""Volumes and their attachments, brought to what is desired.

An attachment counts only when Cinder and Nova both say that the volume is at the very server that was asked for, and
at no other: a volume that is anywhere else is taken away from there, and that is told aloud.
"""

import contextlib
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import structlog
from sqlalchemy import select

from platforma.clouds.openstack.errors import CloudConflict, CloudNotFound, CloudRefused
from platforma.clouds.openstack.protocol import VolumeCloud
from platforma.clouds.openstack.resources import CloudAttachment, CloudId, CloudVolume, Reference, VolumeSource
from platforma.compute.models import Image, Server
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.network.reconcile import describe
from platforma.operations.models import Resource
from platforma.operations.reconciling import Changes, Reconciler, Record, RowKey, Step, again, done, failed, gone
from platforma.storage.erasing import ErasureView, erase, release
from platforma.storage.erasure_models import Erasure, ErasureMethod, ErasureState
from platforma.storage.evidence import reach
from platforma.storage.models import Snapshot, Volume, VolumeAttachment
from platforma.storage.sampling import Assurance
from platforma.storage.service import request_erasure
from platforma.storage.types import find_type

logger = structlog.get_logger(__name__)

_SETTLED = ("available", "in-use")


@dataclass(frozen=True)
class AttachmentView:
    """The server that a volume should be at, or should leave."""

    id: UUID
    server_name: str
    server_cloud_id: CloudId | None
    is_detaching: bool
    status: str

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (VolumeAttachment, self.id)


@dataclass(frozen=True)
class VolumeView:
    """A volume: what is desired, and what was last seen."""

    id: UUID
    name: str
    description: str
    cloud_id: CloudId | None
    failed_cloud_id: CloudId | None
    is_deleting: bool
    size_gib: int
    observed_size_gib: int | None
    attachment: AttachmentView | None
    erasure: ErasureView | None
    model: type[Volume] | type[Snapshot] = Volume
    source: VolumeSource | None = None
    is_source_gone: bool = False
    volume_type: str | None = None

    @property
    def row(self) -> RowKey:
        """The row to write to."""
        return (self.model, self.id)

    @property
    def server_cloud_id(self) -> CloudId | None:
        """The one server that may have the volume."""
        if self.attachment is None or self.attachment.is_detaching:
            return None
        return self.attachment.server_cloud_id


class VolumeReconciler(Reconciler[VolumeView, VolumeCloud]):
    """A volume: made, extended, attached, detached, and erased before it is deleted."""

    kind: ClassVar[str] = "volume"
    model: ClassVar[type[Resource] | None] = Volume
    leaves_evidence: ClassVar[bool] = True

    def __init__(self, assurance: Assurance) -> None:
        self._assurance = assurance

    async def load(self, session: TenantSession, resource_id: UUID) -> VolumeView | None:
        """See Reconciler."""
        volume = await session.get(Volume, resource_id)
        if volume is None:
            return None
        rows: Any = await session.execute(
            select(VolumeAttachment, Server)
            .join(Server, Server.id == VolumeAttachment.server_id)
            .where(VolumeAttachment.volume_id == resource_id)
        )
        found = rows.one_or_none()
        erasure = await session.scalar(select(Erasure).where(Erasure.subject_id == resource_id))
        return VolumeView(
            volume.id,
            volume.name,
            volume.description,
            volume.cloud_id,
            volume.failed_cloud_id,
            volume.deletion_requested_at is not None,
            volume.size_gib,
            volume.observed_size_gib,
            None if found is None else _view_attachment(*found),
            None if erasure is None else ErasureView.of(erasure),
            source=(source := await _find_source(session, volume)),
            is_source_gone=volume.source_kind is not None and source is None,
            volume_type=getattr(await find_type(session, volume), "cloud_id", None),
        )

    def step(self, view: VolumeView, cloud: VolumeCloud) -> Step:
        """See Reconciler."""
        if view.is_deleting:
            return _delete(view, cloud, self._assurance)
        if view.cloud_id is None:
            return _make(view, cloud)
        try:
            volume = cloud.get_volume(view.cloud_id)
        except CloudNotFound:
            return _vanished(view)
        return (
            _wait(view, volume)
            or _take_away(view, volume, cloud)
            or _forget_attachment(view, volume, cloud)
            or _extend(view, volume, cloud)
            or _attach(view, volume, cloud)
            or _describe(view, volume, cloud)
        )


class SnapshotReconciler(VolumeReconciler):
    """A snapshot: in the cloud a volume of its own, which nothing is attached to."""

    kind: ClassVar[str] = "snapshot"
    model: ClassVar[type[Resource] | None] = Snapshot

    async def load(self, session: TenantSession, resource_id: UUID) -> VolumeView | None:
        """See Reconciler."""
        snapshot = await session.get(Snapshot, resource_id)
        if snapshot is None:
            return None
        erasure = await session.scalar(select(Erasure).where(Erasure.subject_id == resource_id))
        volume = await session.get(Volume, snapshot.volume_id)
        source = None if volume is None or volume.cloud_id is None else VolumeSource("volume", volume.cloud_id)
        return VolumeView(
            snapshot.id,
            snapshot.name,
            snapshot.description,
            snapshot.cloud_id,
            snapshot.failed_cloud_id,
            snapshot.deletion_requested_at is not None,
            snapshot.size_gib,
            snapshot.observed_size_gib,
            None,
            None if erasure is None else ErasureView.of(erasure),
            Snapshot,
            source,
            source is None,
            getattr(await find_type(session, snapshot), "cloud_id", None),
        )


async def _find_source(session: TenantSession, volume: Volume) -> VolumeSource | None:
    """Return what a volume shall be a copy of: the tenant's own, or an image that is offered to all."""
    if volume.source_kind == "image":
        image = await session.get(Image, volume.source_id)
        return None if image is None else VolumeSource("image", image.cloud_id)
    model = {"volume": Volume, "snapshot": Snapshot}.get(volume.source_kind or "")
    row = None if model is None else await session.get(model, volume.source_id)
    return None if row is None or row.cloud_id is None else VolumeSource("volume", row.cloud_id)


def _make(view: VolumeView, cloud: VolumeCloud) -> Step:
    if view.failed_cloud_id is not None:
        if not cloud.delete_volume(view.failed_cloud_id):
            return again(1, "Removing the volume that could not be made", progress=5)
        return again(
            0, "Removed the volume that could not be made", progress=10, changes={view.row: {"failed_cloud_id": None}}
        )
    if view.is_source_gone:
        return failed("What it should be a copy of is there no more. Delete it, and make it of something else.")
    description = describe(view.name, view.description)
    volume = cloud.ensure_volume(
        view.id, size_gib=view.size_gib, description=description, source=view.source, volume_type=view.volume_type
    )
    return again(0, "Asked for the volume", progress=30, changes={view.row: {"cloud_id": volume.cloud_id}})


def _delete(view: VolumeView, cloud: VolumeCloud, assurance: Assurance) -> Step:
    """Delete a volume; one that was ever there to be written to, only after it has been erased and read back."""
    erasure = view.erasure
    if erasure is None:
        return again(0, "Noted that the volume has to be erased", record=_request_erasure(view.row))
    volume = None
    if view.cloud_id is not None:
        with contextlib.suppress(CloudNotFound):
            volume = cloud.get_volume(view.cloud_id)
    is_used = view.observed_size_gib is not None
    if volume is not None:
        step = (
            _take_away(view, volume, cloud)
            or _fence(view, volume, cloud)
            or (erase(erasure, volume, cloud, assurance) if is_used else None)
        )
        if step is not None:
            return step
        if is_used:
            release(volume.cloud_id, cloud)
    elif is_used and erasure.method == ErasureMethod.PLATFORM and not erasure.may_be_deleted:
        logger.critical("volume went before it was erased", volume=view.id)
        return gone(deletions=_attachment_rows(view), record=reach(erasure.id, ErasureState.LOST))
    references: list[Reference] = [view.id, *(id_ for id_ in (view.cloud_id, view.failed_cloud_id) if id_)]
    if not all(cloud.delete_volume(reference) for reference in references):
        return again(1, "Waiting for the volume to go", progress=95)
    result = {} if is_used else {"result": "It was never made, and so never written to."}
    return gone(deletions=_attachment_rows(view), record=reach(erasure.id, ErasureState.RELEASED, **result))


def _fence(view: VolumeView, volume: CloudVolume, cloud: VolumeCloud) -> Step | None:
    """Keep the space of a volume that a server holds without Cinder's knowledge: it would read what comes next."""
    if view.erasure is not None and view.erasure.state not in (ErasureState.REQUESTED, ErasureState.VERIFIED):
        return None  # seen before the first byte is overwritten, and again before the space is given back
    holders = cloud.list_holders(volume.cloud_id)
    for holder in holders:
        logger.critical("a server holds a volume that Cinder takes for free", volume=view.id, server=holder)
        with contextlib.suppress(CloudRefused, CloudConflict):
            cloud.sever_volume(holder, volume.cloud_id)
    if not holders:
        return None
    return failed(
        "A server still holds the volume, though the cloud takes it for detached. It was not given back, and is being "
        "taken away from that server. Try again; if it happens again, tell your provider."
    )


def _attachment_rows(view: VolumeView) -> list[RowKey]:
    return [view.attachment.row] if view.attachment else []


def _request_erasure(key: RowKey) -> Record:
    """Return what writes down that something has to be erased, where nobody has asked for it by a request."""

    async def record(session: WriteSession) -> None:
        model, id_ = key
        subject = await session.get(model, id_)
        if isinstance(subject, Volume | Snapshot):
            await request_erasure(session, subject, "platforma")

    return record


def _vanished(view: VolumeView) -> Step:
    """A volume that has held data is never replaced by an empty one."""
    if view.observed_size_gib is None:
        return again(0, "The volume went before it was ready; making it anew", changes={view.row: {"cloud_id": None}})
    return failed("The volume is no longer in the cloud: it was deleted there. Delete it here too.")


def _wait(view: VolumeView, volume: CloudVolume) -> Step | None:
    if volume.status == "error" and view.observed_size_gib is None:
        return failed(
            "The cloud could not make the volume. Try again; if it happens again, ask your provider.",
            {view.row: {"cloud_id": None, "failed_cloud_id": volume.cloud_id}},
        )
    if volume.status.startswith("error"):
        return failed(f"The cloud reports that the volume is in the state {volume.status}. Ask your provider.")
    if volume.status not in _SETTLED:
        return again(1, f"The volume is {volume.status}", progress=60)
    return None


def _take_away(view: VolumeView, volume: CloudVolume, cloud: VolumeCloud) -> Step | None:
    """Detach the volume from every server that should not have it."""
    strays = [each for each in volume.attachments if each.server_cloud_id != view.server_cloud_id]
    if not strays:
        return None
    if volume.status == "detaching":
        return again(1, "The volume is being detached", progress=60)
    leaving = view.attachment.server_cloud_id if view.attachment else None
    for stray in strays:
        if stray.server_cloud_id != leaving:
            logger.error("volume is at a server where it should not be", volume=view.id, server=stray.server_cloud_id)
        try:
            cloud.detach_volume(stray.server_cloud_id, volume.cloud_id)
        except CloudNotFound:
            return _held_elsewhere(view, stray)
    if view.server_cloud_id is None:
        return again(1, "Detaching the volume", progress=50)
    return failed(
        "The cloud had the volume at another server than the one you chose. It is being detached from there. "
        "Tell your provider, and attach it again later.",
        _attachment_status(view, "pending"),
    )


def _held_elsewhere(view: VolumeView, stray: CloudAttachment) -> Step:
    logger.critical("volume is held by a server that is not the project's", volume=view.id, server=stray)
    return failed("The cloud shows the volume at a server that is not there. Tell your provider before you use it.")


def _forget_attachment(view: VolumeView, volume: CloudVolume, cloud: VolumeCloud) -> Step | None:
    """Forget an attachment that should end, once Cinder and Nova have."""
    attachment = view.attachment
    if attachment is None or not attachment.is_detaching:
        return None
    if attachment.server_cloud_id is not None and _nova_has(attachment.server_cloud_id, volume, cloud):
        return again(1, f"Waiting for server {attachment.server_name} to let the volume go", progress=80)
    return again(0, "Detached the volume", progress=90, deletions=[attachment.row])


def _extend(view: VolumeView, volume: CloudVolume, cloud: VolumeCloud) -> Step | None:
    if volume.size_gib >= view.size_gib:
        return None
    try:
        cloud.extend_volume(volume.cloud_id, size_gib=view.size_gib)
    except CloudRefused as error:
        advice = " Detach it, and try again." if volume.status == "in-use" else ""
        return failed(f"The cloud does not extend the volume as it is now.{advice} {error}")
    return again(1, f"Extending the volume to {view.size_gib} GiB", progress=50)


def _attach(view: VolumeView, volume: CloudVolume, cloud: VolumeCloud) -> Step | None:
    """Attach the volume, or see that it is attached."""
    attachment = view.attachment
    if attachment is None or attachment.server_cloud_id is None:
        return None
    mine = next((each for each in volume.attachments if each.server_cloud_id == attachment.server_cloud_id), None)
    if mine is None:
        if attachment.status == "attaching":
            return failed(
                f"The cloud could not attach the volume to server {attachment.server_name}. Try again.",
                _attachment_status(view, "pending"),
            )
        cloud.attach_volume(attachment.server_cloud_id, volume.cloud_id)
        return again(1, "Attaching the volume", progress=50, changes=_attachment_status(view, "attaching"))
    if not _nova_has(attachment.server_cloud_id, volume, cloud):
        logger.error("Nova does not know of an attachment that Cinder reports", volume=view.id)
        cloud.detach_volume(attachment.server_cloud_id, volume.cloud_id)
        return failed(
            f"The cloud disagrees with itself about whether server {attachment.server_name} has the volume. It is "
            "being detached. Tell your provider, and attach it again later.",
            _attachment_status(view, "pending"),
        )
    seen = {"status": "attached", "device": mine.device, "cloud_id": mine.attachment_id}
    if attachment.status != "attached":
        return again(0, "Attached the volume", progress=90, changes={attachment.row: seen})
    return None


def _describe(view: VolumeView, volume: CloudVolume, cloud: VolumeCloud) -> Step:
    cloud.ensure_volume(view.id, size_gib=view.size_gib, description=describe(view.name, view.description))
    return done({view.row: {"observed_size_gib": volume.size_gib}})


def _nova_has(server_cloud_id: CloudId, volume: CloudVolume, cloud: VolumeCloud) -> bool:
    try:
        return volume.cloud_id in cloud.list_server_volumes(server_cloud_id)
    except CloudNotFound:
        return False


def _attachment_status(view: VolumeView, status: str) -> Changes:
    return {view.attachment.row: {"status": status}} if view.attachment else {}


def _view_attachment(attachment: VolumeAttachment, server: Server) -> AttachmentView:
    is_ending = attachment.detach_requested_at is not None or server.deletion_requested_at is not None
    return AttachmentView(attachment.id, server.name, server.cloud_id, is_ending, attachment.status)
