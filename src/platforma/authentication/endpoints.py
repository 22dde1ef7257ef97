"""`/api/v1/session`, `/me`, `/sessions` and `/invitation`."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from platforma.api.lists import Page
from platforma.api.problems import describe
from platforma.api.routes import OpenRoute, Reading, TenantRoute, Writing, may, may_read, may_write
from platforma.authentication import service
from platforma.authentication.cookies import SESSION_COOKIE, clear_cookie, read_cookie, set_cookie
from platforma.authentication.permissions import Permission
from platforma.authentication.principals import Principal
from platforma.authentication.schemas import (
    AcceptedOut,
    InvitationAcceptance,
    InvitationToken,
    InvitedOut,
    MeOut,
    PasswordChange,
    RevokedOut,
    SessionOut,
    SignIn,
)
from platforma.authentication.service import Authenticator, Browser

open_router = APIRouter(tags=["Signing in"], route_class=OpenRoute)
router = APIRouter(tags=["Signing in"], route_class=TenantRoute)


def authenticator_of(request: Request) -> Authenticator:
    """Return the process's authenticator."""
    authenticator: Authenticator = request.app.state.authenticator
    return authenticator


def browser_of(request: Request) -> Browser:
    """Return from where the request comes."""
    return Browser(request.state.address, request.headers.get("user-agent", "")[:512])


SignsIn = Annotated[Authenticator, Depends(authenticator_of)]
Own = Annotated[Reading, may_read(Permission.SESSION_OWN)]
OwnWithoutTransaction = Annotated[Principal, may(Permission.SESSION_OWN)]
OwnChange = Annotated[Writing, may_write(Permission.SESSION_OWN)]


@open_router.post("/session", status_code=201, responses=describe(401, 429))
async def sign_in(body: SignIn, request: Request, response: Response, authenticator: SignsIn) -> MeOut:
    """Sign in with e-mail and password. The session's token is in the cookie that is set."""
    principal, token = await authenticator.sign_in(
        host=request.state.host,
        email=body.email,
        password=body.password,
        browser=browser_of(request),
        previous_token=read_cookie(request.scope["headers"], SESSION_COOKIE),
    )
    response.headers["set-cookie"] = set_cookie(SESSION_COOKIE, token)
    return MeOut.of(principal)


@open_router.delete("/session", status_code=204)
async def sign_out(request: Request, response: Response, authenticator: SignsIn) -> None:
    """Sign out. Answers the same when nobody was signed in."""
    token = read_cookie(request.scope["headers"], SESSION_COOKIE)
    await authenticator.sign_out(host=request.state.host, token=token)
    response.headers["set-cookie"] = clear_cookie(SESSION_COOKIE)


@open_router.post("/invitation", responses=describe(404))
async def find_invitation(body: InvitationToken, request: Request, authenticator: SignsIn) -> InvitedOut:
    """Look at an invitation, to be sure that it is yours."""
    found = await authenticator.find_invitation(host=request.state.host, token=body.token)
    return InvitedOut.model_validate(found)


@open_router.post("/invitation/acceptance", responses=describe(404))
async def accept_invitation(body: InvitationAcceptance, request: Request, authenticator: SignsIn) -> AcceptedOut:
    """Accept an invitation with a password of your own; then sign in."""
    email = await authenticator.accept_invitation(host=request.state.host, token=body.token, password=body.password)
    return AcceptedOut(email=email)


@router.get("/me")
async def get_me(reading: Own) -> MeOut:
    """Who you are, and what you may do."""
    return MeOut.of(reading.principal)


@router.post("/me/password", status_code=204)
async def change_password(
    body: PasswordChange, request: Request, response: Response, me: OwnWithoutTransaction, authenticator: SignsIn
) -> None:
    """Change your password. Your other sessions end, and this one gets a new token."""
    token = read_cookie(request.scope["headers"], SESSION_COOKIE) or ""
    new_token = await authenticator.change_password(
        host=request.state.host, token=token, me=me, present=body.present_password, new=body.new_password
    )
    response.headers["set-cookie"] = set_cookie(SESSION_COOKIE, new_token)


@router.get("/sessions")
async def list_sessions(reading: Own) -> Page[SessionOut]:
    """Your sessions that are alive, the one used last first."""
    rows = await service.list_sessions(reading.session, reading.principal.member_id)
    return Page(items=[SessionOut.of(row, reading.principal.session_id) for row in rows])


@router.delete("/sessions")
async def revoke_other_sessions(writing: OwnChange) -> RevokedOut:
    """Sign out everywhere else."""
    me = writing.principal
    ended = await service.revoke_sessions(writing.session, me, me.member_id, except_session=me.session_id)
    return RevokedOut(revoked=ended)


@router.delete("/sessions/{session_id}", status_code=204)
async def revoke_session(session_id: UUID, writing: OwnChange) -> None:
    """End one of your sessions."""
    await service.revoke_session(writing.session, writing.principal, writing.principal.member_id, session_id)
