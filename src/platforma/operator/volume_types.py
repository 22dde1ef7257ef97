"""Volume types, as operators offer them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from platforma.kit.problems import NotFound
from platforma.operator.routes import Acting
from platforma.operator.schemas import VolumeTypeChange
from platforma.storage.models import VolumeType
from platforma.tenants.models import OperatorAudit


async def list_types(acting: Acting) -> Sequence[VolumeType]:
    """Return the types that the cloud has or has had, by name."""
    async with acting.database.platform() as session:
        return (await session.scalars(select(VolumeType).order_by(VolumeType.name))).all()


async def change_type(acting: Acting, type_id: UUID, wanted: VolumeTypeChange) -> VolumeType:
    """Offer a type as soon as its method is proven, or withdraw it; raises NotFound.

    To offer it again has it proven again.
    """
    async with acting.database.platform() as session:
        kind: VolumeType | None = await session.get(VolumeType, type_id, with_for_update=True)
        if kind is None:
            raise NotFound
        kind.wanted_at = func.now() if wanted.is_wanted else None
        if wanted.method is not None:
            kind.method = wanted.method
        session.add(
            OperatorAudit(
                actor=acting.operator.email,
                action="volume_type.offer" if wanted.is_wanted else "volume_type.withdraw",
                reason=acting.reason or wanted.reason,
                details={"volume_type": kind.name, "method": kind.method},
            )
        )
        await session.flush()
        await session.refresh(kind)
    return kind
