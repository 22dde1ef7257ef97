"""Search over all of the tenant's own resources: by part of the name or address, or by the whole id."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, Text, cast, or_

from platforma.api.fields import Output
from platforma.api.lists import NamedQuery, list_page
from platforma.authentication.principals import Principal
from platforma.database.tenant_session import ReadSession
from platforma.kubernetes.clusters import has_clusters
from platforma.operations.models import Resource
from platforma.portal.kinds import Kind, kinds_for

MOST_OF_A_KIND = 10


class SearchQuery(BaseModel):
    """What is looked for."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[
        str,
        StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[^\x00]*$"),
        Field(description="Part of a name or of an address, in any case, or an id.", examples=["web"]),
    ] = ""


class FoundOut(Output):
    """Something that was found."""

    kind: str
    id: UUID
    name: str
    description: str
    status: str


@dataclass(frozen=True)
class Found:
    """What was found of a kind; `has_more` if there is more than that."""

    kind: Kind
    rows: list[Resource]
    has_more: bool


async def search(session: ReadSession, principal: Principal, words: str) -> list[Found]:
    """Return what a member may see and looks for, a kind after the other; nothing if no words are given."""
    if not words:
        return []
    has_kubernetes = await has_clusters(session)
    found = []
    for kind in kinds_for(principal, has_kubernetes=has_kubernetes):
        query = NamedQuery(limit=MOST_OF_A_KIND, sort="name")
        rows, cursor = await list_page(
            session, kind.model, query, sortable={"name": kind.model.name}, where=[_is_meant(kind, words)]
        )
        if rows:
            found.append(Found(kind, rows, cursor is not None))
    return found


def _is_meant(kind: Kind, words: str) -> ColumnElement[bool]:
    conditions = [kind.model.name.icontains(words, autoescape=True)]
    if kind.address is not None:
        conditions.append(cast(getattr(kind.model, kind.address), Text).icontains(words, autoescape=True))
    with suppress(ValueError):
        conditions.append(kind.model.id == UUID(words))
    return or_(*conditions)
