"""Every error of the API as problem+json (RFC 9457), said once."""

from collections.abc import Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import errors
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from platforma.database.errors import NotBoundError
from platforma.kit.problems import PROBLEM_MEDIA_TYPE, Conflict, Invalid, NotFound, NotSignedIn, Problem

log = structlog.get_logger()

DatabaseError = DBAPIError | PoolTimeout

RETRY_AFTER_SECONDS = 2
"""When to ask again after the database was too busy or away."""


class FieldError(BaseModel):
    """Where a request is wrong, and how."""

    where: str
    detail: str


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it. `type` is stable: programs may compare it."""

    type: str
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = None


class Unavailable(Problem):
    """Passes by itself: the caller is told when to come back."""

    status = 503
    type = "unavailable"
    title = "Platforma is not available at the moment"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, retry_after=RETRY_AFTER_SECONDS)


class MethodNotAllowed(Problem):
    status = 405
    type = "method-not-allowed"
    title = "This method is not used here"


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem as an answer."""
    response = JSONResponse(
        problem.document(), status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers
    )
    tell_when_to_retry(response, problem)
    return response


def tell_when_to_retry(response: Response, problem: Problem) -> None:
    """Put the seconds that a problem names into the header (RFC 9110, 10.2.3)."""
    if retry_after := problem.extra.get("retry_after"):
        response.headers["Retry-After"] = str(retry_after)


def describe_validation(error: RequestValidationError) -> list[dict[str, str]]:
    """Name each field that is wrong. What was sent is not repeated: it may be a secret."""
    return [
        {"where": ".".join(str(part) for part in item["loc"]), "detail": item["msg"].removeprefix("Value error, ")}
        for item in error.errors()
    ]


def install_problem_handlers(app: FastAPI, allowed_methods: Callable[[str], list[str]]) -> None:
    """Answer every error of an application with problem+json. `allowed_methods` says what a path answers to."""

    @app.exception_handler(Problem)
    async def on_problem(request: Request, error: Problem) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(NotBoundError)
    async def on_not_bound(request: Request, error: NotBoundError) -> JSONResponse:
        return problem_response(NotSignedIn())

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(Invalid(errors=describe_validation(error)))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 405:
            return problem_response(MethodNotAllowed(), {"Allow": ", ".join(allowed_methods(request.url.path))})
        if error.status_code == 404:
            return problem_response(NotFound())
        return problem_response(Invalid(str(error.detail)))

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    async def on_database(request: Request, error: DatabaseError) -> JSONResponse:
        return problem_response(describe_database_error(request, error))

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected_error", path=request.url.path, exc_info=error)
        return problem_response(Problem())


def describe_database_error(request: Request, error: DatabaseError) -> Problem:
    """Log a database error, and say what it means to the caller."""
    if isinstance(error, PoolTimeout):
        log.error("no_database_connection_free", path=request.url.path)
        return Unavailable("Too much is asked for at once. Try again in a moment; nothing was changed.")
    log.error("database_error", path=request.url.path, error=type(error.orig).__name__, exc_info=error)
    if isinstance(error.orig, (errors.LockNotAvailable, errors.QueryCanceled)):
        return Unavailable("Something else holds what this needs. Try again in a moment; nothing was changed.")
    if error.connection_invalidated or isinstance(error, OperationalError):
        return Unavailable("The database does not answer. Try again in a moment; nothing was changed.")
    if isinstance(error, IntegrityError):
        return Conflict("Something that this depends on changed at the same moment. Look again and repeat it.")
    return Problem()


def describe(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI `responses` for these problem statuses."""
    return {
        status: {
            "content": {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
            "description": _TITLES[status],
        }
        for status in statuses
    }


_TITLES = {
    400: "The request is malformed",
    401: "Not signed in",
    402: "Invoices are overdue",
    403: "Not allowed for this role, or asked for by another site",
    404: "There is nothing here",
    409: "Does not fit the present state, or over quota",
    413: "The body is too large",
    415: "Another kind of body",
    422: "The request is not valid",
    429: "Too many attempts",
    503: "Not available at the moment",
}
