"""Identifiers. Each kind is a type of its own, so that one cannot stand where another belongs."""

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

TenantId = NewType("TenantId", UUID)
PortalId = NewType("PortalId", UUID)
MemberId = NewType("MemberId", UUID)
SessionId = NewType("SessionId", UUID)
OperationId = NewType("OperationId", UUID)


def new_id() -> UUID:
    """Make a UUID of version 7 (RFC 9562): ordered by creation, so that an id is also a cursor."""
    return uuid7()
