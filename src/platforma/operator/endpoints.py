"""`/api/v1/session`, `/me` and `/operator-audit` of the operator's plane."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from platforma.api.lists import Page
from platforma.api.problems import describe
from platforma.authentication.cookies import OPERATOR_COOKIE, clear_cookie, read_cookie, set_cookie
from platforma.authentication.endpoints import browser_of
from platforma.authentication.schemas import SignIn
from platforma.operator import tenants
from platforma.operator.routes import OpenPlaneRoute, OperatorRoute, Signed, SignsIn
from platforma.operator.schemas import AuditQuery, OperatorAuditOut, OperatorOut

open_router = APIRouter(tags=["Signing in"], route_class=OpenPlaneRoute)
router = APIRouter(tags=["Operators"], route_class=OperatorRoute)


@open_router.post("/session", status_code=201, responses=describe(401, 429))
async def sign_in(body: SignIn, request: Request, response: Response, authenticator: SignsIn) -> OperatorOut:
    """Sign in with e-mail and password. The session's token is in the cookie that is set."""
    operator, token = await authenticator.sign_in(
        email=body.email,
        password=body.password,
        browser=browser_of(request),
        previous_token=read_cookie(request.scope["headers"], OPERATOR_COOKIE),
    )
    response.headers["set-cookie"] = set_cookie(OPERATOR_COOKIE, token)
    return OperatorOut.model_validate(operator)


@open_router.delete("/session", status_code=204)
async def sign_out(request: Request, response: Response, authenticator: SignsIn) -> None:
    """Sign out. Answers the same when nobody was signed in."""
    await authenticator.sign_out(read_cookie(request.scope["headers"], OPERATOR_COOKIE))
    response.headers["set-cookie"] = clear_cookie(OPERATOR_COOKIE)


@router.get("/me")
async def get_me(acting: Signed) -> OperatorOut:
    """Who you are."""
    return OperatorOut.model_validate(acting.operator)


@router.get("/operator-audit")
async def list_operator_audit(query: Annotated[AuditQuery, Query()], acting: Signed) -> Page[OperatorAuditOut]:
    """What operators did, and why; the newest first."""
    rows, cursor = await tenants.list_audit(acting, query)
    return Page(items=[OperatorAuditOut.model_validate(row) for row in rows], next=cursor)
