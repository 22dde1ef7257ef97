"""Evidence of erasures: records in a chain of hashes, and how anybody checks it.

Each record's hash is the SHA-256 of `sequence|hash of the one before|content`, in hexadecimal and UTF-8. The database
makes it (`gate.chain`) and refuses every change; a copy that a tenant has taken away shows if the database itself was
replaced.
"""

import hashlib
import json
import socket
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select

from platforma.database.tenant_session import TenantSession, WriteSession
from platforma.kit.clock import utc_now
from platforma.operations.reconciling import Record
from platforma.storage.erasure_models import Content, Erasure, ErasureRecord, ErasureState


class Link(Protocol):
    """What of a record the chain is made of."""

    sequence: int
    previous_hash: str
    content: str
    hash: str


def hash_of(sequence: int, previous_hash: str, content: str) -> str:
    """Return what a record's hash has to be."""
    return hashlib.sha256(f"{sequence}|{previous_hash}|{content}".encode()).hexdigest()


def find_break(records: Sequence[Link]) -> int | None:
    """Return the number of the first record that does not fit to the one before it, or None if all do."""
    previous = ""
    for expected, record in enumerate(records, start=1):
        is_next = record.sequence == expected and record.previous_hash == previous
        if not is_next or record.hash != hash_of(record.sequence, previous, record.content):
            return expected
        previous = record.hash
    return None


def write_record(session: WriteSession, erasure: Erasure, event: str, done_by: str, **result: Any) -> None:
    """Add a record of what has come of an erasure."""
    content: Content = {
        "event": event,
        "erasure": str(erasure.id),
        "tenant": str(session.tenant_id),
        "subject": {
            "kind": erasure.subject_kind,
            "id": str(erasure.subject_id),
            "name": erasure.name,
            "cloud_id": erasure.cloud_id,
        },
        "range_bytes": [0, erasure.size_gib << 30],
        "method": erasure.method,
        "requested_by": erasure.requested_by,
        "done_by": done_by,
        "at": utc_now().isoformat(timespec="milliseconds"),
        **result,
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    session.add(ErasureRecord(erasure_id=erasure.id, event=event, content=text))


def reach(erasure_id: UUID, state: ErasureState, *, event: str | None = None, **result: Any) -> Record:
    """Return what takes an erasure to a state, and records it as `event`, by default the state's own name."""

    async def record(session: WriteSession) -> None:
        erasure = await session.get(Erasure, erasure_id, with_for_update=True)
        if erasure is None or erasure.state in (ErasureState.RELEASED, ErasureState.LOST):
            return
        erasure.state = state
        write_record(session, erasure, event or state, f"worker on {socket.gethostname()}", **result)
        await session.flush()

    return record


async def list_records(session: TenantSession, erasure_id: UUID) -> list[ErasureRecord]:
    """Return the records of an erasure, the oldest first."""
    statement = select(ErasureRecord).where(ErasureRecord.erasure_id == erasure_id).order_by(ErasureRecord.sequence)
    return list(await session.scalars(statement))


async def find_break_of_tenant(session: TenantSession) -> int | None:
    """Check the tenant's whole chain."""
    return find_break(list(await session.scalars(select(ErasureRecord).order_by(ErasureRecord.sequence))))
