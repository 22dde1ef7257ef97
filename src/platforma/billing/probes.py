"""How a canary tenant comes to own what has to do with money. Cards are Stripe's to take: a canary has none."""

import asyncio

from platforma.kit.probes import Belonging, Layer, Party

_API = "/api/v1"
_LOOKS = 5


async def _invoice(party: Party) -> str | None:
    """The invoice of an earlier month, or one that is asked for now, which takes a worker some moments."""
    await party.ask("POST", f"{_API}/invoices")
    for _ in range(_LOOKS):
        invoices = (await party.ask("GET", f"{_API}/invoices")).json()["items"]
        if invoices:
            return str(invoices[0]["id"])
        await asyncio.sleep(1)
    return None


async def _setup(party: Party) -> str | None:
    reply = await party.ask("POST", f"{_API}/payment-methods")
    return str(reply.json()["id"]) if reply.status < 300 else None


async def _payment_method(party: Party) -> str | None:
    methods = (await party.ask("GET", f"{_API}/payment-methods")).json()["items"]
    return str(methods[0]["id"]) if methods else None


async def _payment(party: Party) -> str | None:
    if "invoice_id" not in party.ids:
        return None
    payments = (await party.ask("GET", f"{_API}/invoices/{party.ids['invoice_id']}/payments")).json()["items"]
    return str(payments[0]["id"]) if payments else None


async def _budget(party: Party) -> str | None:
    body = {"name": f"budget {party.mark}", "amount": 50000}
    made = await party.ask("POST", f"{_API}/billing/budgets", body=body)
    return str(made.json()["id"]) if made.status == 201 else None


BELONGINGS = (
    Belonging("budget_id", _budget, Layer.BILLING, is_optional=True),
    Belonging("invoice_id", _invoice, Layer.BILLING, is_optional=True),
    Belonging("setup_id", _setup, Layer.BILLING, is_optional=True),
    Belonging("payment_method_id", _payment_method, Layer.BILLING, is_optional=True),
    Belonging("payment_id", _payment, Layer.BILLING, is_optional=True),
)
