"""How a canary tenant comes to own an invoice."""

import asyncio

from platforma.kit.probes import Belonging, Layer, Party

_LOOKS = 5


async def _invoice(party: Party) -> str | None:
    """The invoice of an earlier month, or one that is asked for now, which takes a worker some moments."""
    await party.ask("POST", "/api/v1/invoices")
    for _ in range(_LOOKS):
        invoices = (await party.ask("GET", "/api/v1/invoices")).json()["items"]
        if invoices:
            return str(invoices[0]["id"])
        await asyncio.sleep(1)
    return None


BELONGINGS = (Belonging("invoice_id", _invoice, Layer.BILLING, is_optional=True),)
