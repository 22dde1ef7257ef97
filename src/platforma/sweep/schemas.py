"""What the operator's API says and hears about sweeps."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from platforma.api.fields import Input
from platforma.sweep.kinds import DriftKind, Mode


class FindingOut(BaseModel):
    """A difference between a tenant's project and the database."""

    id: UUID
    tenant_id: UUID
    tenant_name: str
    portal: str
    kind: DriftKind
    title: str
    subject: str
    evidence: dict[str, Any]
    status: str
    first_seen_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None


class SweepsOut(BaseModel):
    """How the sweeps go: of how many projects, how many are behind, and what stands in the way."""

    projects: int
    oldest_finished_at: datetime | None
    never_finished: int
    troubles: list[str]


class ChoiceOut(BaseModel):
    """What is done about a kind of finding."""

    kind: DriftKind
    title: str
    mode: Mode
    is_default: bool
    is_mendable: bool


class Choice(Input):
    """What to do about a kind of finding."""

    mode: Mode
