"""How a canary tenant comes to own what has to do with money. Cards are Stripe's to take: a canary has none."""

import asyncio
import time
from collections.abc import AsyncIterator

from platforma.kit.probes import Belonging, Layer, NotHere, Observation, Outcome, Party, Probe, Scene

_API = "/api/v1"
_LOOKS = 5


async def _invoice(party: Party) -> str | None:
    """The invoice of an earlier month, or one that is asked for now, which takes a worker some moments."""
    asked = await party.ask("POST", f"{_API}/invoices")
    for _ in range(_LOOKS):
        invoices = (await party.ask("GET", f"{_API}/invoices")).json()["items"]
        if invoices:
            return str(invoices[0]["id"])
        if 400 <= asked.status < 500 and not asked.is_no_answer:
            raise NotHere(f"No invoice can be had: {asked.text[:200]}")
        await asyncio.sleep(1)
    if asked.status < 300:
        raise NotHere("A canary has nothing to be billed for yet: invoices reach to a quarter of an hour ago.")
    return None


async def _setup(party: Party) -> str | None:
    reply = await party.ask("POST", f"{_API}/payment-methods")
    if reply.status == 503 or (400 <= reply.status < 500 and not reply.is_no_answer):
        raise NotHere(f"No card can be left: {reply.text[:200]}")
    return str(reply.json()["id"]) if reply.status < 300 else None


async def _payment_method(party: Party) -> str | None:
    methods = (await party.ask("GET", f"{_API}/payment-methods")).json()["items"]
    if not methods:
        raise NotHere("A canary has no card.")
    return str(methods[0]["id"])


async def _payment(party: Party) -> str | None:
    if "invoice_id" not in party.ids or "payment_method_id" not in party.ids:
        raise NotHere("A canary has no card, and pays nothing.")
    payments = (await party.ask("GET", f"{_API}/invoices/{party.ids['invoice_id']}/payments")).json()["items"]
    return str(payments[0]["id"]) if payments else None


async def _budget(party: Party) -> str | None:
    body = {"name": f"budget {party.mark}", "amount": 50000}
    made = await party.ask("POST", f"{_API}/billing/budgets", body=body)
    return str(made.json()["id"]) if made.status == 201 else None


async def _unsigned_webhooks(scene: Scene) -> AsyncIterator[Observation]:
    """What is not signed by Stripe is not believed, whatever it says of B's customer."""
    event = {
        "id": f"evt_{scene.a.mark}",
        "type": "customer.updated",
        "data": {"object": {"id": f"cus_{scene.b.mark}", "object": "customer"}},
    }
    forged = {
        "without a signature": {},
        "with an empty signature": {"stripe-signature": ""},
        "signed by A": {"stripe-signature": f"t={int(time.time())},v1={'0' * 64}"},
        "signed long ago": {"stripe-signature": f"t=1,v1={'0' * 64}"},
    }
    for name, headers in forged.items():
        reply = await scene.a.ask("POST", f"{_API}/webhooks/stripe", body=event, headers=headers, session=None)
        detail = f"answered {reply.status}"
        if reply.is_no_answer:
            yield Observation(name, Outcome.NOT_PROVEN, detail)
        else:
            yield Observation(name, Outcome.HELD if reply.status == 400 else Outcome.BYPASSED, detail)


PROBES = (
    Probe(
        "unsigned webhooks",
        Layer.BILLING,
        "Webhooks that Stripe has not signed",
        ("B02",),
        _unsigned_webhooks,
        "Answered 400",
    ),
)
BELONGINGS = (
    Belonging("budget_id", _budget, Layer.BILLING),
    Belonging("invoice_id", _invoice, Layer.BILLING),
    Belonging("setup_id", _setup, Layer.BILLING),
    Belonging("payment_method_id", _payment_method, Layer.BILLING),
    Belonging("payment_id", _payment, Layer.BILLING),
)
