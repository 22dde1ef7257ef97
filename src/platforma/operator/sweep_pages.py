"""The console's page of findings."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from platforma.operator import sweeps as service
from platforma.operator.console import ConsoleRoute
from platforma.operator.pages import see_other
from platforma.operator.rendering import render
from platforma.operator.routes import Signed
from platforma.portal.forms import FormInput
from platforma.sweep.kinds import DriftKind, Mode

findings = APIRouter(prefix="/findings", tags=["Sweeps"], route_class=ConsoleRoute)


class ChoiceForm(FormInput):
    """What to do about a kind of finding."""

    mode: Mode


@findings.get("")
async def show_findings(request: Request, acting: Signed) -> Response:
    """What differs between tenants' projects and the database, and what is done about it."""
    return render(
        request,
        "findings.html",
        acting,
        lasting=await service.list_findings(acting),
        ended=(await service.list_findings(acting, is_open=False))[:50],
        state=await service.get_state(acting),
        choices=await service.list_choices(acting),
    )


@findings.post("/sweep")
async def request_sweeps(acting: Signed) -> Response:
    """Look at every project now."""
    await service.request_sweeps(acting)
    return see_other("/findings")


@findings.post("/choices/{kind}")
async def choose(kind: DriftKind, form: Annotated[ChoiceForm, Form()], acting: Signed) -> Response:
    """Have a kind of finding mended, or only reported."""
    await service.choose(acting, kind, form.mode)
    return see_other("/findings")
