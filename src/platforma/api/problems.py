"""Every error of the API as problem+json (RFC 9457), said once."""

from collections.abc import Callable
from typing import Any

import structlog
from fastapi import FastAPI, Request
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
    status = 503
    type = "unavailable"
    title = "Platforma is not available at the moment"


class MethodNotAllowed(Problem):
    status = 405
    type = "method-not-allowed"
    title = "This method is not used here"


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a problem as an answer."""
    return JSONResponse(problem.document(), status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


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
        retry_after = error.extra.get("retry_after")
        return problem_response(error, {"Retry-After": str(retry_after)} if retry_after else None)

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
    async def on_database(request: Request, error: DBAPIError) -> JSONResponse:
        log.error("database_error", path=request.url.path, error=type(error.orig).__name__, exc_info=error)
        return _unavailable_or(describe_database_error(error))

    @app.exception_handler(PoolTimeout)
    async def on_busy(request: Request, error: PoolTimeout) -> JSONResponse:
        log.error("no_database_connection_free", path=request.url.path)
        return _unavailable_or(
            Unavailable("Too much is asked for at once. Try again in a moment; nothing was changed.")
        )

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected_error", path=request.url.path, exc_info=error)
        return problem_response(Problem())


def describe_database_error(error: DBAPIError) -> Problem:
    """Say what a database error means to the caller; log it first."""
    if isinstance(error.orig, (errors.LockNotAvailable, errors.QueryCanceled)):
        return Unavailable("Something else holds what this needs. Try again in a moment; nothing was changed.")
    if error.connection_invalidated or isinstance(error, OperationalError):
        return Unavailable("The database does not answer. Try again in a moment; nothing was changed.")
    if isinstance(error, IntegrityError):
        return Conflict("Something that this depends on changed at the same moment. Look again and repeat it.")
    return Problem()


def _unavailable_or(problem: Problem) -> JSONResponse:
    """Answer a problem; one that passes by itself says when to come back."""
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(problem, Unavailable) else None
    return problem_response(problem, headers)


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
    403: "Not allowed for this role, or asked for by another site",
    404: "There is nothing here",
    409: "Does not fit the present state, or over quota",
    413: "The body is too large",
    415: "Another kind of body",
    422: "The request is not valid",
    429: "Too many attempts",
    503: "Not available at the moment",
}
