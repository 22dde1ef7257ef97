"""Budgets: who wants to know when a month has cost how much, and that it has."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select

from platforma.authentication.principals import Principal
from platforma.billing.costs import find_costs
from platforma.billing.errors import BudgetExists
from platforma.billing.ledger import add_event
from platforma.billing.payment_models import BillingEvent, Budget
from platforma.billing.schemas import BudgetCreate
from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.ids import new_id
from platforma.kit.problems import NotFound, QuotaExceeded
from platforma.tenants.models import AuditEvent

MOST_BUDGETS = 20


async def list_budgets(session: TenantSession) -> Sequence[Budget]:
    """Return the tenant's budgets by name."""
    return (await session.scalars(select(Budget).order_by(Budget.name))).all()


async def create_budget(session: WriteSession, principal: Principal, wanted: BudgetCreate) -> Budget:
    """Make a budget; raises BudgetExists or QuotaExceeded."""
    if (await session.scalar(select(func.count()).select_from(Budget)) or 0) >= MOST_BUDGETS:
        raise QuotaExceeded(f"There can be {MOST_BUDGETS} budgets.")
    if await session.scalar(select(Budget.id).where(Budget.name == wanted.name)) is not None:
        raise BudgetExists
    budget = Budget(id=new_id(), name=wanted.name, amount=wanted.amount, thresholds=sorted(set(wanted.thresholds)))
    session.add(budget)
    session.add(AuditEvent(actor=principal.email, action="budget.create", target=wanted.name))
    await session.flush()
    await session.refresh(budget)
    return budget


async def delete_budget(session: WriteSession, principal: Principal, budget_id: UUID) -> None:
    """Remove a budget; raises NotFound."""
    budget = await session.get(Budget, budget_id)
    if budget is None:
        raise NotFound
    await session.delete(budget)
    session.add(AuditEvent(actor=principal.email, action="budget.delete", target=budget.name))
    await session.flush()


async def watch_budgets(session: WriteSession, *, now: datetime) -> bool:
    """Write down, once a month each, which shares of which budgets have been reached; say whether there are any."""
    budgets = await list_budgets(session)
    if not budgets:
        return False
    costs = await find_costs(session, now, now=now)
    for budget in budgets:
        for threshold in budget.thresholds:
            if costs.rated.net * 100 >= budget.amount * threshold:
                await add_event(
                    session,
                    f"budget:{budget.id}:{costs.period.begins:%Y-%m}:{threshold}",
                    "budget",
                    name=budget.name,
                    threshold=threshold,
                    amount=budget.amount,
                    net=costs.rated.net,
                )
    return True


async def list_events(session: TenantSession, *, limit: int = 50) -> Sequence[BillingEvent]:
    """Return what has happened to the tenant's bills, the newest first."""
    statement = select(BillingEvent).order_by(BillingEvent.at.desc(), BillingEvent.id.desc()).limit(limit)
    return (await session.scalars(statement)).all()
