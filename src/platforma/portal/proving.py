"""Proof of domains: a worker looks for each domain's TXT record when it is due, and tells the gate what it saw."""

import asyncio

import structlog
from sqlalchemy.exc import DBAPIError

from platforma.clouds.dns import DnsUnavailable, TxtResolver
from platforma.database.database import Database
from platforma.portal.models import proof_name, proof_value
from platforma.settings import DomainSettings

logger = structlog.get_logger(__name__)

POLL_SECONDS = 2.0
LEASE_SECONDS = 120.0
_DAY = 86400


async def keep_domains(database: Database, resolver: TxtResolver, settings: DomainSettings) -> None:
    """Look at domains when they are due, until cancelled. While the database is away it tries again."""
    while True:
        try:
            while await check_next(database, resolver, settings):
                pass
        except DBAPIError as error:
            logger.warning("domains could not be looked up", error=type(error).__name__)
        await asyncio.sleep(POLL_SECONDS)


async def check_next(database: Database, resolver: TxtResolver, settings: DomainSettings) -> str | None:
    """Look at one domain that is due; return its host, or None if none is.

    Name servers that do not answer prove nothing and take no proof away. A record that is answered not to be there
    starts the grace, after which the gate withdraws the domain.
    """
    due = await database.call_gate("take_domain", lease_seconds=LEASE_SECONDS)
    if due is None:
        return None
    trouble, is_found = None, False
    try:
        async with asyncio.timeout(settings.timeout_seconds * 2):
            is_found = proof_value(due.token) in await resolver.find_texts(proof_name(due.host))
    except DnsUnavailable as error:
        trouble = str(error)
    except TimeoutError:
        trouble = "The name servers did not answer in time."
    row = await database.call_gate(
        "note_domain",
        seen_host=due.host,
        seen_token=due.token,
        is_found=is_found,
        unanswered=trouble,
        every_seconds=settings.check_seconds,
        grace_seconds=settings.grace_days * _DAY,
    )
    if row is not None and row[0] is not None:
        logger.info("domain changed", host=due.host, change=row[0])
    return str(due.host)
