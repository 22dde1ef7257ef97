"""The border: whatever the SDK raises leaves as an error of ours."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import httpx2
import msgspec
from lightkube.core.exceptions import ApiError, ConfigError, LoadResourceError

from platforma.clouds.errors import (
    CloudAnswerInvalid,
    CloudConflict,
    CloudCredentialInvalid,
    CloudError,
    CloudNotFound,
    CloudQuotaExceeded,
    CloudRefused,
    CloudThrottled,
    CloudUnavailable,
)

P = ParamSpec("P")
R = TypeVar("R")

_REASON_LENGTH = 400
_QUOTA = re.compile(r"\bexceeded quota\b")
_TERMINATING = re.compile(r"\bit is being terminated\b")
_CONFIDENTIAL = (
    re.compile(r"\b\w+://\S+"),
    re.compile(r"\bsystem:serviceaccount:\S+?(?=[\"'\s]|$)"),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}:\d+\b"),
)
_SENSELESS = (
    msgspec.MsgspecError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ConfigError,
    LoadResourceError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
"""What the SDK raises when an answer has not the shape that it expects, and what we do then."""


def at_border(method: Callable[P, R]) -> Callable[P, R]:
    """Have a method raise nothing but CloudError."""

    @wraps(method)
    def called(*arguments: P.args, **keywords: P.kwargs) -> R:
        with border():
            return method(*arguments, **keywords)

    return called


@contextmanager
def border() -> Iterator[None]:
    """Let nothing but CloudError out of the block."""
    try:
        yield
    except CloudError:
        raise
    except _SENSELESS as error:
        raise translate_error(error) from error


def translate_error(error: Exception) -> CloudError:
    """Return our word for what the SDK has raised."""
    if isinstance(error, httpx2.HTTPStatusError):
        return _translate_response(error)
    if isinstance(error, httpx2.TransportError | httpx2.StreamError):
        return CloudUnavailable()
    return CloudAnswerInvalid()


def clean_reason(message: str | None) -> str | None:
    """Return Kubernetes' words without addresses, tokens and accounts; None if nothing is left."""
    if not message:
        return None
    for pattern in _CONFIDENTIAL:
        message = pattern.sub(" ", message)
    return " ".join(message.split())[:_REASON_LENGTH] or None


def _translate_response(error: httpx2.HTTPStatusError) -> CloudError:
    """Return our word for an answer of 300 and above.

    403 has three meanings: the quota is used up, the namespace is about to end, or it is not allowed.
    """
    message = error.status.message if isinstance(error, ApiError) else None
    details = error.status.details if isinstance(error, ApiError) else None
    reason = clean_reason(message)
    retry_after = _retry_after(error.response.headers, details)
    match error.response.status_code:
        case 401:
            return CloudCredentialInvalid()
        case 403 if _QUOTA.search(message or ""):
            return CloudQuotaExceeded(reason)
        case 403 if _TERMINATING.search(message or ""):
            return CloudConflict(reason)
        case 404:
            return CloudNotFound(reason)
        case 409 | 410:
            return CloudConflict(reason)
        case 429:
            return CloudThrottled(retry_after=retry_after)
        case 408 | 500 | 502 | 503 | 504:
            return CloudUnavailable(retry_after=retry_after)
        case status if 400 <= status < 500:
            return CloudRefused(reason)
    return CloudAnswerInvalid()


def _retry_after(headers: Mapping[str, str], details: Any) -> float | None:
    """Return the seconds after which to ask again, from the header or from the Status."""
    value: Any = headers.get("retry-after") or getattr(details, "retryAfterSeconds", None)
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None
