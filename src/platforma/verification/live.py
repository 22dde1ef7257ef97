"""One verification of a running installation, from the canaries' onboarding to what was covered."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
from sqlalchemy import select

from platforma.billing.probes import look_at_customers
from platforma.database.database import Database
from platforma.kit.probes import Layer, Observation, Outcome, Scene
from platforma.operations.registry import cloud_kinds
from platforma.portal.models import Domain, Portal
from platforma.settings import Settings
from platforma.tenants.models import Tenant
from platforma.tenants.service import OperatorAct
from platforma.verification.canaries import NAMES, enter, find_hosts, prepare_canaries, rest_canaries
from platforma.verification.catalog import verify_catalog
from platforma.verification.collection import NOBODYS, collect_belongings, collect_probes
from platforma.verification.confinement import verify_confinement
from platforma.verification.coverage import Coverage, cover_kinds, cover_routes, cover_tables
from platforma.verification.engine import Engine, Report
from platforma.verification.findings import Finding, Verification
from platforma.verification.inventory import ApiOperation, list_operations
from platforma.verification.party import PartyError
from platforma.verification.timing import PAIRS

CALL_SECONDS = 60.0


async def verify_installation(
    database: Database,
    catalog_url: str,
    settings: Settings,
    doer: OperatorAct,
    operations: Sequence[ApiOperation],
    *,
    portal: str | None = None,
    target: str | None = None,
    patience_seconds: float = 180.0,
    report: Report = lambda line: None,
    timing_pairs: int = PAIRS,
    transport: httpx2.AsyncBaseTransport | None = None,
    watch: Callable[[Scene], None] = lambda scene: None,
) -> Verification:
    """Attack one canary as the other at a portal, or at one that is chosen, and count what was covered.

    `target` is where the portal answers, if not where the settings say; a drill has a `transport` of its own, and
    puts a `watch` on the parties. Raises PartyError where the canaries cannot
    live, and httpx2.HTTPError where nothing answers.
    """
    name = portal or await choose_portal(database)
    hosts = await find_hosts(database, name)
    canaries = await prepare_canaries(database, doer, name, report)
    base = target or address_of(settings, hosts.own)
    try:
        async with open_client(base, transport) as client:
            a, b = [await enter(client, hosts.own, canaries[side], patience_seconds) for side in NAMES]
            strangers = find_strangers(operations, await _served(client, hosts.own))
            secrets = tuple(secret.get_secret_value() for secret in settings.stripe.webhook_secrets)
            scene = Scene(a, b, hosts.other, secrets)
            watch(scene)
            confinement = await verify_confinement(database, doer, canaries["a"].tenant_id, canaries["b"].tenant_id)
            probes, belongings = collect_probes(), collect_belongings()
            engine = Engine(operations, probes, belongings, NOBODYS, report, timing_pairs=timing_pairs)
            found = await engine.verify(scene)
    finally:
        await rest_canaries(database, doer, canaries)
    tables, catalog = await asyncio.to_thread(verify_catalog, catalog_url)
    customers = await asyncio.to_thread(verify_customers, catalog_url)
    findings = (*catalog, *confinement, *customers, *strangers, *found.findings)
    return measured(replace(found, findings=findings), operations, tables)


def open_client(base: str, transport: httpx2.AsyncBaseTransport | None = None) -> httpx2.AsyncClient:
    """Return a client that sends what it is told and nothing else: it keeps no cookies, or nobody would be somebody."""
    forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx2.AsyncClient(
        base_url=base, timeout=CALL_SECONDS, trust_env=False, transport=transport, cookies=forgetful
    )


async def choose_portal(database: Database) -> str:
    """Return the portal in which canaries live already, else the first that is active and has a domain."""
    async with database.platform() as session:
        rows = await session.execute(
            select(Portal.name, Tenant.id)
            .join(Domain, Domain.portal_id == Portal.id)
            .outerjoin(Tenant, (Tenant.portal_id == Portal.id) & Tenant.name.in_(NAMES.values()))
            .where(Portal.status == "active")
            .order_by(Tenant.id.is_(None), Portal.name)
            .limit(1)
        )
        found = rows.first()
    if found is None:
        raise PartyError("There is no active portal with a domain for the canaries to live in.")
    return str(found.name)


def address_of(settings: Settings, host: str) -> str:
    """Return where a portal answers. Names under localhost are this machine (RFC 6761, 6.3), resolver or not."""
    here = host == "localhost" or host.endswith(".localhost")
    port = f":{settings.public_port}" if settings.public_port is not None else ""
    return f"{settings.public_scheme}://{'127.0.0.1' if here else host}{port}"


def verify_customers(url: str) -> list[Finding]:
    """Return what the database says to another binding of tenants to customers of Stripe."""
    title, expected = "Customers of Stripe bound by hand, and twice", "Refused by grant and constraint"
    return [
        Finding("bound customers", Layer.BILLING, ("B05",), each, title, expected) for each in look_at_customers(url)
    ]


def find_strangers(operations: Sequence[ApiOperation], served: Mapping[str, Any] | None) -> list[Finding]:
    """Return what the running system serves and this version does not know: nobody has attacked that."""
    if served is None:
        seen = [Observation("the API's document", Outcome.NOT_PROVEN, "The running system does not say what it has.")]
    else:
        known = {(each.method, each.path) for each in operations}
        seen = [
            Observation(each.id, Outcome.NOT_PROVEN, f"{each.method} {each.path} is served, and not of this version.")
            for each in list_operations(served)
            if (each.method, each.path) not in known
        ]
        seen = seen or [Observation("the API's document", Outcome.HELD, "as this version's")]
    title, expected = "What the running system has, against what was attacked", "Nothing that was not attacked"
    return [Finding("inventory", Layer.PORTAL, (), each, title, expected) for each in seen]


def measured(found: Verification, operations: Sequence[ApiOperation], tables: Sequence[str]) -> Verification:
    """Return a verification with what it has covered."""
    absent = {each.partition(":")[0] + "_id" for each in found.nowhere}
    belongings = collect_belongings()
    strangers = [each.observation.subject for each in found.findings if each.probe == "inventory"]
    routes = cover_routes(operations, found.findings, found.absent)
    unknown = frozenset(strangers) - {"the API's document"}
    routes = replace(routes, total=routes.total | unknown, covered=routes.covered - unknown)
    kinds = cloud_kinds()
    resources = cover_kinds(kinds, belongings, found.furnished, absent, operations, routes)
    coverage = Coverage(routes, cover_tables(tables, found.findings), resources, found.nowhere)
    return replace(found, coverage=coverage)


async def _served(client: httpx2.AsyncClient, host: str) -> Mapping[str, Any] | None:
    """Return the document that the running system serves, or None."""
    try:
        reply = await client.get("/api/v1/openapi.json", headers={"host": host})
        document = reply.json() if reply.status_code == 200 else None
    except (httpx2.HTTPError, ValueError):
        return None
    return document if isinstance(document, dict) else None
