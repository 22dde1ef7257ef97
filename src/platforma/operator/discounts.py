"""Discounts of tenants, as operators give and end them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from platforma.billing.models import Discount
from platforma.database.errors import NotBoundError
from platforma.kit.clock import utc_now
from platforma.kit.ids import new_id
from platforma.kit.problems import Invalid, NotFound
from platforma.operator.billing_schemas import DiscountCreate, DiscountEnd
from platforma.operator.routes import Acting
from platforma.tenants.errors import UnknownTenant


async def list_discounts(acting: Acting, tenant_id: UUID, reason: str) -> Sequence[Discount]:
    """Return a tenant's discounts, for a reason that is written down; raises UnknownTenant."""
    try:
        async with acting.database.read(acting.act(reason).on(tenant_id, "discount.list")) as session:
            return (await session.scalars(select(Discount).order_by(Discount.begins, Discount.id))).all()
    except NotBoundError as error:
        raise UnknownTenant from error


async def create_discount(acting: Acting, tenant_id: UUID, wanted: DiscountCreate) -> Discount:
    """Give a tenant a discount from now or later on; raises UnknownTenant or Invalid.

    What was used before keeps its price.
    """
    now = utc_now()
    begins = wanted.begins or now
    if begins < now or (wanted.ends is not None and wanted.ends <= begins):
        raise Invalid("A discount begins now or later, and ends after that.")
    act = acting.act(wanted.reason).on(tenant_id, "discount.give", f"{wanted.percent} %")
    try:
        async with acting.database.write(act) as session:
            discount = Discount(
                id=new_id(),
                percent=wanted.percent,
                begins=begins,
                ends=wanted.ends,
                reason=wanted.reason,
                made_by=acting.operator.email,
            )
            session.add(discount)
            await session.flush()
            await session.refresh(discount)
            return discount
    except NotBoundError as error:
        raise UnknownTenant from error


async def end_discount(acting: Acting, tenant_id: UUID, discount_id: UUID, wanted: DiscountEnd) -> Discount:
    """End a discount now or later; raises UnknownTenant, NotFound, or Invalid for one that has ended."""
    now = utc_now()
    ends = wanted.ends or now
    act = acting.act(wanted.reason).on(tenant_id, "discount.end", str(discount_id))
    try:
        async with acting.database.write(act) as session:
            discount: Discount | None = await session.get(Discount, discount_id, with_for_update=True)
            if discount is None:
                raise NotFound
            if ends < now or (discount.ends is not None and discount.ends <= now):
                raise Invalid("A discount ends now or later: what has been used has its price already.")
            discount.ends = max(ends, discount.begins)
            await session.flush()
            return discount
    except NotBoundError as error:
        raise UnknownTenant from error
