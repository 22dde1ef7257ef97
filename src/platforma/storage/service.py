"""Volumes: what members may do with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import list_page, resource_filters
from platforma.authentication.principals import Principal
from platforma.compute.catalogue import get_image
from platforma.compute.models import Server
from platforma.compute.power import require_made
from platforma.database.tenant_session import ReadSession, TenantSession, WriteSession
from platforma.kit.ids import new_id
from platforma.network.service import apply_changes
from platforma.operations.models import Operation, ResourceStatus
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation, resource_kind
from platforma.storage.erasure_models import Erasure
from platforma.storage.errors import Attached, BeingCopied, NotAttached, TooSmall, VolumeNotMade
from platforma.storage.evidence import write_record
from platforma.storage.models import Snapshot, Volume, VolumeAttachment
from platforma.storage.schemas import VolumeAttach, VolumeChange, VolumeCreate, VolumeExtend, VolumeQuery
from platforma.storage.types import choose_type, find_method
from platforma.tenants.quotas import check_quota

_SORTABLE = {
    "created_at": Volume.created_at,
    "name": Volume.name,
    "status": Volume.status,
    "size_gib": Volume.size_gib,
}
_ATTACHABLE = (ResourceStatus.ACTIVE, ResourceStatus.UPDATING)


@dataclass(frozen=True)
class VolumeDetails:
    """A volume, and the server that it is or will be attached to."""

    volume: Volume
    attachment: VolumeAttachment | None
    server: Server | None


async def list_volumes(session: ReadSession, query: VolumeQuery) -> tuple[list[VolumeDetails], str | None]:
    """Return a page of volumes with their attachments."""
    where = resource_filters(query, Volume)
    if query.server_id is not None:
        at_server = select(VolumeAttachment.volume_id).where(VolumeAttachment.server_id == query.server_id)
        where.append(Volume.id.in_(at_server))
    rows, cursor = await list_page(session, Volume, query, sortable=_SORTABLE, where=where)
    return await describe_volumes(session, rows), cursor


async def get_volume(session: TenantSession, volume_id: UUID) -> VolumeDetails:
    """Return a volume with its attachment; raises NotFound."""
    return (await describe_volumes(session, [await get_resource(session, Volume, volume_id)]))[0]


async def describe_volumes(session: TenantSession, volumes: Sequence[Volume]) -> list[VolumeDetails]:
    """Return volumes with their attachments, in their order."""
    if not volumes:
        return []
    rows = await session.execute(
        select(VolumeAttachment, Server)
        .join(Server, Server.id == VolumeAttachment.server_id)
        .where(VolumeAttachment.volume_id.in_([volume.id for volume in volumes]))
    )
    found = {attachment.volume_id: (attachment, server) for attachment, server in rows}
    return [VolumeDetails(volume, *found.get(volume.id, (None, None))) for volume in volumes]


async def create_volume(
    session: WriteSession, principal: Principal, body: VolumeCreate
) -> tuple[VolumeDetails, Operation]:
    """Wish for a volume. Raises NotFound for a source that is not the tenant's, or a type that is not offered.

    TooSmall if it does not fit.
    """
    await check_quota(session, "volumes", func.count(), Volume, 1)
    await check_quota(session, "volume_gib", func.sum(Volume.size_gib), Volume, body.size_gib)
    source = await _check_source(session, body)
    volume = Volume(
        name=body.name,
        description=body.description,
        size_gib=body.size_gib,
        volume_type_id=await choose_type(session, body.volume_type_id) or source.volume_type_id,
        source_kind=source.kind,
        source_id=source.id,
    )
    session.add(volume)
    operation = await request_operation(session, action="volume.create", resource=volume, requested_by=principal.email)
    return VolumeDetails(volume, None, None), operation


async def change_volume(
    session: WriteSession, principal: Principal, volume_id: UUID, body: VolumeChange
) -> tuple[VolumeDetails, Operation]:
    """Rename a volume or describe it anew."""
    volume = await get_resource(session, Volume, volume_id, for_change=True)
    apply_changes(volume, body.model_dump(exclude_unset=True))
    return await _request(session, principal, volume, "volume.change")


async def delete_volume(
    session: WriteSession, principal: Principal, volume_id: UUID
) -> tuple[VolumeDetails, Operation]:
    """Wish a volume away, with all that is on it: it is erased first. Raises Attached while a server has it."""
    volume = await get_resource(session, Volume, volume_id, for_change=True)
    details = (await describe_volumes(session, [volume]))[0]
    if details.server is not None:
        raise Attached(f"Volume {volume.name} is attached to server {details.server.name}. Detach it first.")
    await refuse_while_copied(session, volume)
    await request_erasure(session, volume, principal.email)
    return details, await delete_resource(session, volume, "volume.delete", principal.email)


@dataclass(frozen=True)
class _Source:
    """What a volume is a copy of, and the type that a copy has if no other is chosen."""

    kind: str | None = None
    id: UUID | None = None
    volume_type_id: UUID | None = None


async def _check_source(session: WriteSession, body: VolumeCreate) -> _Source:
    """Return what a volume shall be a copy of, after seeing that it is there and fits."""
    if body.image_id is not None:
        image = await get_image(session, body.image_id)
        _require_room(body.size_gib, max(image.minimum_disk_gib, 1), image.name)
        return _Source("image", image.id)
    if body.snapshot_id is not None:
        snapshot = await get_resource(session, Snapshot, body.snapshot_id, for_change=True)
        if snapshot.observed_size_gib is None:
            raise VolumeNotMade(f"Snapshot {snapshot.name} is not made yet.")
        _require_room(body.size_gib, snapshot.size_gib, snapshot.name)
        return _Source("snapshot", snapshot.id, snapshot.volume_type_id)
    if body.source_volume_id is not None:
        volume = await get_made_volume(session, body.source_volume_id)
        _require_room(body.size_gib, volume.size_gib, volume.name)
        return _Source("volume", volume.id, volume.volume_type_id)
    return _Source()


def _require_room(size_gib: int, needed_gib: int, name: str) -> None:
    if size_gib < needed_gib:
        raise TooSmall(f"A copy of {name} needs {needed_gib} GiB.")


async def refuse_while_copied(session: WriteSession, row: Volume | Snapshot) -> None:
    """Raise BeingCopied while something is made of it: erasing it would put zeroes into the copy."""
    copies = select(Volume.name).where(Volume.source_id == row.id, Volume.observed_size_gib.is_(None))
    snapshots = select(Snapshot.name).where(Snapshot.volume_id == row.id, Snapshot.observed_size_gib.is_(None))
    for statement in (copies, snapshots):
        name = await session.scalar(statement.limit(1))
        if name is not None:
            raise BeingCopied(f"{name} is being made of {row.name}. Wait until it is active, or delete it before.")


async def request_erasure(session: WriteSession, subject: Volume | Snapshot, requested_by: str) -> None:
    """Write down, once, that a volume or snapshot has to be erased, by the method that is proven for its type."""
    if await session.scalar(select(Erasure.id).where(Erasure.subject_id == subject.id)) is not None:
        return
    erasure = Erasure(
        id=new_id(),
        subject_kind=resource_kind(type(subject)),
        subject_id=subject.id,
        name=subject.name,
        cloud_id=subject.cloud_id,
        size_gib=subject.observed_size_gib or subject.size_gib,
        method=await find_method(session, subject.volume_type_id),
        requested_by=requested_by,
    )
    session.add(erasure)
    write_record(session, erasure, "requested", requested_by)
    await session.flush()


async def extend_volume(
    session: WriteSession, principal: Principal, volume_id: UUID, body: VolumeExtend
) -> tuple[VolumeDetails, Operation]:
    """Wish for a larger volume. Raises TooSmall for a size that is not larger."""
    volume = await get_made_volume(session, volume_id)
    if body.size_gib <= volume.size_gib:
        raise TooSmall(f"Volume {volume.name} has {volume.size_gib} GiB. Ask for more than that.")
    await check_quota(session, "volume_gib", func.sum(Volume.size_gib), Volume, body.size_gib - volume.size_gib)
    volume.size_gib = body.size_gib
    return await _request(session, principal, volume, "volume.extend")


async def attach_volume(
    session: WriteSession, principal: Principal, volume_id: UUID, body: VolumeAttach
) -> tuple[VolumeDetails, Operation]:
    """Wish a volume to a server of the same tenant. Raises NotFound for either, Attached if a server has it."""
    volume = await get_made_volume(session, volume_id)
    server = await get_resource(session, Server, body.server_id, for_change=True)
    present = (await describe_volumes(session, [volume]))[0].server
    if present is not None:
        raise Attached(f"Volume {volume.name} is attached to server {present.name} already. Detach it first.")
    require_made(server)
    if server.status not in _ATTACHABLE:
        raise VolumeNotMade(f"Server {server.name} is {server.status}. Volumes attach only to an active server.")
    session.add(VolumeAttachment(volume_id=volume.id, server_id=server.id))
    return await _request(session, principal, volume, "volume.attach")


async def detach_volume(
    session: WriteSession, principal: Principal, volume_id: UUID
) -> tuple[VolumeDetails, Operation]:
    """Wish a volume away from its server. Raises NotAttached if it is at none."""
    volume = await get_resource(session, Volume, volume_id, for_change=True)
    attachment = await session.scalar(
        select(VolumeAttachment).where(VolumeAttachment.volume_id == volume_id).with_for_update()
    )
    if attachment is None:
        raise NotAttached(f"Volume {volume.name} is at no server.")
    attachment.detach_requested_at = attachment.detach_requested_at or func.now()
    attachment.status = "detaching"
    return await _request(session, principal, volume, "volume.detach")


async def get_made_volume(session: WriteSession, volume_id: UUID) -> Volume:
    """Return a volume for a change; raises NotFound, or VolumeNotMade for one that was never seen to be there."""
    volume = await get_resource(session, Volume, volume_id, for_change=True)
    if volume.observed_size_gib is None:
        if volume.status == ResourceStatus.ERROR:
            raise VolumeNotMade(
                f"Volume {volume.name} could not be made. Try its last operation again, or delete it and make another."
            )
        raise VolumeNotMade(f"Volume {volume.name} is still being made. Wait until it is active.")
    return volume


async def _request(
    session: WriteSession, principal: Principal, volume: Volume, action: str
) -> tuple[VolumeDetails, Operation]:
    operation = await request_operation(session, action=action, resource=volume, requested_by=principal.email)
    return (await describe_volumes(session, [volume]))[0], operation
