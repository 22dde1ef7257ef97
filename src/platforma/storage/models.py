"""Volumes, their attachments, types and snapshots."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import (
    READ,
    WRITE,
    Grants,
    Meter,
    PlatformWide,
    TenantOwned,
    Touched,
    tenant_reference,
    update_of,
)
from platforma.kit.ids import new_id
from platforma.operations.models import RESOURCE_GRANTS, Resource
from platforma.storage.erasure_models import ErasureMethod


class VolumeType(Touched, PlatformWide):
    """A kind of volume that the cloud has, and how what it holds is erased.

    Operators say which they want to offer, and by which method it is erased; that the method works, only the
    provisioner can write down, after its canary.
    """

    __tablename__ = "volume_types"
    __grants__: ClassVar[Grants] = {
        DatabaseRole.PORTAL: READ,
        DatabaseRole.WORKER: READ,
        DatabaseRole.PROVISIONER: WRITE,
        DatabaseRole.OPERATOR: ("SELECT", update_of("method", "wanted_at", "updated_at")),
    }
    __table_args__ = (
        CheckConstraint(f"method IN ({', '.join(repr(str(each)) for each in ErasureMethod)})", name="method"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    cloud_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    is_present: Mapped[bool] = mapped_column(server_default="true")
    """Whether the cloud has it still."""
    method: Mapped[str] = mapped_column(server_default=ErasureMethod.PLATFORM)
    wanted_at: Mapped[datetime | None]
    """Since when an operator wants to offer it."""
    tried_at: Mapped[datetime | None]
    """When a canary was last sent through it."""
    proven_at: Mapped[datetime | None]
    """When a canary has last shown that nothing is left behind; None if never, or if it has since been seen to leak."""
    proven_method: Mapped[str | None]
    """The method that was proven: with another one, nothing is."""
    finding: Mapped[str | None]
    """What the last canary has found, in words for the operator."""
    is_offered: Mapped[bool] = mapped_column(
        Computed(
            "is_present AND wanted_at IS NOT NULL AND proven_at IS NOT NULL"
            " AND coalesce(proven_method = method, false)",
            persisted=True,
        )
    )
    """Whether tenants may choose it."""


class Volume(Resource):
    """A block device of `size_gib`; `observed_size_gib` is what the cloud has made of it so far."""

    __tablename__ = "volumes"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = Meter(
        "CASE WHEN r.cloud_id IS NOT NULL THEN 'volume' || coalesce(':' || r.volume_type_id, '') END",
        "r.observed_size_gib",
    )
    __table_args__ = (
        CheckConstraint("size_gib > 0", name="size_gib"),
        CheckConstraint("source_kind IN ('volume', 'snapshot', 'image')", name="source_kind"),
    )

    size_gib: Mapped[int]
    observed_size_gib: Mapped[int | None]
    """None until the volume has been seen to be made."""
    volume_type_id: Mapped[UUID | None] = mapped_column(ForeignKey("volume_types.id"))
    """None for what the cloud makes by default, which Platforma zeroes."""
    source_kind: Mapped[str | None]
    """`volume`, `snapshot` or `image`: what it was copied from; None for an empty volume."""
    source_id: Mapped[UUID | None]
    """Of the same tenant, or an image that is offered; it may be gone since."""
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


class Snapshot(Resource):
    """A volume as it was: in the cloud a volume of its own, so that it is erased as every volume is."""

    __tablename__ = "snapshots"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = Meter(
        "CASE WHEN r.cloud_id IS NOT NULL THEN 'snapshot' || coalesce(':' || r.volume_type_id, '') END",
        "r.observed_size_gib",
    )
    __table_args__ = (
        Index(None, "tenant_id", "volume_id"),
        CheckConstraint("size_gib > 0", name="size_gib"),
    )

    volume_id: Mapped[UUID]
    """The volume that it was taken of, which may be gone since."""
    volume_name: Mapped[str]
    volume_type_id: Mapped[UUID | None] = mapped_column(ForeignKey("volume_types.id"))
    size_gib: Mapped[int]
    observed_size_gib: Mapped[int | None]
    failed_cloud_id: Mapped[str | None]
