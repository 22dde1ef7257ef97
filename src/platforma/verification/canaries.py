"""The two canary tenants, which live in an installation like any other. An operator makes them; then they are members.

A and B are tenants of one portal. Each has an owner, whose password is new for every verification and nowhere kept, and
another member, who only signs in.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

import httpx2
from sqlalchemy import func, select

from platforma.billing.corrections import correct_usage
from platforma.billing.invoicing import get_account
from platforma.billing.ledger import add_credit, list_open_invoices
from platforma.billing.models import Price, PriceBook, UsageCorrection
from platforma.billing.rating import HOUR_SECONDS
from platforma.database.database import Database
from platforma.kit.clock import utc_now
from platforma.kit.crypto import new_token
from platforma.portal.models import Domain, Portal
from platforma.tenants.errors import NameTaken
from platforma.tenants.models import Tenant, TenantStatus
from platforma.tenants.service import (
    Invited,
    OperatorAct,
    create_tenant,
    find_portal_id,
    find_tenant_id,
    invite_member,
    resume_tenant,
    suspend_tenant,
)
from platforma.verification.party import HttpParty, PartyError

NAMES = {"a": "Canary A", "b": "Canary B"}
ONBOARDING_SECONDS = 300.0
_POLL_SECONDS = 0.5
_OWED = Decimal(10)
"""What a canary uses in a month, in the major unit of the portal's currency."""


@dataclass(frozen=True)
class Canary:
    """A canary tenant, and the ways for its owner and its member to set a password once."""

    tenant_id: UUID
    owner: Invited
    member: Invited


@dataclass(frozen=True)
class Hosts:
    """The host of the canaries' portal, and one that is another portal's or nobody's."""

    own: str
    other: str


async def prepare_canaries(
    database: Database, act: OperatorAct, portal_name: str, report: Callable[[str], None]
) -> dict[str, Canary]:
    """Have both tenants onboarded, and return how their owners get in. Raises UnknownPortal or PartyError."""
    return {side: await _prepare(database, act, portal_name, side, report) for side in NAMES}


async def rest_canaries(database: Database, act: OperatorAct, canaries: dict[str, Canary]) -> None:
    """Suspend both tenants until the next verification, so that nobody can be them meanwhile."""
    for canary in canaries.values():
        await _settle(database, act, canary.tenant_id)
        await suspend_tenant(database, act, canary.tenant_id)


async def find_hosts(database: Database, portal_name: str) -> Hosts:
    """Return the hosts to attack at. Raises UnknownPortal, or PartyError for a portal without a domain."""
    portal_id = await find_portal_id(database, portal_name)
    async with database.platform() as session:
        own = await session.scalar(
            select(Domain.host).where(Domain.portal_id == portal_id).order_by(Domain.is_canonical.desc()).limit(1)
        )
        other = await session.scalar(
            select(Domain.host)
            .join(Portal, Portal.id == Domain.portal_id)
            .where(Domain.portal_id != portal_id, Portal.status == "active")
            .order_by(Domain.host)
            .limit(1)
        )
    if own is None:
        raise PartyError(f"Portal {portal_name} has no domain.")
    return Hosts(own, other or f"another.{own}")


async def enter(client: httpx2.AsyncClient, host: str, canary: Canary, patience_seconds: float) -> HttpParty:
    """Set a new password as the canary's owner, and sign in. Raises PartyError."""
    mark = f"canary{secrets.token_hex(6)}"

    async def come_in(invited: Invited) -> HttpParty:
        password = new_token()
        party = HttpParty(
            client, host=host, mark=mark, email=invited.email, password=password, patience_seconds=patience_seconds
        )
        body = {"token": invited.token, "password": password}
        reply = await party.ask("POST", "/api/v1/invitation/acceptance", body=body, session=None)
        if reply.status >= 300:
            raise PartyError(f"A canary cannot accept its invitation at {host}: {reply.status} {reply.text[:300]}")
        party.token = await party.sign_in()
        return party

    owner = await come_in(canary.owner)
    owner.colleague = await come_in(canary.member)
    owner.ids["tenant_id"] = str(canary.tenant_id)
    return owner


async def _prepare(
    database: Database, act: OperatorAct, portal_name: str, side: str, report: Callable[[str], None]
) -> Canary:
    name = NAMES[side]
    try:
        tenant_id = await create_tenant(database, act, portal_name=portal_name, name=name)
        report(f"Onboarding {name}")
    except NameTaken:
        tenant_id = await find_tenant_id(database, portal_name, name)
    if await _status(database, tenant_id) == TenantStatus.SUSPENDED:
        await resume_tenant(database, act, tenant_id)
    await _wait_until_active(database, tenant_id, name)
    await _use_something(database, act, tenant_id, portal_name)
    domain = f"canary-{side}.{portal_name}.invalid"
    member, owner = [
        await invite_member(
            database, act, tenant_id, email=f"{role}@{domain}", name=f"{role.capitalize()} of {name}", role=role
        )
        for role in ("member", "owner")
    ]
    return Canary(tenant_id, owner, member)


async def _use_something(database: Database, act: OperatorAct, tenant_id: UUID, portal_name: str) -> None:
    """Have a canary owe something, so that there is an invoice to attack: by a correction of usage, once a month.

    Both canaries have it under the same key. Where the portal has no prices there is nothing to be owed.
    """
    async with database.platform() as session:
        price = await session.scalar(
            select(Price)
            .join(PriceBook, PriceBook.id == Price.book_id)
            .join(Portal, Portal.id == PriceBook.portal_id)
            .where(Portal.name == portal_name, PriceBook.effective_from <= func.now(), Price.amount > 0)
            .order_by(PriceBook.effective_from.desc(), Price.item)
            .limit(1)
        )
    if price is None:
        return
    seconds = HOUR_SECONDS if price.unit == "hour" else 31 * 24 * HOUR_SECONDS
    key = f"verification-{utc_now():%Y-%m}"
    async with database.write(act.on(tenant_id, "usage.correct", key)) as session:
        if await session.scalar(select(UsageCorrection.id).where(UsageCorrection.key == key)) is not None:
            return
        await correct_usage(
            session,
            key=key,
            reason=act.reason,
            made_by=act.actor,
            resource_kind="verification",
            resource_id=tenant_id,
            resource_name="verification",
            item=price.item,
            unit_seconds=math.ceil((_OWED / price.amount + price.free_units) * seconds),
        )


async def _settle(database: Database, act: OperatorAct, tenant_id: UUID) -> None:
    """Credit what a canary owes: it is nobody's customer, and must not be held for what nobody pays."""
    async with database.write(act.on(tenant_id, "credit.grant", "verification")) as session:
        account = await get_account(session, for_update=True)
        for invoice in await list_open_invoices(session):
            key, why = f"verification:{invoice.id}", "A canary's invoice."
            await add_credit(session, key, invoice.owed, invoice.currency, reason=why, made_by=act.actor)
        if account is not None:
            account.wake_at = func.now()


async def _status(database: Database, tenant_id: UUID) -> str | None:
    async with database.platform() as session:
        status: str | None = await session.scalar(select(Tenant.status).where(Tenant.id == tenant_id))
        return status


async def _wait_until_active(database: Database, tenant_id: UUID, name: str) -> None:
    deadline = time.monotonic() + ONBOARDING_SECONDS
    while (status := await _status(database, tenant_id)) != TenantStatus.ACTIVE:
        if status != TenantStatus.ONBOARDING or time.monotonic() > deadline:
            raise PartyError(f"{name} is {status}: it cannot be verified with.")
        await asyncio.sleep(_POLL_SECONDS)
