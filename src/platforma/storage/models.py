"""Volumes and their attachments."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.tables import Grants, Meter, TenantOwned, Touched, tenant_reference
from platforma.operations.models import RESOURCE_GRANTS, Resource


class Volume(Resource):
    """A block device of `size_gib`; `observed_size_gib` is what the cloud has made of it so far."""

    __tablename__ = "volumes"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = Meter("CASE WHEN r.cloud_id IS NOT NULL THEN 'volume' END", "r.observed_size_gib")
    __table_args__ = (CheckConstraint("size_gib > 0", name="size_gib"),)

    size_gib: Mapped[int]
    observed_size_gib: Mapped[int | None]
    """None until the volume has been seen to be made."""
    failed_cloud_id: Mapped[str | None]
    """The volume that the cloud failed to make; it goes before the next try."""


class VolumeAttachment(Touched, TenantOwned):
    """A volume at a server of the same tenant: the composite keys admit no other."""

    __tablename__ = "volume_attachments"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __table_args__ = (
        tenant_reference("volume_id", "volumes"),
        tenant_reference("server_id", "servers"),
        UniqueConstraint("tenant_id", "volume_id"),
        Index(None, "tenant_id", "server_id"),
    )

    volume_id: Mapped[UUID]
    server_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(server_default="pending")
    """`pending`, `attaching`, `attached` once Cinder and Nova both have been seen to say so, or `detaching`."""
    device: Mapped[str | None]
    cloud_id: Mapped[str | None]
    detach_requested_at: Mapped[datetime | None]
