"""The demo's bills: a seller and a tax, a month that was used, a card, and an invoice that was collected from it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from devcloud.openstack.errors import StartError
from platforma.clouds.stripe.browser import confirm_test_card

Ask = Callable[..., Any]
"""Asks an API as somebody: method, path, and what is sent; returns the answer."""

SECONDS = 120.0
TAX = {"country": "*", "label": "VAT", "percent": "19"}
MONTH_SECONDS = 30 * 24 * 3600
_REASON = "For the demo"


def open_books(operator: Ask, portal_id: str, title: str, name: str) -> None:
    """Say as the operator who issues a portal's invoices, and the tax on them."""
    seller = {
        "company": f"{title} GmbH",
        "line1": "Friedrichstraße 1",
        "postal_code": "10117",
        "city": "Berlin",
        "country": "DE",
        "email": f"billing@{name}.example",
        "prefix": name[:3].upper(),
    }
    operator("PUT", f"/portals/{portal_id}/seller", seller)
    if not operator("GET", f"/portals/{portal_id}/tax-rates")["items"]:
        operator("POST", f"/portals/{portal_id}/tax-rates", TAX)


def add_usage(operator: Ask, tenant_id: str) -> None:
    """Have a month of two servers counted, as an operator does who makes up for what was not metered."""
    correction = {
        "key": "demo",
        "reason": _REASON,
        "resource_kind": "servers",
        "resource_id": str(uuid4()),
        "resource_name": "before the move",
        "item": "server.running",
        "unit_seconds": 2 * MONTH_SECONDS,
    }
    operator("POST", f"/tenants/{tenant_id}/usage-corrections", correction)


def pay_an_invoice(owner: Ask, tenant: str, domain: str) -> None:
    """Leave a card, have an invoice made, and wait until it is paid; set a budget."""
    details = {"company": f"{tenant} Ltd", "line1": "1 High Street", "postal_code": "10115", "city": "Berlin"}
    owner("PUT", "/billing/details", details | {"country": "DE", "contacts": [f"billing@{domain}"]})
    if not owner("GET", "/billing/budgets")["items"]:
        owner("POST", "/billing/budgets", {"name": "Month", "amount": 2000})
    if not owner("GET", "/payment-methods")["items"]:
        _leave_card(owner, tenant)

    def issued() -> Any:
        invoices = owner("GET", "/invoices")["items"]
        if not invoices:
            owner("POST", "/invoices")
        return invoices and invoices[0]["status"] == "paid"

    _until(f"the invoice of {tenant}", issued)


def _leave_card(owner: Ask, tenant: str) -> None:
    path = f"/payment-methods/setups/{owner('POST', '/payment-methods')['id']}"
    _until(f"the card of {tenant}", lambda: owner("GET", path)["status"] != "wanted")
    setup = owner("GET", path)
    refusal = asyncio.run(confirm_test_card(setup["script_url"], setup["publishable_key"], setup["client_secret"]))
    if refusal is not None:
        raise StartError(f"demo: the card of {tenant}: {refusal}")
    owner("POST", f"{path}/finish")
    _until(f"the card of {tenant}", lambda: owner("GET", "/payment-methods")["items"])


def _until(words: str, is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise StartError(f"demo: {words}: not there in time")
        time.sleep(0.5)
