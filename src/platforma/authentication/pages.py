"""Pages for signing in and out, for invitations, and for one's own account."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import Field

from platforma.authentication import service
from platforma.authentication.cookies import SESSION_COOKIE, clear_cookie, read_cookie, set_cookie
from platforma.authentication.endpoints import Own, OwnChange, OwnWithoutTransaction, SignsIn, browser_of
from platforma.authentication.passages import SIGN_IN, is_safe_path
from platforma.authentication.passwords import MINIMUM_LENGTH
from platforma.authentication.schemas import Email, Password, SessionOut
from platforma.kit.problems import Invalid
from platforma.portal.forms import FormInput
from platforma.portal.notices import see_other
from platforma.portal.rendering import render
from platforma.portal.routes import OpenPageRoute, PageRoute, shown_on

signing_in = APIRouter(tags=["Signing in"], route_class=OpenPageRoute)
account = APIRouter(prefix="/account", tags=["Account"], route_class=PageRoute)

Next = Annotated[str, Field(max_length=4000)]


class SignInForm(FormInput):
    """E-mail and password, and where to go then."""

    email: Email
    password: Password
    next: Next = "/"


class InvitationForm(FormInput):
    """A password, twice."""

    password: Password
    repeated: Password


class PasswordForm(FormInput):
    """The present password and a new one, twice."""

    present_password: Password = Field(examples=["correct horse battery staple"])
    new_password: Password = Field(examples=["a sentence is a good password"])
    repeated: Password = Field(examples=["a sentence is a good password"])


@signing_in.get(SIGN_IN)
async def show_sign_in(request: Request, next: Annotated[Next, Query()] = "/") -> Response:  # noqa: A002
    """The sign-in page."""
    return render(request, "authentication/sign_in.html", next=next if is_safe_path(next) else "/")


@signing_in.post(SIGN_IN)
@shown_on(SIGN_IN)
async def sign_in(form: Annotated[SignInForm, Form()], request: Request, authenticator: SignsIn) -> Response:
    """Sign in, and go on."""
    _principal, token = await authenticator.sign_in(
        host=request.state.host,
        email=form.email,
        password=form.password,
        browser=browser_of(request),
        previous_token=read_cookie(request.scope["headers"], SESSION_COOKIE),
    )
    response = see_other(form.next if is_safe_path(form.next) else "/")
    response.headers.append("set-cookie", set_cookie(SESSION_COOKIE, token))
    return response


@signing_in.post("/sign-out")
async def sign_out(request: Request, authenticator: SignsIn) -> Response:
    """Sign out."""
    await authenticator.sign_out(host=request.state.host, token=read_cookie(request.scope["headers"], SESSION_COOKIE))
    response = see_other(SIGN_IN, notice="signed-out")
    response.headers.append("set-cookie", clear_cookie(SESSION_COOKIE))
    return response


@signing_in.get("/invitation/{token}")
async def show_invitation(token: str, request: Request, authenticator: SignsIn) -> Response:
    """Whom an invitation is for, and the form for the password."""
    invited = await authenticator.find_invitation(host=request.state.host, token=token)
    return render(request, "authentication/invitation.html", invited=invited, token=token, minimum=MINIMUM_LENGTH)


@signing_in.post("/invitation/{token}")
@shown_on("/invitation/{token}")
async def accept_invitation(
    token: str, form: Annotated[InvitationForm, Form()], request: Request, authenticator: SignsIn
) -> Response:
    """Set the password; then sign in."""
    _check_repeated(form.password, form.repeated)
    await authenticator.accept_invitation(host=request.state.host, token=token, password=form.password)
    return see_other(SIGN_IN, notice="password-set")


@account.get("")
async def show_account(request: Request, reading: Own) -> Response:
    """The member's own account: sessions and password."""
    rows = await service.list_sessions(reading.session, reading.principal.member_id)
    sessions = [SessionOut.of(row, reading.principal.session_id) for row in rows]
    sessions.sort(key=lambda session: not session.is_current)
    return render(request, "authentication/account.html", reading, sessions=sessions, minimum=MINIMUM_LENGTH)


@account.post("/password")
@shown_on("/account")
async def change_password(
    form: Annotated[PasswordForm, Form()], request: Request, me: OwnWithoutTransaction, authenticator: SignsIn
) -> Response:
    """Change the password. The other sessions end, and this one gets a new token."""
    _check_repeated(form.new_password, form.repeated)
    token = await authenticator.change_password(
        host=request.state.host,
        token=read_cookie(request.scope["headers"], SESSION_COOKIE) or "",
        me=me,
        present=form.present_password,
        new=form.new_password,
    )
    response = see_other("/account", notice="password-changed")
    response.headers.append("set-cookie", set_cookie(SESSION_COOKIE, token))
    return response


@account.post("/sessions/revoke-others")
async def revoke_other_sessions(writing: OwnChange) -> Response:
    """Sign out everywhere else."""
    me = writing.principal
    await service.revoke_sessions(writing.session, me, me.member_id, except_session=me.session_id)
    return see_other("/account", notice="sessions-ended")


@account.post("/sessions/{session_id}/revoke")
async def revoke_session(session_id: UUID, writing: OwnChange) -> Response:
    """End one of the member's sessions; to end this one is to sign out."""
    me = writing.principal
    await service.revoke_session(writing.session, me, me.member_id, session_id)
    if session_id == me.session_id:
        response = see_other(SIGN_IN, notice="signed-out")
        response.headers.append("set-cookie", clear_cookie(SESSION_COOKIE))
        return response
    return see_other("/account", notice="session-ended")


def _check_repeated(password: str, repeated: str) -> None:
    if password != repeated:
        errors: list[dict[str, Any]] = [{"where": "body.repeated", "detail": "The two are not the same."}]
        raise Invalid(errors=errors)
