"""Billing as the operator runs it: who issues a portal's invoices, tax rates, tenants' invoices, credit notes."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select

from platforma.api.lists import Page
from platforma.billing import service
from platforma.billing.corrections import correct_usage as make_up_for
from platforma.billing.credit_notes import issue_credit_note
from platforma.billing.errors import KeyTaken, NoSeller, RateExists
from platforma.billing.invoice_models import BillingAccount, Invoice, Seller, TaxRate
from platforma.billing.invoicing import get_account
from platforma.billing.ledger import add_credit
from platforma.billing.models import UsageCorrection
from platforma.billing.payment_models import CreditEntry
from platforma.billing.schemas import InvoiceOut, InvoiceQuery
from platforma.database.errors import NotBoundError
from platforma.kit.clock import utc_now
from platforma.kit.problems import Invalid
from platforma.operator.billing_schemas import (
    CreditCreate,
    CreditNoteCreate,
    RevenueOut,
    SellerIn,
    TaxRateCreate,
    UsageCorrectionCreate,
)
from platforma.operator.routes import Acting
from platforma.portal.models import Portal
from platforma.tenants.errors import UnknownPortal, UnknownTenant
from platforma.tenants.models import OperatorAudit


async def get_seller(acting: Acting, portal_id: UUID) -> Seller:
    """Return who issues the invoices of a portal; raises UnknownPortal or NoSeller."""
    async with acting.database.platform() as session:
        if await session.get(Portal, portal_id) is None:
            raise UnknownPortal
        seller = await session.get(Seller, portal_id)
    if seller is None:
        raise NoSeller
    return seller


async def set_seller(acting: Acting, portal_id: UUID, wanted: SellerIn) -> Seller:
    """Say who issues the invoices of a portal from now on; raises UnknownPortal."""
    async with acting.database.platform() as session:
        portal = await session.get(Portal, portal_id, with_for_update=True)
        if portal is None:
            raise UnknownPortal
        seller = await session.get(Seller, portal_id)
        if seller is None:
            seller = Seller(portal_id=portal_id, **wanted.model_dump())
            session.add(seller)
        else:
            for name, value in wanted.model_dump().items():
                setattr(seller, name, value)
        session.add(_audit(acting, "seller.set", portal, wanted.model_dump(mode="json")))
        await session.flush()
        await session.refresh(seller)
    return seller


async def list_tax_rates(acting: Acting, portal_id: UUID) -> Sequence[TaxRate]:
    """Return the tax rates of a portal; raises UnknownPortal."""
    async with acting.database.platform() as session:
        if await session.get(Portal, portal_id) is None:
            raise UnknownPortal
        statement = select(TaxRate).where(TaxRate.portal_id == portal_id)
        return (await session.scalars(statement.order_by(TaxRate.country, TaxRate.effective_from.desc()))).all()


async def create_tax_rate(acting: Acting, portal_id: UUID, wanted: TaxRateCreate) -> TaxRate:
    """Set the tax on invoices to a country from now or later on; raises UnknownPortal, Invalid or RateExists."""
    now = utc_now()
    begins = wanted.effective_from or now
    if begins < now:
        raise Invalid("A rate is set from now on or later: what has been invoiced has its tax already.")
    async with acting.database.platform() as session:
        portal = await session.get(Portal, portal_id, with_for_update=True)
        if portal is None:
            raise UnknownPortal
        same = select(TaxRate.id).where(
            TaxRate.portal_id == portal_id, TaxRate.country == wanted.country, TaxRate.effective_from == begins
        )
        if await session.scalar(same) is not None:
            raise RateExists
        values = wanted.model_dump() | {"effective_from": begins}
        rate = TaxRate(portal_id=portal_id, made_by=acting.operator.email, **values)
        session.add(rate)
        session.add(_audit(acting, "tax_rate.set", portal, wanted.model_dump(mode="json")))
        await session.flush()
        await session.refresh(rate)
    return rate


async def list_invoices(acting: Acting, tenant_id: UUID, query: InvoiceQuery, reason: str) -> Page[InvoiceOut]:
    """Return a tenant's invoices, for a reason that is written down; raises UnknownTenant."""
    try:
        async with acting.database.read(acting.act(reason).on(tenant_id, "invoice.list")) as session:
            return await service.list_invoices(session, query)
    except NotBoundError as error:
        raise UnknownTenant from error


async def create_credit_note(acting: Acting, tenant_id: UUID, invoice_id: UUID, wanted: CreditNoteCreate) -> Invoice:
    """Take an invoice back, or a part of it; raises UnknownTenant, NotFound, NotCreditable or NoSeller."""
    act = acting.act(wanted.reason).on(tenant_id, "invoice.credit", str(invoice_id))
    try:
        async with acting.database.write(act) as session:
            note = await issue_credit_note(
                session,
                invoice_id,
                net=wanted.net,
                reason=wanted.reason,
                made_by=acting.operator.email,
                now=utc_now(),
            )
            for account in await session.scalars(select(BillingAccount)):
                account.wake_at = func.now()
            return note
    except NotBoundError as error:
        raise UnknownTenant from error


async def get_revenue(acting: Acting, portal_id: UUID) -> RevenueOut:
    """Return what a portal has earned, and what could not be collected; raises UnknownPortal."""
    async with acting.database.platform() as session:
        if await session.get(Portal, portal_id) is None:
            raise UnknownPortal
    row = await acting.database.call_gate("portal_revenue", portal=portal_id)
    assert row is not None  # noqa: S101 (it is one row, whatever there is)
    return RevenueOut.model_validate({"months": row.months, "failures": row.failures})


async def get_credit(acting: Acting, tenant_id: UUID, reason: str) -> list[CreditEntry]:
    """Return what was granted to a tenant and used of it, for a reason that is written down; raises UnknownTenant."""
    try:
        async with acting.database.read(acting.act(reason).on(tenant_id, "credit.list")) as session:
            return list(await session.scalars(select(CreditEntry).order_by(CreditEntry.created_at, CreditEntry.id)))
    except NotBoundError as error:
        raise UnknownTenant from error


async def grant_credit(acting: Acting, tenant_id: UUID, wanted: CreditCreate) -> CreditEntry:
    """Grant a tenant credit, which pays its next invoices; raises UnknownTenant. One key grants once."""
    act = acting.act(wanted.reason).on(tenant_id, "credit.grant", wanted.key)
    key = f"operator:{wanted.key}"
    try:
        async with acting.database.write(act) as session:
            account = await get_account(session, for_update=True)
            was_new = await add_credit(
                session,
                key,
                wanted.amount,
                wanted.currency,
                reason=wanted.reason,
                made_by=acting.operator.email,
            )
            entry = (await session.scalars(select(CreditEntry).where(CreditEntry.key == key))).one()
            if not was_new and (entry.amount, entry.currency) != (wanted.amount, wanted.currency):
                raise KeyTaken
            if account is not None:
                account.wake_at = func.now()
            await session.flush()
            await session.refresh(entry)
            return entry
    except NotBoundError as error:
        raise UnknownTenant from error


async def correct_usage(acting: Acting, tenant_id: UUID, wanted: UsageCorrectionCreate) -> UsageCorrection:
    """Correct what a tenant has used, as of now; raises UnknownTenant or KeyTaken."""
    act = acting.act(wanted.reason).on(tenant_id, "usage.correct", wanted.key)
    try:
        async with acting.database.write(act) as session:
            return await make_up_for(session, made_by=acting.operator.email, **wanted.model_dump())
    except NotBoundError as error:
        raise UnknownTenant from error


def _audit(acting: Acting, action: str, portal: Portal, details: dict[str, object]) -> OperatorAudit:
    reason = acting.reason or "Billing of a portal."
    return OperatorAudit(
        actor=acting.operator.email, action=action, reason=reason, details={"portal": portal.name, **details}
    )
