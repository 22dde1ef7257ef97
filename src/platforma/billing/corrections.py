"""Corrections of usage: what was metered is never changed, but made up for at the moment of the correction."""

import hashlib
import json
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from platforma.billing.errors import KeyTaken
from platforma.billing.invoicing import get_account
from platforma.billing.models import UsageCorrection
from platforma.database.tenant_session import WriteSession
from platforma.kit.ids import new_id


async def correct_usage(
    session: WriteSession, *, key: str, reason: str, made_by: str, **payload: Any
) -> UsageCorrection:
    """Add units times seconds of an item to a resource, or take them away; the same key counts once.

    It counts for this very moment, under the lock of the account: no invoice covers the moment yet, nor
    is one being issued. Raises KeyTaken if something else was corrected under the key.
    """
    await get_account(session, for_update=True)
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True, default=str).encode()).digest()
    found: UsageCorrection | None = await session.scalar(select(UsageCorrection).where(UsageCorrection.key == key))
    if found is not None:
        if found.payload_hash != digest:
            raise KeyTaken
        return found
    moment: datetime | None = await session.scalar(select(func.clock_timestamp()))
    made = UsageCorrection(
        id=new_id(), key=key, payload_hash=digest, reason=reason, made_by=made_by, at=moment, **payload
    )
    session.add(made)
    await session.flush()
    await session.refresh(made)
    return made
