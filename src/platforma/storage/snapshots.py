"""Snapshots: what members may do with them."""

from uuid import UUID

from sqlalchemy import func

from platforma.api.lists import list_page, resource_filters
from platforma.authentication.principals import Principal
from platforma.database.tenant_session import ReadSession, WriteSession
from platforma.network.service import apply_changes
from platforma.operations.models import Operation
from platforma.operations.resources import delete_resource, get_resource
from platforma.operations.service import request_operation
from platforma.storage.models import Snapshot
from platforma.storage.schemas import SnapshotCreate, SnapshotQuery, VolumeChange
from platforma.storage.service import get_made_volume, refuse_while_copied, request_erasure
from platforma.tenants.quotas import check_quota

_SORTABLE = {
    "created_at": Snapshot.created_at,
    "name": Snapshot.name,
    "status": Snapshot.status,
    "size_gib": Snapshot.size_gib,
}


async def list_snapshots(session: ReadSession, query: SnapshotQuery) -> tuple[list[Snapshot], str | None]:
    """Return a page of snapshots."""
    where = resource_filters(query, Snapshot)
    if query.volume_id is not None:
        where.append(Snapshot.volume_id == query.volume_id)
    return await list_page(session, Snapshot, query, sortable=_SORTABLE, where=where)


async def create_snapshot(
    session: WriteSession, principal: Principal, volume_id: UUID, body: SnapshotCreate
) -> tuple[Snapshot, Operation]:
    """Wish for a snapshot of a volume. Raises NotFound, or VolumeNotMade for one that is not made yet."""
    volume = await get_made_volume(session, volume_id)
    await check_quota(session, "snapshots", func.count(), Snapshot, 1)
    snapshot = Snapshot(
        name=body.name,
        description=body.description,
        volume_id=volume.id,
        volume_name=volume.name,
        volume_type_id=volume.volume_type_id,
        size_gib=volume.size_gib,
    )
    session.add(snapshot)
    action = "snapshot.create"
    return snapshot, await request_operation(session, action=action, resource=snapshot, requested_by=principal.email)


async def change_snapshot(
    session: WriteSession, principal: Principal, snapshot_id: UUID, body: VolumeChange
) -> tuple[Snapshot, Operation]:
    """Rename a snapshot or describe it anew."""
    snapshot = await get_resource(session, Snapshot, snapshot_id, for_change=True)
    apply_changes(snapshot, body.model_dump(exclude_unset=True))
    action = "snapshot.change"
    return snapshot, await request_operation(session, action=action, resource=snapshot, requested_by=principal.email)


async def delete_snapshot(session: WriteSession, principal: Principal, snapshot_id: UUID) -> tuple[Snapshot, Operation]:
    """Wish a snapshot away. Raises BeingCopied while a volume is made of it."""
    snapshot = await get_resource(session, Snapshot, snapshot_id, for_change=True)
    await refuse_while_copied(session, snapshot)
    await request_erasure(session, snapshot, principal.email)
    return snapshot, await delete_resource(session, snapshot, "snapshot.delete", principal.email)
