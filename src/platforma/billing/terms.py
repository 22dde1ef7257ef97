"""On whose terms a tenant is billed: the seller of its portal, its own details, and the tax between the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from sqlalchemy import select
from stdnum.eu import vat as eu_vat

from platforma.billing.invoice_models import BillingDetails
from platforma.database.tenant_session import TenantSession
from platforma.tenants.models import Tenant

ANYWHERE = "*"
NO_TAX = "Tax"


class SellerView(BaseModel, frozen=True):
    """Who issues the invoices of a portal."""

    company: str
    line1: str
    line2: str
    postal_code: str
    city: str
    country: str
    vat_number: str | None
    email: str
    prefix: str
    payment_days: int
    grace_days: int
    footer: str

    def printed(self) -> dict[str, Any]:
        """Return what stands on a document."""
        return self.model_dump(exclude={"prefix", "payment_days", "grace_days"})


class Rate(BaseModel, frozen=True):
    """The tax on invoices to a country, from a moment on."""

    country: str
    effective_from: datetime
    label: str
    percent: Decimal
    business_percent: Decimal | None
    business_note: str | None


class Terms(BaseModel, frozen=True):
    """What a portal bills by; without a seller it cannot."""

    seller: SellerView | None
    rates: tuple[Rate, ...]


@dataclass(frozen=True)
class Tax:
    """The tax of one invoice."""

    label: str
    percent: Decimal
    note: str | None = None


async def find_terms(session: TenantSession) -> Terms:
    """Return the terms of the tenant's portal."""
    row = await session.call_gate("own_terms")
    return Terms.model_validate(row.terms) if row is not None else Terms(seller=None, rates=())


async def find_details(session: TenantSession) -> BillingDetails | None:
    """Return the billing details of the tenant, if it has given any."""
    details: BillingDetails | None = await session.scalar(select(BillingDetails))
    return details


async def find_buyer(session: TenantSession) -> dict[str, Any]:
    """Return whom an invoice is made out to: what the tenant has said, or else its name alone."""
    details = await find_details(session)
    if details is None:
        name = await session.scalar(select(Tenant.name).where(Tenant.id == session.tenant_id))
        return {"company": name, "country": None, "vat_number": None}
    names = ("company", "line1", "line2", "postal_code", "city", "country", "vat_number")
    return {name: getattr(details, name) for name in names}


def tax_for(
    rates: Sequence[Rate], *, seller_country: str, buyer_country: str | None, has_vat_number: bool, moment: datetime
) -> Tax:
    """Return the tax on an invoice for what was supplied until a moment: of the buyer's country, or of `*`.

    A buyer who has not said where it is counts as the seller's neighbour.
    """
    country = buyer_country or seller_country
    valid = [rate for rate in rates if rate.effective_from <= moment]
    own = [rate for rate in valid if rate.country == country] or [rate for rate in valid if rate.country == ANYWHERE]
    if not own:
        return Tax(NO_TAX, Decimal(0))
    rate = max(own, key=lambda rate: rate.effective_from)
    if has_vat_number and country != seller_country and rate.business_percent is not None:
        return Tax(rate.label, rate.business_percent, rate.business_note)
    return Tax(rate.label, rate.percent)


def normal_vat_number(number: str, country: str) -> str:
    """Return a VAT number in its one form; raises ValueError where it cannot be one of the country.

    Numbers of the European Union are tried by their check digits; nobody is asked whether they were given out.
    """
    plain = "".join(character for character in number if character.isalnum()).upper()
    if country.lower() in eu_vat.MEMBER_STATES:
        prefix = "EL" if country == "GR" else country
        if not plain.startswith(prefix) or not eu_vat.is_valid(plain):
            raise ValueError(f"This is no VAT number of {country}.")
    elif not 4 <= len(plain) <= 20:
        raise ValueError("This is no VAT number.")
    return plain
