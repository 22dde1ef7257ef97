"""Portals (a client's brand) and the domains that lead to them."""

from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from platforma.database.roles import DatabaseRole
from platforma.database.tables import READ, WRITE, Created, Grants, PlatformWide, Touched
from platforma.kit.ids import new_id


class Portal(Touched, PlatformWide):
    """A client's white-label portal. Portal processes see it through `gate.find_portal` only."""

    __tablename__ = "portals"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: WRITE, DatabaseRole.PROVISIONER: READ}
    __table_args__ = (CheckConstraint("status IN ('active', 'suspended')", name="status"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="active")
    brand: Mapped[dict[str, Any]] = mapped_column(server_default="{}")


class Domain(Created, PlatformWide):
    """A host name that leads to one portal; `is_canonical` marks the one that links are made with."""

    __tablename__ = "domains"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: WRITE, DatabaseRole.PROVISIONER: READ}

    host: Mapped[str] = mapped_column(primary_key=True)
    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"), index=True)
    is_canonical: Mapped[bool] = mapped_column(server_default="false")
