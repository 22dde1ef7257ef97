"""A tenant that has used something, at a portal that bills."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg

from platforma.database.database import Database
from platforma.kit.ids import new_id
from tests.database.tenants import SignedIn
from tests.operator.conftest import Plane

Administrator = psycopg.AsyncConnection[Any]

SELLER: dict[str, Any] = {
    "company": "Żółw & Söhne",
    "line1": "Ulica 1",
    "postal_code": "10115",
    "city": "Łódź",
    "country": "DE",
    "email": "billing@example.org",
    "prefix": "ACME",
    "payment_days": 14,
    "grace_days": 7,
}
BOOK: dict[str, Any] = {
    "currency": "EUR",
    "prices": [{"item": "volume", "label": "Volume, per GiB", "unit": "hour", "amount": "0.01"}],
}


async def open_billing(plane: Plane, administrator: Administrator, who: SignedIn, since: datetime) -> None:
    """Let the portal of a tenant have prices, a seller and a tax since a moment."""
    portal = f"/portals/{who.portal_id}"
    await plane.call("POST", f"{portal}/price-books", status=201, json=BOOK)
    await plane.call("PUT", f"{portal}/seller", status=200, json=SELLER)
    rate = {"country": "DE", "label": "USt", "percent": "19"}
    await plane.call("POST", f"{portal}/tax-rates", status=201, json=rate)
    for table in ("price_books", "tax_rates"):
        await administrator.execute(
            f"UPDATE {table} SET effective_from = %s WHERE portal_id = %s".encode(), (since, who.portal_id)
        )


async def add_usage(
    administrator: Administrator, who: SignedIn, begins: datetime, ends: datetime | None, *, quantity: int = 10
) -> UUID:
    """Write what the meter would have written of a volume."""
    resource_id = new_id()
    for at, units in ((begins, quantity), (ends, 0)):
        if at is not None:
            await administrator.execute(
                "INSERT INTO usage_events"
                " (tenant_id, id, resource_kind, resource_id, resource_name, item, quantity, at)"
                " VALUES (%s, %s, 'volumes', %s, 'data', 'volume', %s, %s)",
                (who.tenant_id, new_id(), resource_id, units, at),
            )
    return resource_id


async def make_account(worker: Database, administrator: Administrator, who: SignedIn, billed_until: datetime) -> None:
    """Make the tenant's account, as if all had been billed until a moment; nobody else's is due."""
    await worker.call_gate("add_billing_accounts")
    await administrator.execute("UPDATE billing_accounts SET wake_at = '2100-01-01', lease = NULL, attempts = 0")
    await administrator.execute(
        "UPDATE billing_accounts SET billed_until = %s WHERE tenant_id = %s", (billed_until, who.tenant_id)
    )


async def wake(administrator: Administrator, *who: SignedIn) -> None:
    """Let the accounts of tenants be due."""
    for tenant in who:
        await administrator.execute(
            "UPDATE billing_accounts SET wake_at = now(), attempts = 0 WHERE tenant_id = %s", (tenant.tenant_id,)
        )


def month_before(now: datetime) -> tuple[datetime, datetime]:
    """Return the beginning of the month before a moment's, and of that month."""
    this = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (this - timedelta(days=1)).replace(day=1), this
