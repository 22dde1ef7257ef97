"""Erasures as members see them: how far each has come, its records, and the certificate of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from platforma.api.lists import list_page
from platforma.database.tenant_session import ReadSession
from platforma.kit.clock import utc_now
from platforma.kit.problems import NotFound
from platforma.storage.erasure_models import Erasure, ErasureMethod, ErasureRecord, ErasureState
from platforma.storage.evidence import find_break, list_records
from platforma.storage.schemas import ErasureQuery

_SORTABLE = {
    "created_at": Erasure.created_at,
    "updated_at": Erasure.updated_at,
    "name": Erasure.name,
    "state": Erasure.state,
    "size_gib": Erasure.size_gib,
}

HOW_TO_CHECK = (
    "Each record's hash is the SHA-256 of its sequence, the hash of the record before it and its content, joined by "
    "| and encoded as UTF-8. Its content is JSON. The blocks that were read are drawn by Python's random.Random(seed)."
    "sample(range(blocks), drawn), with the first and the last block besides. This file is not signed: what it says is "
    "proven by the chain that the portal shows, whose head after these records was the hash given here."
)
_WORDS = {
    ErasureMethod.PLATFORM: "overwritten with zeroes by Platforma and read back",
    ErasureMethod.BACKEND: "overwritten with zeroes by the storage back end, whose doing so is proven for its type",
}


@dataclass(frozen=True)
class Certificate:
    """An erasure with all that proves it."""

    erasure: Erasure
    records: Sequence[ErasureRecord]
    chain_length: int
    chain_head: str
    chain_is_whole: bool
    made_at: datetime

    @property
    def statement(self) -> str:
        """What it says, in a sentence."""
        what = f"The {self.erasure.subject_kind} {self.erasure.name} of {self.erasure.size_gib} GiB"
        match self.erasure.state:
            case ErasureState.RELEASED if any(record.event == ErasureState.VERIFIED for record in self.records):
                return f"{what} was {_WORDS[ErasureMethod(self.erasure.method)]} before its space was given back."
            case ErasureState.RELEASED:
                return f"{what} was never made, so that nothing was ever written to it."
            case ErasureState.LOST:
                return f"{what} was gone from the cloud before it could be erased. It is not known what became of it."
            case _:
                return f"{what} is being erased. Its space has not been given back."


async def list_erasures(session: ReadSession, query: ErasureQuery) -> tuple[list[Erasure], str | None]:
    """Return a page of erasures."""
    where = [] if query.state is None else [Erasure.state == query.state]
    return await list_page(session, Erasure, query, sortable=_SORTABLE, where=where)


async def get_erasure(session: ReadSession, erasure_id: UUID) -> tuple[Erasure, list[ErasureRecord]]:
    """Return an erasure with its records; raises NotFound."""
    erasure: Erasure | None = await session.get(Erasure, erasure_id)
    if erasure is None:
        raise NotFound
    return erasure, await list_records(session, erasure_id)


async def get_certificate(session: ReadSession, erasure_id: UUID) -> Certificate:
    """Return the certificate of an erasure as it stands now; raises NotFound. Checks the organisation's whole chain."""
    erasure, records = await get_erasure(session, erasure_id)
    chain = list(await session.scalars(select(ErasureRecord).order_by(ErasureRecord.sequence)))
    return Certificate(
        erasure, records, len(chain), chain[-1].hash if chain else "", find_break(chain) is None, utc_now()
    )
