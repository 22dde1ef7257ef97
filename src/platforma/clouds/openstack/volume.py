"""Volumes of the tenant's project, and their attachments."""

import time
from typing import Any
from uuid import UUID

from platforma.clouds.blocks.protocol import BlockDevice, Blocks, Connection
from platforma.clouds.openstack.errors import CloudAnswerInvalid, CloudConflict, CloudNotFound
from platforma.clouds.openstack.kinds import SERVERS, SNAPSHOTS, VOLUMES, required
from platforma.clouds.openstack.ownership import ProjectPart
from platforma.clouds.openstack.resources import (
    CloudAttachment,
    CloudId,
    CloudVolume,
    Reference,
    VolumeSource,
    cloud_name,
)
from platforma.clouds.openstack.surveying import held_by
from platforma.clouds.openstack.translation import at_border

_ATTACHING = {"reserved", "attaching"}
_SEVERING_SECONDS = 15.0
"""So long a server may take to let go of a volume, before somebody looks again."""
_POLL_SECONDS = 0.3


class VolumePart(ProjectPart):
    """As `VolumeCloud`. `blocks` is how this machine gets at the bytes of volumes."""

    blocks: Blocks

    @at_border
    def ensure_volume(
        self,
        id_: UUID,
        *,
        size_gib: int,
        description: str,
        source: VolumeSource | None = None,
        volume_type: str | None = None,
    ) -> CloudVolume:
        item = self._find(VOLUMES, id_)
        if item is None:
            origin = {} if volume_type is None else {"volume_type": volume_type}
            if source is not None and source.kind == "volume":
                origin["source_volume_id"] = self._read(VOLUMES, source.cloud_id).id
            elif source is not None:
                origin["image_id"] = source.cloud_id
            made = self._connection.block_storage.create_volume(
                name=cloud_name(id_), size=size_gib, description=description, **origin
            )
            item = self._read(VOLUMES, required(made.id, "id"))
        elif (item.description or "") != description:
            self._connection.block_storage.update_volume(item.id, description=description)
        return _volume(item)

    @at_border
    def get_volume(self, cloud_id: CloudId) -> CloudVolume:
        return _volume(self._read(VOLUMES, cloud_id))

    @at_border
    def extend_volume(self, cloud_id: CloudId, *, size_gib: int) -> CloudVolume:
        item = self._read(VOLUMES, cloud_id)
        if item.size >= size_gib or item.status == "extending":
            return _volume(item)
        self._connection.block_storage.extend_volume(cloud_id, size_gib)
        return _volume(self._read(VOLUMES, cloud_id))

    @at_border
    def attach_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> CloudVolume:
        self._read(SERVERS, server_cloud_id)
        volume = _volume(self._read(VOLUMES, volume_cloud_id))
        if any(each.server_cloud_id == server_cloud_id for each in volume.attachments):
            return volume
        if volume.status in _ATTACHING and volume_cloud_id in self._volumes_at(server_cloud_id):
            return volume
        if volume.status != "available":
            raise CloudConflict(f"The volume is {volume.status}.")
        self._connection.compute.create_volume_attachment(server_cloud_id, volume=volume_cloud_id)
        return _volume(self._read(VOLUMES, volume_cloud_id))

    @at_border
    def detach_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> CloudVolume:
        item = self._read(VOLUMES, volume_cloud_id)
        volume = _volume(item)
        is_there = any(each.server_cloud_id == server_cloud_id for each in volume.attachments)
        if not is_there or volume.status == "detaching":
            return volume
        server = self._read(SERVERS, server_cloud_id)
        self._connection.compute.delete_volume_attachment(server, item, ignore_missing=True)
        return _volume(self._read(VOLUMES, volume_cloud_id))

    @at_border
    def list_server_volumes(self, server_cloud_id: CloudId) -> set[CloudId]:
        self._read(SERVERS, server_cloud_id)
        return self._volumes_at(server_cloud_id)

    @at_border
    def list_holders(self, volume_cloud_id: CloudId) -> set[CloudId]:
        return {str(server.id) for server in self._list(SERVERS) if volume_cloud_id in held_by(server)}

    @at_border
    def sever_volume(self, server_cloud_id: CloudId, volume_cloud_id: CloudId) -> None:
        """Nova lets go only of what Cinder says is in use: so it is connected to this machine meanwhile."""
        server = self._read(SERVERS, server_cloud_id)
        volume = self._find_volume(volume_cloud_id)
        storage = self._connection.block_storage
        if volume_cloud_id in self._volumes_at(server_cloud_id):
            if volume is not None and volume.status == "available":
                made = storage.create_attachment(volume_cloud_id, connector=dict(self.blocks.connector()))
                storage.complete_attachment(made)
            self._connection.compute.delete_volume_attachment(server, volume_cloud_id, ignore_missing=True)
        deadline = time.monotonic() + _SEVERING_SECONDS
        while volume_cloud_id in self._volumes_at(server_cloud_id):
            if time.monotonic() > deadline:
                raise CloudConflict("The server has not let go of the volume yet.")
            time.sleep(_POLL_SECONDS)
        if volume is not None:
            self.release_volume(volume_cloud_id)

    def _find_volume(self, cloud_id: CloudId) -> Any | None:
        """Return a volume, or None if the project has none of that id."""
        try:
            return self._read(VOLUMES, cloud_id)
        except CloudNotFound:
            return None

    @at_border
    def open_volume(self, cloud_id: CloudId) -> BlockDevice:
        volume = self._read(VOLUMES, cloud_id)
        storage = self._connection.block_storage
        own = self._own_attachments(cloud_id)
        if own:
            attachment = storage.get_attachment(own[0].id)
            if not attachment.connection_info:  # whoever made it has died before Cinder was done with it
                storage.delete_attachment(attachment, ignore_missing=True)
                raise CloudConflict("The volume is being connected.")
        elif volume.status == "available":
            attachment = storage.create_attachment(cloud_id, connector=dict(self.blocks.connector()))
        else:
            raise CloudConflict(f"The volume is {volume.status}.")
        return self.blocks.open(_connection(attachment))

    @at_border
    def release_volume(self, cloud_id: CloudId) -> None:
        self._read(VOLUMES, cloud_id)
        for attachment in self._own_attachments(cloud_id):
            self._connection.block_storage.delete_attachment(attachment, ignore_missing=True)

    def _own_attachments(self, cloud_id: CloudId) -> list[Any]:
        """Return the volume's attachments to no server: nobody but Platforma makes such ones in a tenant's project."""
        found = self._connection.block_storage.attachments(volume_id=cloud_id)
        return [each for each in found if each.volume_id == cloud_id and each.instance is None]

    @at_border
    def delete_volume(self, reference: Reference) -> bool:
        def delete(volume: Any) -> bool:
            if volume.status != "deleting":
                VOLUMES.delete(self._connection, volume.id)
            return False

        return self._delete(VOLUMES, reference, delete)

    @at_border
    def delete_snapshot(self, reference: Reference) -> bool:
        def delete(snapshot: Any) -> bool:
            if snapshot.status != "deleting":
                SNAPSHOTS.delete(self._connection, snapshot.id)
            return False

        return self._delete(SNAPSHOTS, reference, delete)

    def _volumes_at(self, server_cloud_id: CloudId) -> set[CloudId]:
        """Return what Nova says. While a volume is on its way, Cinder does not know yet to which server."""
        return {str(each.volume_id) for each in self._connection.compute.volume_attachments(server_cloud_id)}


def _connection(attachment: Any) -> Connection:
    info = attachment.connection_info
    if not isinstance(info, dict) or not info.get("driver_volume_type"):
        raise CloudAnswerInvalid("It does not say how the volume is reached.")
    data = info.get("data", info)  # in an attachment Cinder may put them side by side
    return Connection(required(attachment.id, "id"), str(info["driver_volume_type"]), data)


def _volume(item: Any) -> CloudVolume:
    return CloudVolume(
        cloud_id=required(item.id, "id"),
        status=str(required(item.status, "status")),
        size_gib=int(required(item.size, "size")),
        attachments=tuple(
            CloudAttachment(
                server_cloud_id=each["server_id"],
                device=each.get("device"),
                attachment_id=each.get("attachment_id"),
                host=each.get("host_name"),
            )
            for each in item.attachments or []
        ),
    )
