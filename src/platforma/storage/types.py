"""Volume types, as tenants choose among them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from platforma.database.tenant_session import ReadSession, TenantSession
from platforma.kit.problems import NotFound
from platforma.storage.erasure_models import ErasureMethod
from platforma.storage.models import Snapshot, Volume, VolumeType


async def list_offered(session: ReadSession) -> Sequence[VolumeType]:
    """Return the types that tenants may choose, by name."""
    return (await session.scalars(select(VolumeType).where(VolumeType.is_offered).order_by(VolumeType.name))).all()


async def choose_type(session: TenantSession, type_id: UUID | None) -> UUID | None:
    """Return the chosen type's id; raises NotFound for one that is not offered."""
    if type_id is None:
        return None
    kind: VolumeType | None = await session.get(VolumeType, type_id)
    if kind is None or not kind.is_offered:
        raise NotFound
    return kind.id


async def find_type(session: TenantSession, row: Volume | Snapshot) -> VolumeType | None:
    """Return the type of a volume or snapshot; None for the cloud's default."""
    kind: VolumeType | None = None
    if row.volume_type_id is not None:
        kind = await session.get(VolumeType, row.volume_type_id)
    return kind


async def find_method(session: TenantSession, type_id: UUID | None) -> str:
    """Return how a volume of a type is erased: as the type says if that is proven now, else by Platforma itself."""
    kind: VolumeType | None = None if type_id is None else await session.get(VolumeType, type_id)
    is_proven = kind is not None and kind.proven_at is not None and kind.proven_method == kind.method
    return kind.method if kind is not None and is_proven else ErasureMethod.PLATFORM
