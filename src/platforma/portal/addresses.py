"""The one address that links to a portal are made with, whatever host was asked for. Mails and invitations use it."""

from uuid import UUID

from platforma.database.database import Database
from platforma.settings import Settings


def address_of(settings: Settings, host: str) -> str:
    """Return the address of a host, such as `https://cloud.example.org`."""
    port = f":{settings.public_port}" if settings.public_port else ""
    return f"{settings.public_scheme}://{host}{port}"


async def find_canonical_address(database: Database, settings: Settings, portal_id: UUID) -> str | None:
    """Return the address of a portal's canonical host, for every role: the canonical domain, or else the first that
    was proven. None while the portal has no proven domain."""
    row = await database.call_gate("canonical_host", portal=portal_id)
    return address_of(settings, row[0]) if row is not None and row[0] is not None else None
