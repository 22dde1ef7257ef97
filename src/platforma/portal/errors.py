"""Errors on pages: in the brand, in words, and for a refused form the form itself with what was typed.

A page of an unknown host, and that of an id that is another tenant's, tell nothing: they are always the same bytes.
"""

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import Message

from platforma.api.problems import (
    DatabaseError,
    MethodNotAllowed,
    Unavailable,
    describe_database_error,
    tell_when_to_retry,
)
from platforma.api.routes import database_of
from platforma.authentication.cookies import SESSION_COOKIE, read_cookie
from platforma.authentication.passages import SIGN_IN, is_safe_path
from platforma.database.errors import NotBoundError
from platforma.kit.problems import Forbidden, Invalid, NotFound, NotSignedIn, Problem
from platforma.portal.branding import UnknownPortal, find_portal
from platforma.portal.forms import Submission, describe_errors, describe_problem
from platforma.portal.notices import leave_notice
from platforma.portal.rendering import render, render_text
from platforma.portal.routes import form_page_of

log = structlog.get_logger()

_FORM_HEADERS = (b"content-type", b"content-length", b"transfer-encoding")


def install_page_errors(app: FastAPI) -> None:
    """Answer every error of the pages with a page."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> Response:
        return await answer_problem(request, error, describe_problem(error))

    @app.exception_handler(NotBoundError)
    async def on_not_bound(request: Request, error: NotBoundError) -> Response:
        return await answer_problem(request, NotSignedIn(), {})

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        if any(item["loc"][0] == "path" for item in error.errors()):
            return await answer_problem(request, NotFound(), {})
        return await answer_problem(request, Invalid(), describe_errors(error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        problem = MethodNotAllowed() if error.status_code == 405 else NotFound()
        response = await answer_problem(request, problem, {})
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    async def on_database(request: Request, error: DatabaseError) -> Response:
        return await answer_problem(request, describe_database_error(request, error), {})

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> Response:
        log.error("unexpected_error", path=request.url.path, exc_info=error)
        return await answer_problem(request, Problem(), {})


async def answer_problem(request: Request, problem: Problem, errors: dict[str, str]) -> Response:
    """Return the page of an error: the sign-in, the refused form, or a page that says what is wrong."""
    portal = getattr(request.state, "portal", None)
    if portal is None and not isinstance(problem, Unavailable):
        try:
            portal = await find_portal(request)
        except UnknownPortal:
            return HTMLResponse(render_text("errors/unknown.html"), status_code=404)
        except (DBAPIError, PoolTimeout):
            portal = None
    if isinstance(problem, NotSignedIn):
        return await _tell_why(request, _to_sign_in(request))
    if portal is not None and not isinstance(problem, NotFound | Forbidden):
        page = form_page_of(request.scope.get("endpoint"))
        if page is not None and request.method == "POST":
            return await show_form_again(request, page, problem, errors)
    if request.headers.get("hx-request") == "true" and request.headers.get("hx-boosted") != "true":
        response = render(request, "errors/fragment.html", status=problem.status, problem=problem)
        response.headers.update({"HX-Retarget": "#notices", "HX-Reswap": "innerHTML"})
    else:
        response = render(request, "errors/problem.html", status=problem.status, problem=problem, errors=errors)
    tell_when_to_retry(response, problem)
    return response


def _to_sign_in(request: Request) -> Response:
    """Send to the sign-in, and from there back to what was asked for, if that was a page."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    is_fragment = request.headers.get("hx-request") == "true"
    if is_fragment or request.method != "GET":
        current = urlsplit(request.headers.get("hx-current-url", ""))
        wanted = current.path + (f"?{current.query}" if current.query else "")
    target = SIGN_IN
    if wanted != "/" and is_safe_path(wanted):
        target += "?" + urlencode({"next": wanted}, quote_via=quote)
    if is_fragment:
        return Response(status_code=401, headers={"HX-Redirect": target})
    return RedirectResponse(target, status_code=303)


async def _tell_why(request: Request, response: Response) -> Response:
    """Have the sign-in page say why a session has ended, to whoever holds its token."""
    token = read_cookie(request.scope["headers"], SESSION_COOKIE)
    if token is not None:
        try:
            row = await database_of(request).call_gate("find_end", token=token, host=request.state.host)
        except (DBAPIError, PoolTimeout):
            return response
        if row is not None and row[0] is not None:
            leave_notice(response, f"session-{row[0]}")
    return response


async def show_form_again(request: Request, page: str, problem: Problem, errors: dict[str, str]) -> Response:
    """Ask this application for the page that has the form, with what was typed and what is wrong with it."""
    path = page
    for name, value in request.path_params.items():
        path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
    submission = Submission(
        action=request.url.path,
        typed=await request.form(),
        errors=errors,
        problem=None if isinstance(problem, Invalid) and errors else problem,
    )
    kept = ("type", "asgi", "http_version", "server", "client", "scheme", "root_path")
    scope: dict[str, Any] = {name: request.scope[name] for name in kept if name in request.scope}
    scope |= {
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [pair for pair in request.scope["headers"] if pair[0] not in _FORM_HEADERS],
        "state": {
            "host": request.state.host,
            "address": request.state.address,
            "portal": getattr(request.state, "portal", None),
            "submission": submission,
        },
    }
    response = await _ask(request.app, scope)
    if response.status_code == 200:
        response.status_code = problem.status
        response.headers["HX-Push-Url"] = "false"
        tell_when_to_retry(response, problem)
    return response


async def _ask(app: Any, scope: dict[str, Any]) -> Response:
    """Send a request without a body to an application and take its whole answer."""
    response = Response()
    body = b""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal body
        if message["type"] == "http.response.start":
            response.status_code = message["status"]
            response.raw_headers = list(message["headers"])
        else:
            body += message.get("body", b"")

    await app(scope, receive, send)
    response.body = body
    return response
