"""`/api/v1/findings` and `/sweeps`."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from platforma.api.lists import Page
from platforma.operator import sweeps as service
from platforma.operator.routes import OperatorRoute, Signed
from platforma.sweep.kinds import DriftKind
from platforma.sweep.schemas import Choice, ChoiceOut, FindingOut, SweepsOut

sweeps = APIRouter(tags=["Sweeps"], route_class=OperatorRoute)


class FindingsQuery(BaseModel):
    """Which findings."""

    model_config = ConfigDict(extra="forbid")

    is_open: bool = True


@sweeps.get("/findings")
async def list_findings(query: Annotated[FindingsQuery, Query()], acting: Signed) -> Page[FindingOut]:
    """What differs between tenants' projects and the database; or with `is_open=false` what did."""
    return Page(items=await service.list_findings(acting, is_open=query.is_open))


@sweeps.get("/sweeps")
async def get_sweeps(acting: Signed) -> SweepsOut:
    """How the sweeps go."""
    return await service.get_state(acting)


@sweeps.post("/sweeps", status_code=202)
async def request_sweeps(acting: Signed) -> SweepsOut:
    """Look at every project now."""
    await service.request_sweeps(acting)
    return await service.get_state(acting)


@sweeps.get("/sweeps/choices")
async def list_choices(acting: Signed) -> Page[ChoiceOut]:
    """What is done about each kind of finding."""
    return Page(items=await service.list_choices(acting))


@sweeps.put("/sweeps/choices/{kind}")
async def choose(kind: DriftKind, body: Choice, acting: Signed) -> Page[ChoiceOut]:
    """Have a kind of finding mended, or only reported, from the next sweep on."""
    return Page(items=await service.choose(acting, kind, body.mode))
