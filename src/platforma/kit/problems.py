"""Errors that a person can act on, told as problem+json (RFC 9457)."""

from typing import Any, ClassVar

PROBLEM_MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A business error. The class says status and type, the instance what to do about it.

    `detail` is a sentence for the person; `extra` adds members to the problem document.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.extra = extra

    def document(self) -> dict[str, Any]:
        """Return the problem document, ready for JSON."""
        document: dict[str, Any] = {"type": f"urn:platforma:problem:{self.type}", "title": self.title}
        document["status"] = self.status
        if self.detail is not None:
            document["detail"] = self.detail
        return document | self.extra


class NotFound(Problem):
    """The one answer to an id that does not exist, whoever it may belong to, see docs/isolation."""

    status = 404
    type = "not-found"
    title = "There is nothing here"


class NotSignedIn(Problem):
    status = 401
    type = "not-signed-in"
    title = "Sign in first"


class Forbidden(Problem):
    status = 403
    type = "forbidden"
    title = "Your role does not allow this"


class Conflict(Problem):
    status = 409
    type = "conflict"
    title = "This does not fit the present state"


class Invalid(Problem):
    status = 422
    type = "invalid-request"
    title = "The request is not valid"


class QuotaExceeded(Problem):
    status = 409
    type = "quota-exceeded"
    title = "The quota is used up"


class TooManyRequests(Problem):
    status = 429
    type = "too-many-requests"
    title = "Too many attempts"
