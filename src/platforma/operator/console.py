"""The console's application: mounted beside the API, with pages for errors. Nothing on it needs JavaScript,
which only keeps progress fresh and puts questions over the page.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import Scope

from platforma.api.problems import DatabaseError, MethodNotAllowed, describe_database_error, tell_when_to_retry
from platforma.authentication.passages import SIGN_IN, is_safe_path
from platforma.kit.problems import Forbidden, Invalid, NotFound, NotSignedIn, Problem
from platforma.operator.rendering import render
from platforma.operator.routes import OperatorRoute
from platforma.portal.errors import show_form_again
from platforma.portal.forms import describe_errors, describe_problem
from platforma.portal.routes import form_page_of
from platforma.portal.static_files import VersionedFiles

log = structlog.get_logger()


class ConsoleRoute(OperatorRoute):
    """A page for operators who have signed in, or what one of its forms does."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **kwargs: Any) -> None:
        if kwargs.get("status_code") is None and "POST" in (kwargs.get("methods") or ()):
            kwargs["status_code"] = 303
        kwargs["response_class"] = HTMLResponse
        super().__init__(path, endpoint, **kwargs)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Refuse fields where there is no form."""
        handle = super().get_route_handler()
        has_form = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            if not has_form and request.method == "POST" and await request.body():
                raise Invalid("This takes no fields.")
            return await handle(request)

        return handle_strictly


class OpenConsoleRoute(ConsoleRoute):
    """A page for operators who have not signed in yet."""

    is_open_to_all = True


class ConsoleMount(Mount):
    """Everything that is not the API's: an unknown path below `/api/` is answered by the API."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Leave the API's paths alone."""
        if scope["type"] != "http" or scope["path"].startswith("/api/"):
            return Match.NONE, {}
        return super().matches(scope)


def mount_console(app: FastAPI, routers: Sequence[APIRouter]) -> FastAPI:
    """Make the console of an application, with the same state, and mount it after the API.

    Its `openapi()` is not served: it is the inventory of pages and forms.
    """
    console = FastAPI(
        title="Console",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: f"page_{route.name}",
    )
    state: State = app.state
    console.state = state
    _install_errors(console)
    for router in routers:
        console.include_router(router)
    console.mount("/static", VersionedFiles(), name="static")
    state.console = console
    app.router.routes.append(ConsoleMount("/", app=console, name="console"))
    return console


def _install_errors(app: FastAPI) -> None:
    """Answer every error of the console with a page."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> Response:
        return await answer_problem(request, error, describe_problem(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        if any(item["loc"][0] == "path" for item in error.errors()):
            return await answer_problem(request, NotFound())
        return await answer_problem(request, Invalid(), describe_errors(error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        response = await answer_problem(request, MethodNotAllowed() if error.status_code == 405 else NotFound())
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    async def on_database(request: Request, error: DatabaseError) -> Response:
        return await answer_problem(request, describe_database_error(request, error))

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> Response:
        log.error("unexpected_error", path=request.url.path, exc_info=error)
        return await answer_problem(request, Problem())


async def answer_problem(request: Request, problem: Problem, errors: dict[str, str] | None = None) -> Response:
    """Send nobody to the sign-in; say to everybody else what is wrong, and the way back to where the form was."""
    if isinstance(problem, NotSignedIn):
        wanted = request.url.path
        is_page = request.method == "GET" and wanted != "/" and is_safe_path(wanted)
        target = f"{SIGN_IN}?{urlencode({'next': wanted}, quote_via=quote)}" if is_page else SIGN_IN
        return RedirectResponse(target, status_code=303)
    page = form_page_of(request.scope.get("endpoint"))
    if page is not None and request.method == "POST" and not isinstance(problem, NotFound | Forbidden):
        return await show_form_again(request, page, problem, errors or {})
    back = "/"
    if request.method == "POST" and not isinstance(problem, NotFound):
        back = next(
            (
                f"/{kind}s/{request.path_params[f'{kind}_id']}"
                for kind in ("tenant", "portal", "cluster")
                if f"{kind}_id" in request.path_params
            ),
            "/",
        )
    response = render(request, "problem.html", status=problem.status, problem=problem, errors=errors or {}, back=back)
    tell_when_to_retry(response, problem)
    return response
