"""Workers take turns at billing accounts: one after another, whichever is due, on any number of machines.

A turn is a lease that the gate gives out and a dead worker loses; all that is done in it is safe to do twice.
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, func
from sqlalchemy.exc import DBAPIError

from platforma.billing.budgets import watch_budgets
from platforma.billing.closing import close_account, is_gone
from platforma.billing.collecting import (
    ATTEMPTS,
    LOOK_AGAIN,
    Compare,
    LookAtPayment,
    LookAtRefund,
    LookAtSetup,
    MakeCustomer,
    RemoveCard,
    find_task,
    has_unfinished,
    schedule_payments,
)
from platforma.billing.dunning import dun
from platforma.billing.invoicing import SETTLING, get_account, issue_due_invoices
from platforma.billing.ledger import use_credit
from platforma.billing.rating import month_of
from platforma.clouds.errors import CloudCredentialInvalid, CloudError
from platforma.clouds.stripe import PaymentProvider
from platforma.database.database import Database
from platforma.database.errors import NotBoundError
from platforma.database.gate_calls import call_gate
from platforma.kit.clock import Clock, utc_now

logger = structlog.get_logger(__name__)

POLL_SECONDS = 2.0
LEASE_SECONDS = 120.0
AT_ONCE = 4
"""How many tenants one worker bills at once: most of a turn is waiting for Stripe."""
FIRST_RETRY = timedelta(seconds=5)
TASKS_PER_TURN = 40
PERSISTENT = (MakeCustomer, LookAtSetup, RemoveCard, LookAtPayment, LookAtRefund, Compare)
"""What would be found again at once after Stripe has refused it: the turn ends, and it is tried later."""
BUDGETS_EVERY = timedelta(hours=1)
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


@dataclass(frozen=True)
class CollectionEnd:
    """Why a turn asks Stripe for no more: there is nothing, something is in the way, or it has been long enough."""

    trouble: CloudError | None = None
    has_more: bool = False


@dataclass
class Turn:
    """Binds to the tenant at whose account this worker has the turn."""

    lease: UUID

    def bind(self, connection: Connection) -> UUID | None:
        """See Binding."""
        row = call_gate(connection, "open_billing_turn", turn=self.lease)
        return row.tenant_id if row else None


async def keep_billing(
    database: Database,
    stripe: PaymentProvider | None = None,
    *,
    executor: Executor | None = None,
    clock: Clock = utc_now,
    settling: timedelta = SETTLING,
) -> None:
    """Bill tenants when they are due, until cancelled. While the database is away it tries again."""
    while True:
        try:
            await database.call_gate("add_billing_accounts")
            async with asyncio.TaskGroup() as turns:
                for _ in range(AT_ONCE):
                    turns.create_task(_take_turns(database, stripe, executor, clock, settling))
        except* DBAPIError:
            logger.warning("billing could not reach the database")
        await asyncio.sleep(POLL_SECONDS)


async def _take_turns(
    database: Database, stripe: PaymentProvider | None, executor: Executor | None, clock: Clock, settling: timedelta
) -> None:
    while await take_turn(database, stripe, executor=executor, clock=clock, settling=settling):
        pass


async def take_turn(
    database: Database,
    stripe: PaymentProvider | None = None,
    *,
    executor: Executor | None = None,
    clock: Clock = utc_now,
    settling: timedelta = SETTLING,
) -> bool:
    """Bill one tenant that is due; return whether there was one. Whatever goes wrong is tried again later."""
    taken = NextTurn()
    try:
        async with database.write(taken):
            pass
    except NotBoundError:
        return False
    assert taken.lease is not None  # noqa: S101 (it is bound)
    turn = Turn(taken.lease)
    try:
        await bill(database, turn, now=clock(), settling=settling)
        end = await collect(database, turn, stripe, executor=executor, clock=clock) if stripe else CollectionEnd()
        await end_turn(database, turn, end, now=clock())
    except NotBoundError:
        logger.warning("another worker has the turn")
    except DBAPIError:
        raise
    except Exception:
        logger.exception("a tenant could not be billed")
    return True


async def bill(database: Database, turn: Turn, *, now: datetime, settling: timedelta = SETTLING) -> None:
    """Issue what is due, pay with credit, wish for what is open to be collected, and close who is gone."""
    async with database.write(turn) as session:
        account = await get_account(session, for_update=True)
        if account is None:
            return
        for invoice in await issue_due_invoices(session, account, now=now, settling=settling):
            logger.info("invoice issued", tenant_id=str(session.tenant_id), number=invoice.number)
        await use_credit(session)
        has_cards = await schedule_payments(session, now=now)
        if await is_gone(session):
            await close_account(session, account, now=now, attempts=len(ATTEMPTS) if has_cards else 0)


async def collect(
    database: Database, turn: Turn, stripe: PaymentProvider, *, executor: Executor | None = None, clock: Clock = utc_now
) -> CollectionEnd:
    """Ask of Stripe what is to be asked, one thing after another, until there is no more or something is in the way."""
    loop = asyncio.get_running_loop()
    for _ in range(TASKS_PER_TURN):
        async with database.write(turn) as session:
            task = await find_task(session, now=clock())
        if task is None:
            return CollectionEnd()
        try:
            result = await loop.run_in_executor(executor, task.run, stripe)
        except CloudError as error:
            if error.is_transient or isinstance(error, CloudCredentialInvalid):
                return CollectionEnd(error)
            async with database.write(turn) as session:
                await task.refuse(session, error, clock())
            if isinstance(task, PERSISTENT):
                return CollectionEnd(error)
            continue
        async with database.write(turn) as session:
            await task.record(session, result, clock())
    return CollectionEnd(has_more=True)


async def end_turn(database: Database, turn: Turn, end: CollectionEnd, *, now: datetime) -> None:
    """Look at how the tenant stands after all that, and say when to look again."""
    trouble = end.trouble
    async with database.write(turn) as session:
        account = await get_account(session, for_update=True)
        if account is None:
            return
        await dun(session, now=now)
        has_budgets = await watch_budgets(session, now=now)
        account.lease = None
        account.stripe_trouble = str(trouble) if trouble is not None else None
        delay = time_to_next_look(account.billed_until, now)
        if has_budgets:
            delay = min(delay, BUDGETS_EVERY)
        if trouble is not None:
            delay = min(delay, FIRST_RETRY * 2 ** min(account.attempts - 1, 7))
            delay = max(delay, timedelta(seconds=trouble.retry_after or 0))
        else:
            account.attempts = 0
            if end.has_more:
                delay = timedelta()
            elif await has_unfinished(session):
                delay = min(delay, LOOK_AGAIN)
        account.wake_at = func.now() + delay


def time_to_next_look(billed_until: datetime, now: datetime) -> timedelta:
    """Return when an account is looked at next: when its month is over and has settled, or in some hours."""
    due = month_of(billed_until).ends + SETTLING + timedelta(minutes=1) - now
    return min(due, LONGEST_SLEEP) if due > timedelta() else STUCK_SLEEP
