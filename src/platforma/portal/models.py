"""Portals (a client's brand) and the domains that lead to them."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
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


class BrandFile(Created, PlatformWide):
    """A picture of a portal's brand, made anew from what was uploaded. Portals get it by `gate.find_brand_file`."""

    __tablename__ = "brand_files"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: WRITE}

    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    """SHA-256 of the content, in hexadecimal."""
    media_type: Mapped[str]
    content: Mapped[bytes]


class DomainStatus(StrEnum):
    """Where a domain stands."""

    UNPROVEN = "unproven"
    PROVEN = "proven"
    LOST = "lost"
    WITHDRAWN = "withdrawn"
    RELEASED = "released"


def proof_name(host: str) -> str:
    """Return the name of the TXT record that proves a host."""
    return f"_platforma.{host}"


def proof_value(token: str) -> str:
    """Return what the TXT record has to say."""
    return f"platforma={token}"


class Domain(Created, PlatformWide):
    """A host name that leads to one portal, once a DNS record has proven that it may."""

    __tablename__ = "domains"
    __grants__: ClassVar[Grants] = {DatabaseRole.OPERATOR: WRITE, DatabaseRole.PROVISIONER: READ}
    __table_args__ = (
        CheckConstraint("proven_at IS NOT NULL OR NOT is_proven", name="proven"),
        CheckConstraint("held_until IS NULL OR NOT (is_proven OR is_canonical)", name="held"),
        Index("domains_one_canonical", "portal_id", unique=True, postgresql_where=text("is_canonical")),
    )

    host: Mapped[str] = mapped_column(primary_key=True)
    portal_id: Mapped[UUID] = mapped_column(ForeignKey("portals.id"), index=True)
    is_canonical: Mapped[bool] = mapped_column(server_default="false")
    """Links are made with it, once it is proven."""
    is_proven: Mapped[bool] = mapped_column(server_default="false")
    """Without it the host is an unknown one."""
    proof_token: Mapped[str] = mapped_column(
        server_default=text("replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')")
    )
    """What the TXT record has to say: 244 random bits."""
    proven_at: Mapped[datetime | None]
    """Since when it is proven, or was until it was withdrawn or released."""
    withdraws_at: Mapped[datetime | None]
    """When a domain whose proof has gone leads nowhere any more."""
    held_until: Mapped[datetime | None]
    """A released domain's: until then it can go to no other portal."""
    checked_at: Mapped[datetime | None]
    trouble: Mapped[str | None]
    """Why the last look at the record did not succeed."""
    wake_at: Mapped[datetime | None]
    """When the record is looked at next; never for a name that needs no proof."""

    @property
    def status(self) -> DomainStatus:
        """Where the domain stands."""
        if self.held_until is not None:
            return DomainStatus.RELEASED
        if self.is_proven:
            return DomainStatus.LOST if self.withdraws_at is not None else DomainStatus.PROVEN
        return DomainStatus.UNPROVEN if self.proven_at is None else DomainStatus.WITHDRAWN

    @property
    def needs_proof(self) -> bool:
        """Whether there has to be a record; not for names that lead nowhere outside."""
        return self.wake_at is not None

    @property
    def record_name(self) -> str:
        """The name of the TXT record."""
        return proof_name(self.host)

    @property
    def record_value(self) -> str:
        """What the TXT record has to say."""
        return proof_value(self.proof_token)

    @property
    def next_step(self) -> str | None:
        """What is to be done, if anything is."""
        record = f"a TXT record named {self.record_name} with the value {self.record_value}"
        match self.status:
            case DomainStatus.UNPROVEN:
                return f"Add {record}. It is looked for again and again; leave it in place for good."
            case DomainStatus.LOST:
                when = f"{self.withdraws_at:%Y-%m-%d %H:%M} UTC"
                return f"The record has gone. Add {record} again, or from {when} the host leads nowhere."
            case DomainStatus.WITHDRAWN:
                return f"The record was gone for too long, and the host leads nowhere. Add {record} again."
            case _:
                return None
