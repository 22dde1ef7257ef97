"""How a canary tenant comes to own what has to do with money, and the attacks on bills, payments and customers.

A canary's card is Stripe's own test card, confirmed as a browser does it; where Stripe is the live one there is none.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import errors

from platforma.clouds.stripe.browser import confirm_test_card, is_test_key
from platforma.database.engine import libpq_dsn
from platforma.database.roles import APPLICATION_ROLES
from platforma.kit.probes import Belonging, Layer, NotHere, Observation, Outcome, Party, Probe, Reply, Scene

_API = "/api/v1"
_WEBHOOK = f"{_API}/webhooks/stripe"
NAME_OF_BOTH = "Budget of both"
_TELLING = ("invoice_id", "payment_id", "payment_method_id", "setup_id", "budget_id", "server_id", "volume_id")
"""Ids of B's that would be in what is told of B's bills."""
_LOOKS = 15
_LOOK_SECONDS = 2.0


async def _look_until(look: Callable[[], Awaitable[str | None]]) -> str | None:
    """Return what comes of looking some times: a worker takes some moments."""
    for number in range(_LOOKS):
        if number:
            await asyncio.sleep(_LOOK_SECONDS)
        found = await look()
        if found is not None:
            return found
    return None


def _is_refused(reply: Reply) -> bool:
    return 400 <= reply.status < 500 and not reply.is_no_answer


async def _setup(party: Party) -> str | None:
    reply = await party.ask("POST", f"{_API}/payment-methods")
    if reply.status == 503 or _is_refused(reply):
        raise NotHere(f"No card can be left: {reply.text[:200]}")
    return str(reply.json()["id"]) if reply.status < 300 else None


async def _payment_method(party: Party) -> str | None:
    methods = (await party.ask("GET", f"{_API}/payment-methods")).json()["items"]
    if methods:
        return str(methods[0]["id"])
    setup_id = await _setup(party)
    path = f"{_API}/payment-methods/setups/{setup_id}"

    async def ready() -> str | None:
        setup = (await party.ask("GET", path)).json()
        if setup["publishable_key"] is None or not is_test_key(setup["publishable_key"]):
            raise NotHere("A canary has no card: Stripe is the live one, or none.")
        if setup["status"] == "ready":
            refusal = await confirm_test_card(setup["script_url"], setup["publishable_key"], setup["client_secret"])
            if refusal is not None:
                raise NotHere(f"A canary has no card. {refusal}")
        return setup["status"] if setup["status"] != "wanted" else None

    async def kept() -> str | None:
        items = (await party.ask("GET", f"{_API}/payment-methods")).json()["items"]
        return str(items[0]["id"]) if items else None

    if await _look_until(ready) is None:
        return None
    await party.ask("POST", f"{path}/finish")
    return await _look_until(kept)


async def _invoice(party: Party) -> str | None:
    """The invoice of an earlier month, or one that is asked for now, made out to the canary's mark."""
    await party.ask("PUT", f"{_API}/billing/details", body=_details(party))
    if not (await party.ask("GET", f"{_API}/billing/prices")).json()["items"]:
        raise NotHere("The portal has no prices.")

    async def issued() -> str | None:
        invoices = (await party.ask("GET", f"{_API}/invoices")).json()["items"]
        if invoices:
            return str(invoices[0]["id"])
        asked = await party.ask("POST", f"{_API}/invoices")
        if _is_refused(asked):
            raise NotHere(f"No invoice can be had: {asked.text[:200]}")
        return None

    id_ = await _look_until(issued)
    if id_ is None:
        raise NotHere("A canary has nothing to be billed for yet: what it has used has not settled.")
    return id_


def _details(party: Party) -> dict[str, str]:
    """Return whom a canary's invoices are made out to."""
    place = {"line1": "Main street 1", "postal_code": "10115", "city": "Berlin", "country": "DE"}
    return {"company": f"company {party.mark}", **place}


async def _payment(party: Party) -> str | None:
    if "invoice_id" not in party.ids or "payment_method_id" not in party.ids:
        raise NotHere("A canary has no card or no invoice, and pays nothing.")
    path = f"{_API}/invoices/{party.ids['invoice_id']}/payments"
    await party.ask("POST", path)

    async def tried() -> str | None:
        payments = (await party.ask("GET", path)).json()["items"]
        is_done = payments and payments[0]["status"] in ("succeeded", "failed")
        return str(payments[0]["id"]) if is_done else None

    id_ = await _look_until(tried)
    if id_ is None:
        raise NotHere("A canary has paid by credit.")
    return id_


async def _budget(party: Party) -> str | None:
    """One with the mark in its name, and one that both have. Those of earlier verifications go."""
    for item in (await party.ask("GET", f"{_API}/billing/budgets")).json()["items"]:
        if item["name"] != NAME_OF_BOTH:
            await party.ask("DELETE", f"{_API}/billing/budgets/{item['id']}")
    await party.ask("POST", f"{_API}/billing/budgets", body={"name": NAME_OF_BOTH, "amount": 50000})
    body = {"name": f"budget {party.mark}", "amount": 50000}
    made = await party.ask("POST", f"{_API}/billing/budgets", body=body)
    return str(made.json()["id"]) if made.status == 201 else None


async def _records(scene: Scene) -> AsyncIterator[Observation]:
    """B01: nothing of B's is in what A sees of its own bills, whatever tenant A names."""
    b = scene.b
    for path, need in (
        ("/invoices", "invoice_id"),
        ("/payment-methods", "payment_method_id"),
        ("/billing/budgets", "budget_id"),
        ("/billing/events", "payment_id"),
        ("/billing/details", "invoice_id"),
        ("/billing/costs", ""),
        ("/billing/usage.csv", ""),
    ):
        if need and need not in b.ids:
            yield Observation(path, Outcome.NOT_PROVEN, f"B has nothing that is a {need}.")
            continue
        own = await b.ask("GET", f"{_API}{path}")
        words = [b.mark, *(b.ids[name] for name in _TELLING if name in b.ids)]
        is_control = own.status == 200 and (not need or any(word in own.text for word in words))
        for query in ("", f"?tenant_id={b.ids.get('tenant_id', uuid4())}", f"?customer={b.mark}"):
            reply = await scene.a.ask("GET", f"{_API}{path}{query}")
            told = [word for word in words if word in reply.text.replace(query.partition("=")[2] or "\0", "")]
            yield _judged(
                f"GET {path}{query.partition('=')[0]}",
                f"answered {reply.status}" + (f", with {told[0]} of B's" if told else ""),
                is_bypass=bool(told),
                control=None if is_control else f"B's own answer is {own.status} {own.text[:100]}",
                replies=(reply, own),
            )


async def _signed_webhooks(scene: Scene) -> AsyncIterator[Observation]:
    """B02: what is not signed by Stripe, or not now, is not believed; and what is signed counts for no tenant it names.

    What is rightly signed is tried where the one who verifies knows the webhook's secret.
    """
    body = json.dumps(
        {
            "id": f"evt_{scene.a.mark}",
            "type": "customer.updated",
            "data": {
                "object": {
                    "id": f"cus_{scene.b.mark}",
                    "object": "customer",
                    "metadata": {"tenant_id": scene.b.ids.get("tenant_id", "")},
                }
            },
        }
    ).encode()
    now = int(time.time())
    attempts = {
        "without a signature": (body, ""),
        "signed by A": (body, f"t={now},v1={'0' * 64}"),
        "signed with a guess": (body, sign(body, "whsec_guess", now)),
        "signed long ago by a guess": (body, f"t=1,v1={'0' * 64}"),
    }
    secret = scene.webhook_secrets[0] if scene.webhook_secrets else None
    failed = None
    if secret is not None:
        right = sign(body, secret, now)
        reply = await _deliver(scene.a, body, right)
        failed = None if reply.status == 204 else f"What is rightly signed is answered {reply.status}."
        attempts |= {
            "altered": (body.replace(b"updated", b"deleted"), right),
            "an hour old": (body, sign(body, secret, now - 3600)),
            "of the future": (body, sign(body, secret, now + 3600)),
            "signed by an older scheme alone": (body, right.replace("v1=", "v0=")),
        }
    for name, (content, header) in attempts.items():
        reply = await _deliver(scene.a, content, header)
        knows_why = reply.is_no_answer or reply.status != 400 or "bad-signature" in reply.text
        yield _judged(
            name,
            f"answered {reply.status}",
            is_bypass=reply.status != 400,
            control=failed or (None if knows_why else f"It was refused for something else: {reply.text[:200]}"),
            replies=(reply,),
        )
    if secret is not None:
        views = ("/invoices", "/payment-methods", "/billing/events")
        before = [await scene.b.ask("GET", f"{_API}{view}") for view in views]
        for _ in range(2):
            reply = await _deliver(scene.a, body, right)
        after = [await scene.b.ask("GET", f"{_API}{view}") for view in views]
        yield _judged(
            "replayed, with metadata that names B",
            f"answered {reply.status}; B's invoices, cards and events were looked at before and after",
            is_bypass=any(one.body != other.body for one, other in zip(before, after, strict=True)),
            control=failed,
            replies=(reply, *before, *after),
        )


async def _keys(scene: Scene) -> AsyncIterator[Observation]:
    """B03: a name that has to be unique is so within a tenant: both have it, and neither can have it twice."""
    path = f"{_API}/billing/budgets"
    replies = [await party.ask("GET", path) for party in (scene.a, scene.b)]
    again = await scene.a.ask("POST", path, body={"name": NAME_OF_BOTH, "amount": 1})
    ours, theirs = [NAME_OF_BOTH in reply.text for reply in replies]
    failed = None
    if not theirs or again.status != 409:
        failed = f"B has {'it' if theirs else 'none'}, and A's second is answered {again.status}."
    yield _judged(
        "a budget's name",
        f"A has {'it' if ours else 'none'}, and its second is answered {again.status}",
        is_bypass=theirs and not ours,
        control=failed,
        replies=(*replies, again),
    )


async def _customers(scene: Scene) -> AsyncIterator[Observation]:
    """B05: no request says which customer of Stripe a tenant is."""
    a = scene.a
    details = _details(a)
    asked: dict[str, dict[str, Any]] = {
        "PUT /billing/details": details,
        "POST /billing/budgets": {"name": f"bound {a.mark}", "amount": 1},
    }
    control = await a.ask("PUT", f"{_API}/billing/details", body=details)
    for route, body in asked.items():
        method, path = route.split()
        for name in ("customer", "customer_id", "stripe_customer_id", "tenant_id"):
            sent = body | {name: f"cus_{scene.b.mark}"}
            reply = await a.ask(method, f"{_API}{path}", body=sent)
            yield _judged(
                f"{route} with {name}",
                f"answered {reply.status}",
                is_bypass=reply.status < 400,
                control=None if control.status == 200 else f"Without it, it is answered {control.status}.",
                replies=(reply, control),
            )


async def _payments(scene: Scene) -> AsyncIterator[Observation]:
    """B06: A pays or refunds nothing of B's, and nothing with B's card."""
    a, b = scene.a, scene.b
    missing = [name for name in ("invoice_id", "payment_method_id") if name not in a.ids or name not in b.ids]
    if missing:
        yield Observation("payments", Outcome.NOT_PROVEN, f"B has nothing that is a {missing[0]}.")
        return
    unknown, invoice, card = str(uuid4()), b.ids["invoice_id"], b.ids["payment_method_id"]
    tenant = b.ids.get("tenant_id", unknown)
    seen = (f"/invoices/{invoice}", f"/invoices/{invoice}/payments", "/payment-methods")
    before = [await b.ask("GET", f"{_API}{path}") for path in seen]
    own = await a.ask("POST", f"{_API}/invoices/{a.ids['invoice_id']}/payments")
    failed = None if own.status in (202, 409) else f"A's own invoice is answered {own.status}."
    for name, method, path, body in (
        ("pay B's invoice", "POST", "/invoices/{}/payments", None),
        ("pay B's invoice on its page", "POST", "-/invoices/{}/pay", None),
        ("collect from B's card", "POST", "/payment-methods/{}/default", None),
        ("remove B's card", "DELETE", "/payment-methods/{}", None),
        ("refund B's invoice", "POST", f"/tenants/{tenant}/invoices/{{}}/credit-notes", {"net": 1, "reason": "attack"}),
    ):
        named = card if "payment-methods" in path else invoice
        target = path[1:] if path.startswith("-") else f"{_API}{path}"
        theirs, nobodys = [await a.ask(method, target.format(id_), body=body) for id_ in (named, unknown)]
        is_alike = theirs.status == nobodys.status and theirs.status >= 400
        yield _judged(
            name,
            f"answered {theirs.status}, and {nobodys.status} to an id that never was",
            is_bypass=not is_alike,
            control=failed,
            replies=(theirs, nobodys),
        )
    after = [await b.ask("GET", f"{_API}{path}") for path in seen]
    yield _judged(
        "B's invoice, payments and cards are as before",
        "looked at before and after",
        is_bypass=[each.body for each in before] != [each.body for each in after],
        control=failed or (None if before[0].status == 200 else f"B's own invoice is answered {before[0].status}."),
        replies=(*before, *after),
    )


def look_at_customers(url: str) -> list[Observation]:
    """B05 as the database has it: one customer to a tenant and one tenant to a customer, written by one function.

    `url` is of the operator's role, which may not write it. Whatever is tried is rolled back.
    """
    seen = []
    try:
        with psycopg.connect(libpq_dsn(url)) as connection:
            columns = connection.execute(_KEYS).fetchall()
            unique = {tuple(row[0]) for row in columns}
            for name in ("customer_id", "tenant_id"):
                outcome = Outcome.HELD if (name,) in unique else Outcome.BYPASSED
                seen.append(Observation(f"one {name}", outcome, f"unique: {sorted(unique)}"))
            roles = [role.value for role in APPLICATION_ROLES]
            writers = [row[0] for row in connection.execute(_WRITERS, {"roles": roles}).fetchall()]
            outcome = Outcome.BYPASSED if writers else Outcome.HELD
            seen.append(Observation("nobody writes it", outcome, f"may write: {writers or 'none of them'}"))
            connection.rollback()
            for name, statement in _REBINDINGS.items():
                try:
                    with connection.transaction(force_rollback=True):
                        connection.execute(statement)
                except errors.InsufficientPrivilege as error:
                    seen.append(Observation(name, Outcome.HELD, str(error)[:200]))
                except errors.IntegrityError as error:
                    seen.append(Observation(name, Outcome.BYPASSED, f"No right was wanting: {error}"[:200]))
                else:
                    seen.append(Observation(name, Outcome.BYPASSED, "The database did it."))
    except psycopg.Error as error:
        words = f"The database could not be asked. {type(error).__name__}: {error}"[:300]
        seen.append(Observation("the customers", Outcome.NOT_PROVEN, words))
    return seen


_KEYS = """SELECT array(SELECT a.attname::text FROM unnest(c.conkey) k JOIN pg_attribute a
                        ON a.attrelid = c.conrelid AND a.attnum = k ORDER BY 1)
           FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace
           WHERE c.contype IN ('p', 'u') AND n.nspname = 'gate' AND t.relname = 'stripe_customers'"""
_WRITERS = """SELECT r.rolname::text FROM pg_roles r, pg_class t, pg_namespace n
              WHERE t.relnamespace = n.oid AND n.nspname = 'gate' AND t.relname = 'stripe_customers'
              AND r.rolname = ANY(%(roles)s)
              AND has_table_privilege(r.oid, t.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"""
_REBINDINGS = {
    "bind a customer by hand": "SELECT gate.bind_customer('cus_probe')",
    "write a customer": "INSERT INTO gate.stripe_customers (customer_id, tenant_id)"
    " VALUES ('cus_probe', gen_random_uuid())",
    "replace a customer": "UPDATE gate.stripe_customers SET customer_id = 'cus_probe'",
    "unbind a customer": "DELETE FROM gate.stripe_customers",
}


def sign(payload: bytes, secret: str, moment: int) -> str:
    """Return the header that Stripe would send with a body."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


async def _deliver(party: Party, body: bytes, header: str) -> Reply:
    headers = {"stripe-signature": header, "content-type": "application/json"}
    return await party.ask("POST", _WEBHOOK, content=body, headers=headers, session=None)


def _judged(subject: str, detail: str, *, is_bypass: bool, control: str | None, replies: Sequence[Any]) -> Observation:
    """Return what came of an attack: without answers, or with a control that failed, nothing is proven."""
    if any(reply.is_no_answer for reply in replies):
        return Observation(subject, Outcome.NOT_PROVEN, f"{detail}; the system was not itself.")
    if is_bypass:
        return Observation(subject, Outcome.BYPASSED, detail)
    if control is not None:
        return Observation(subject, Outcome.NOT_PROVEN, f"The control failed. {control}")
    return Observation(subject, Outcome.HELD, detail)


PROBES = (
    Probe(
        "billing records",
        Layer.BILLING,
        "B's invoices, cards, budgets, events and usage in what A sees of its own",
        ("B01",),
        _records,
        "Nothing of B's, whatever tenant A names",
    ),
    Probe(
        "webhooks",
        Layer.BILLING,
        "Webhooks that are forged, altered, old, replayed, or name another tenant",
        ("B02",),
        _signed_webhooks,
        "Answered 400, or of no effect",
    ),
    Probe("keys", Layer.BILLING, "B's unique names used by A", ("B03",), _keys, "Free for A, and taken once it has it"),
    Probe(
        "customers",
        Layer.BILLING,
        "A says which customer of Stripe it is",
        ("B05",),
        _customers,
        "Refused; the same without it is done",
    ),
    Probe(
        "payments",
        Layer.BILLING,
        "B's invoice paid or refunded, and B's card used, by A",
        ("B06",),
        _payments,
        "Answered as what never existed, and B's bills are as before",
    ),
)
BELONGINGS = (
    Belonging("budget_id", _budget, Layer.BILLING, threats=("B01",)),
    Belonging("setup_id", _setup, Layer.BILLING, threats=("B01",)),
    Belonging("payment_method_id", _payment_method, Layer.BILLING, threats=("B01", "B06")),
    Belonging("invoice_id", _invoice, Layer.BILLING, threats=("B01", "B06")),
    Belonging("payment_id", _payment, Layer.BILLING, threats=("B01", "B06")),
)
