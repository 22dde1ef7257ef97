"""Flavours, images, key pairs and servers."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
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
)
from platforma.kit.ids import new_id
from platforma.operations.models import RESOURCE_GRANTS, Resource

CATALOGUE_GRANTS: Grants = {
    DatabaseRole.PORTAL: READ,
    DatabaseRole.WORKER: READ,
    DatabaseRole.PROVISIONER: WRITE,
    DatabaseRole.OPERATOR: READ,
}


class Flavor(Touched, PlatformWide):
    """A size of server, copied from the cloud's public flavours by the provisioner."""

    __tablename__ = "flavors"
    __grants__: ClassVar[Grants] = CATALOGUE_GRANTS

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    cloud_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    vcpus: Mapped[int]
    ram_mib: Mapped[int]
    disk_gib: Mapped[int]
    is_offered: Mapped[bool] = mapped_column(server_default="true")


class Image(Touched, PlatformWide):
    """An operating system image that the operator offers to every tenant."""

    __tablename__ = "images"
    __grants__: ClassVar[Grants] = CATALOGUE_GRANTS

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    cloud_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    minimum_disk_gib: Mapped[int] = mapped_column(server_default="0")
    minimum_ram_mib: Mapped[int] = mapped_column(server_default="0")
    is_offered: Mapped[bool] = mapped_column(server_default="true")


class KeyPair(Resource):
    """A public SSH key that can be put on new servers."""

    __tablename__ = "key_pairs"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = None

    public_key: Mapped[str]
    fingerprint: Mapped[str]


class Server(Resource):
    """A virtual machine: what it is made of, whether it should run, and what was last seen of it."""

    __tablename__ = "servers"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __meter__ = Meter(
        "CASE WHEN r.cloud_id IS NOT NULL AND r.power_state <> 'missing' THEN 'server.'"
        " || CASE r.power_state WHEN 'stopped' THEN 'stopped' ELSE 'running' END || ':' || r.flavor_id END"
    )
    __table_args__ = (
        tenant_reference("key_pair_id", "key_pairs"),
        Index(None, "tenant_id", "key_pair_id"),
        CheckConstraint("desired_power IN ('running', 'stopped')", name="desired_power"),
    )

    flavor_id: Mapped[UUID] = mapped_column(ForeignKey("flavors.id"))
    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id"))
    key_pair_id: Mapped[UUID | None]
    desired_power: Mapped[str] = mapped_column(server_default="running")
    power_state: Mapped[str | None]
    """As last seen: `running`, `stopped`, or what Nova says. None until the server has been seen to be made."""
    failed_cloud_id: Mapped[str | None]
    """The server that the cloud failed to make; it goes before the next try."""
    reboots_requested: Mapped[int] = mapped_column(server_default="0")
    reboots_done: Mapped[int] = mapped_column(server_default="0")
    is_reboot_hard: Mapped[bool] = mapped_column(server_default="false")
    reboots_before: Mapped[int | None]
    """How many reboots the cloud had counted when the present one was asked for: by this none is asked for twice."""
    console_reads_requested: Mapped[int] = mapped_column(server_default="0")
    console_reads_done: Mapped[int] = mapped_column(server_default="0")
    console_output: Mapped[str | None]
    console_output_at: Mapped[datetime | None]


class ServerSecurityGroup(TenantOwned):
    """A security group on those ports of a server that have none of their own."""

    __tablename__ = "server_security_groups"
    __grants__: ClassVar[Grants] = RESOURCE_GRANTS
    __table_args__ = (
        tenant_reference("server_id", "servers", ondelete="CASCADE"),
        tenant_reference("security_group_id", "security_groups"),
        UniqueConstraint("tenant_id", "server_id", "security_group_id"),
        Index(None, "tenant_id", "security_group_id"),
    )

    server_id: Mapped[UUID]
    security_group_id: Mapped[UUID]
