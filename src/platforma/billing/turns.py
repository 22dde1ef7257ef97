"""Workers take turns at billing accounts: one after another, whichever is due, on any number of machines.

A turn is a lease that the gate gives out and a dead worker loses; all that is done in it is safe to do twice.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, func
from sqlalchemy.exc import DBAPIError

from platforma.billing.invoicing import SETTLING, get_account, issue_due_invoices
from platforma.billing.rating import month_of
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import call_gate
from platforma.kit.clock import Clock, utc_now

logger = structlog.get_logger(__name__)

POLL_SECONDS = 2.0
LEASE_SECONDS = 120.0
LONGEST_SLEEP = timedelta(hours=6)
STUCK_SLEEP = timedelta(minutes=10)
"""When to look again at what could not be issued, because the portal has no seller."""


@dataclass
class NextTurn:
    """Binds to the tenant whose account is due, which the gate chooses, and keeps the token of the turn."""

    lease: UUID | None = None

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(connection, "take_billing_turn", lease_seconds=LEASE_SECONDS)
        if row is None:
            return None
        self.lease = row.lease
        tenant: UUID = row.tenant_id
        return tenant


@dataclass
class Turn:
    """Binds to the tenant at whose account this worker has the turn."""

    lease: UUID

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(connection, "open_billing_turn", turn=self.lease)
        return row.tenant_id if row else None


async def keep_billing(database: Database, *, clock: Clock = utc_now) -> None:
    """Bill tenants when they are due, until cancelled. While the database is away it tries again."""
    while True:
        try:
            await database.call_gate("add_billing_accounts")
            while await take_turn(database, clock=clock):
                pass
        except DBAPIError:
            logger.warning("billing could not reach the database")
        await asyncio.sleep(POLL_SECONDS)


async def take_turn(database: Database, *, clock: Clock = utc_now) -> bool:
    """Bill one tenant that is due; return whether there was one. Whatever goes wrong is tried again later."""
    taken = NextTurn()
    try:
        async with database.write(taken):
            pass
    except NotBoundError:
        return False
    assert taken.lease is not None  # noqa: S101 (it is bound)
    try:
        await bill(database, Turn(taken.lease), now=clock())
    except NotBoundError:
        logger.warning("another worker has the turn")
    except DBAPIError:
        raise
    except Exception:
        logger.exception("a tenant could not be billed")
    return True


async def bill(database: Database, turn: Turn, *, now: datetime) -> None:
    """Issue what is due, and say when to look again."""
    async with database.write(turn) as session:
        account = await get_account(session, for_update=True)
        if account is None:
            return
        for invoice in await issue_due_invoices(session, account, now=now):
            logger.info("invoice issued", tenant_id=str(session.tenant_id), number=invoice.number)
        account.attempts = 0
        account.lease = None
        account.wake_at = func.now() + time_to_next_look(account.billed_until, now)


def time_to_next_look(billed_until: datetime, now: datetime) -> timedelta:
    """Return when an account is looked at next: when its month is over and has settled, or in some hours."""
    due = month_of(billed_until).ends + SETTLING + timedelta(minutes=1) - now
    return min(due, LONGEST_SLEEP) if due > timedelta() else STUCK_SLEEP
