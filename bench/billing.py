"""Metering against the same changes without it, and invoices of tenants among 100 tenants and among 10,000."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any, LiteralString

import psycopg

from bench.processes import cpu_seconds
from bench.results import Result
from bench.rounds import compare
from bench.stage import Stage
from platforma.billing.turns import take_turn
from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from platforma.kit.logs import configure_logs

NOW = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
AT_ONCE = 4
"""Tenants that are billed at once, as a worker does it."""

_SEED: tuple[LiteralString, ...] = (
    "SET LOCAL session_replication_role = replica",
    """INSERT INTO price_books (id, portal_id, effective_from, currency, made_by)
       SELECT md5('book' || id)::uuid, id, '2026-01-01', 'EUR', 'bench' FROM portals""",
    """INSERT INTO prices (id, book_id, item, label, unit, amount)
       SELECT gen_random_uuid(), b.id, p.item, p.item, p.unit, p.amount FROM price_books b,
       (VALUES ('server.running', 'hour', 0.012), ('volume', 'month', 0.08), ('floating_ip', 'month', 3.6))
       p (item, unit, amount)""",
    """INSERT INTO sellers (portal_id, company, line1, postal_code, city, country, email, prefix, payment_days,
                            grace_days)
       SELECT id, 'Bench', 'Street 1', '10115', 'Berlin', 'DE', 'b@example.org', 'B' || right(name, 1), 14, 14
       FROM portals""",
    """INSERT INTO tax_rates (id, portal_id, country, effective_from, label, percent, made_by)
       SELECT gen_random_uuid(), id, '*', '2026-01-01', 'VAT', 19, 'bench' FROM portals""",
    """INSERT INTO usage_events (tenant_id, id, resource_kind, resource_id, resource_name, item, quantity, at)
       SELECT t.id, gen_random_uuid(), 'servers', md5(t.id::text || r)::uuid, 'resource ' || r,
              CASE r %% 3 WHEN 0 THEN 'server.running:small' WHEN 1 THEN 'volume' ELSE 'floating_ip' END,
              CASE e WHEN 0 THEN 1 + r %% 7 ELSE 0 END,
              '2026-10-01'::timestamptz + make_interval(hours => 7 * r, mins => 17 * r, secs => e * 3600 * (5 + r))
       FROM tenants t, generate_series(0, %(resources)s - 1) r, generate_series(0, 1) e""",
    """INSERT INTO volumes (tenant_id, id, name, size_gib, observed_size_gib, cloud_id, status)
       SELECT md5('tenant' || n %% 100)::uuid, md5('volume' || n)::uuid, 'volume ' || n, 1, 1, 'x' || n, 'active'
       FROM generate_series(0, 999) n""",
    "DELETE FROM billing_accounts",
    """INSERT INTO billing_accounts (tenant_id, id, billed_until, wake_at)
       SELECT id, gen_random_uuid(), '2026-10-01', '2100-01-01' FROM tenants""",
)
_AGAIN: tuple[LiteralString, ...] = (
    "SET LOCAL session_replication_role = replica",
    "TRUNCATE invoice_lines, invoices, billing_events, gate.invoice_series CASCADE",
    "UPDATE billing_accounts SET billed_until = '2026-10-01', wake_at = '2100-01-01', lease = NULL, attempts = 0"
    " WHERE wake_at < '2100-01-01' OR billed_until > '2026-10-01'",
    """UPDATE billing_accounts SET wake_at = now()
       WHERE tenant_id IN (SELECT md5('tenant' || n)::uuid FROM generate_series(0, %(due)s - 1) n)""",
)
_CHANGE: LiteralString = (
    "UPDATE volumes SET observed_size_gib = observed_size_gib %% 90 + 1"
    " WHERE tenant_id = md5('tenant' || %(n)s %% 100)::uuid AND id = md5('volume' || %(n)s)::uuid"
)


@dataclass(frozen=True)
class BillingScale:
    """How many rounds there are, and how large they are."""

    rounds: int = 5
    few: int = 100
    many: int = 10_000
    resources: int = 100
    changes: int = 2_000
    is_whole: bool = False
    """Whether at last every one of the many is invoiced, which takes minutes."""


@dataclass(frozen=True)
class Cost:
    """What a round took for each of its tenants or changes, in milliseconds."""

    wall: float
    cpu: float


def bench_billing(stage: Stage, scale: BillingScale) -> list[Result]:
    """Fill both databases, and measure in turns."""
    configure_logs(level="ERROR")
    names = {"few": scale.few, "many": scale.many}
    for name, tenants in names.items():
        stage.make(f"billing_{name}", tenants=tenants)
        stage.fill(f"billing_{name}", _SEED, {"resources": scale.resources})
    metered: dict[bool, list[Cost]] = {True: [], False: []}
    billed: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(scale.rounds):
        for is_on in (True, False) if number % 2 else (False, True):
            metered[is_on].append(_change(stage, "billing_many", scale.changes, is_metered=is_on))
        for name in names if number % 2 else reversed(names):
            stage.fill(f"billing_{name}", _AGAIN, {"due": scale.few})
            billed[name].append(asyncio.run(_bill(stage, f"billing_{name}", scale.few, scale.resources)))
    return [*_of_meter(metered), *_of_invoices(billed, scale), *(_whole(stage, scale) if scale.is_whole else [])]


def _whole(stage: Stage, scale: BillingScale) -> list[Result]:
    """Invoice every tenant's month once, with one worker process."""
    stage.fill("billing_many", _AGAIN, {"due": scale.many})
    began = time.perf_counter()
    cost = asyncio.run(_bill(stage, "billing_many", scale.many, scale.resources))
    words = f"Invoices of {scale.many:,} tenants with {scale.resources} resources"
    return [
        Result(f"{words}, one worker process", (time.perf_counter() - began) / 60, "min"),
        Result(f"{words}, CPU time of each", cost.cpu, "ms"),
    ]


def _of_meter(metered: dict[bool, list[Cost]]) -> list[Result]:
    on, off = metered[True], metered[False]
    wall = compare([each.wall for each in off], [each.wall for each in on])
    cpu = compare([each.cpu for each in on], [each.cpu for each in off])
    per_second = [1000 / median(each.wall for each in side) for side in (on, off)]
    return [
        Result("Changes metered, against unmetered", per_second[0], "1/s", per_second[1], wall.median, wall.spread),
        Result(
            "CPU time of a metered change, against an unmetered",
            median(each.cpu for each in on),
            "ms",
            median(each.cpu for each in off),
            cpu.median,
            cpu.spread,
        ),
    ]


def _of_invoices(billed: dict[str, list[Cost]], scale: BillingScale) -> list[Result]:
    many, few = billed["many"], billed["few"]
    results = []
    for words, name in (("CPU time", "cpu"), ("Time", "wall")):
        costs = [[getattr(each, name) for each in side] for side in (many, few)]
        ratio = compare(*costs)
        results.append(
            Result(
                f"{words} of an invoice of {scale.resources} resources, {scale.many:,} tenants against {scale.few}",
                median(costs[0]),
                "ms",
                median(costs[1]),
                ratio.median,
                ratio.spread,
                "0.85 to 1.15",
            )
        )
    return results


def _change(stage: Stage, database: str, changes: int, *, is_metered: bool) -> Cost:
    """Change the sizes of volumes, each in a transaction of its own, over one connection."""
    trigger = b"ALTER TABLE volumes %s TRIGGER meter" % (b"ENABLE" if is_metered else b"DISABLE")
    with stage.administrator(database) as connection:
        connection.execute(trigger)
        before = _events(connection)
        began, cpu = time.perf_counter(), cpu_seconds([stage.postmaster])
        for number in range(changes):
            connection.execute(_CHANGE, {"n": number % 1000})
        cost = _cost(changes, began, cpu, stage)
        if _events(connection) - before != (changes if is_metered else 0):
            raise RuntimeError("What was changed is not what was metered.")
    return cost


def _events(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT count(*) FROM usage_events WHERE resource_kind = 'volumes'").fetchone()
    return int(row[0]) if row else 0


async def _bill(stage: Stage, database: str, tenants: int, resources: int) -> Cost:
    """Have everything invoiced that is due, by one worker process that is this one."""
    worker = Database(stage.url(DatabaseRole.WORKER, database), pool_size=AT_ONCE + 1)

    async def turns() -> None:
        while await take_turn(worker, clock=lambda: NOW):
            pass

    try:
        began, cpu, own = time.perf_counter(), cpu_seconds([stage.postmaster]), time.process_time()
        await asyncio.gather(*(turns() for _ in range(AT_ONCE)))
        spent = (time.process_time() - own) * 1000 / tenants
        cost = _cost(tenants, began, cpu, stage)
    finally:
        await worker.close()
    with stage.administrator(database) as connection:
        lines = connection.execute(
            "SELECT count(DISTINCT invoice_id), count(*), (SELECT sum(net) FROM invoices) = sum(amount)"
            " FROM invoice_lines"
        ).fetchone()
    if lines != (tenants, tenants * resources, True):
        raise RuntimeError(f"The invoices are not what they have to be: {lines}")
    return Cost(cost.wall, cost.cpu + spent)


def _cost(number: int, began: float, cpu: float, stage: Stage) -> Cost:
    seconds = time.perf_counter() - began
    return Cost(seconds * 1000 / number, (cpu_seconds([stage.postmaster]) - cpu) * 1000 / number)
