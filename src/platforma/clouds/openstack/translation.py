"""The border: whatever the SDK raises leaves as an error of ours.

Which answers mean what was read from the services' own source: Nova says 403 and Neutron 409 when a quota is used up,
Cinder 413 with `Retry-After: 0`; Cinder and Nova say 400 when a volume is in the wrong state for the moment.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import requests
from keystoneauth1 import exceptions as keystone
from openstack import exceptions as sdk

from platforma.clouds.openstack.errors import (
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

_REASON_LENGTH = 300
_POLICY = re.compile(r"policy doesn't allow|disallowed by policy", re.IGNORECASE)
_QUOTA = re.compile(r"quota|maximum number of .*\bexceed|larger than maximum allowed limit", re.IGNORECASE)
_TRANSITION = re.compile(r"^invalid volume\b.*\bstatus must|\bvolume .*status must be|Currently in '", re.IGNORECASE)
_PERMANENT_CONFLICTS = {
    "GatewayConflictWithAllocationPools",
    "SecurityGroupConflict",
    "InvalidQuotaValue",
    "IpAddressAlreadyAllocated",
    "IpAddressInUse",
}
"""Neutron's 409 for what contradicts itself, and not for what is busy."""
_CONFIDENTIAL = (
    re.compile(r"\b\w+://\S+"),
    re.compile(r"\(HTTP \d+\)|\(Request-ID: [^)]*\)|\breq-[0-9a-f-]{36}", re.IGNORECASE),
    re.compile(r"\bgAAAA[\w=-]+"),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}:\d+\b"),
    re.compile(r"\b(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})\b", re.IGNORECASE),
    re.compile(r"<[^>]*>"),
)

_UNREACHABLE = (
    keystone.ConnectionError,
    keystone.CatalogException,
    keystone.DiscoveryFailure,
    sdk.ServiceDiscoveryException,
    sdk.ServiceDisabledException,
    sdk.EndpointNotFound,
    sdk.NotSupported,
    requests.ConnectionError,
    requests.Timeout,
)
"""No connection, or no such service in the catalogue: the SDK says so in many ways."""

_SENSELESS = (
    sdk.SDKException,
    keystone.ClientException,
    requests.RequestException,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
)
"""What the SDK raises when an answer has not the shape that it expects."""


class Forgettable(Protocol):
    """What works over a connection that somebody keeps."""

    @property
    def forget(self) -> Callable[[], None]:
        """Have the connection made anew the next time."""


S = TypeVar("S", bound=Forgettable)


def at_border(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Have a method raise nothing but CloudError, and forget a connection that is no longer good."""

    @wraps(method)
    def called(self: S, /, *arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            with border():
                return method(self, *arguments, **keywords)
        except CloudError as error:
            if isinstance(error, CloudCredentialInvalid) or isinstance(error.__cause__, sdk.ServiceDisabledException):
                self.forget()
            raise

    return called


@contextmanager
def border() -> Iterator[None]:
    """Let nothing but CloudError out of the block."""
    try:
        yield
    except CloudError:
        raise
    except (*_UNREACHABLE, *_SENSELESS) as error:
        raise translate_error(error) from error


def translate_error(error: Exception) -> CloudError:
    """Return our word for what the SDK has raised."""
    if isinstance(error, sdk.HttpException) and error.response is not None:
        return translate_response(error.response)
    if isinstance(error, keystone.HttpError) and error.response is not None:
        return _translate_sign_in(error.response)
    if isinstance(error, _UNREACHABLE):
        return CloudUnavailable()
    return CloudAnswerInvalid()


def _translate_sign_in(response: requests.Response) -> CloudError:
    """Return our word for what Keystone says to a credential. One that was deleted is not found, says Keystone."""
    translated = translate_response(response)
    if isinstance(translated, CloudRefused) or (isinstance(translated, CloudNotFound) and translated.reason):
        return CloudCredentialInvalid()
    return CloudAnswerInvalid() if isinstance(translated, CloudNotFound) else translated


def translate_response(response: requests.Response) -> CloudError:
    """Return our word for an answer of 400 and above."""
    try:
        body = response.json()
    except ValueError:
        body = None
    headers = {name.lower(): value for name, value in response.headers.items()}
    return _translate_status(response.status_code, _message(body), _fault(body), headers)


def clean_reason(message: str | None) -> str | None:
    """Return OpenStack's words without addresses, tokens, its own ids and markup; None if nothing is left."""
    if not message:
        return None
    for pattern in _CONFIDENTIAL:
        message = pattern.sub(" ", message)
    cleaned = " ".join(message.split())
    return cleaned[:_REASON_LENGTH] or None


def _translate_status(status: int, message: str | None, fault: str | None, headers: dict[str, str]) -> CloudError:
    text = message or ""
    reason = clean_reason(message)
    is_quota = fault == "OverQuota" or (bool(_QUOTA.search(text)) and not _POLICY.search(text))
    if status in (403, 409, 413) and is_quota:
        return CloudQuotaExceeded(reason)
    if fault in _PERMANENT_CONFLICTS:
        return CloudRefused(reason)
    if status == HTTPStatus.BAD_REQUEST and _TRANSITION.search(text):
        return CloudConflict(reason)
    match status:
        case 401:
            return CloudCredentialInvalid()
        case 404 | 410:
            return CloudNotFound(reason)
        case 409:
            return CloudConflict(reason)
        case 413 | 429:
            return CloudThrottled(retry_after=_retry_after(headers.get("retry-after")))
        case 408 | 500 | 502 | 503 | 504:
            return CloudUnavailable(retry_after=_retry_after(headers.get("retry-after")))
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return CloudRefused(reason)
    return CloudAnswerInvalid()


def _message(body: Any) -> str | None:
    """Return the message of `{"NeutronError": {"message"}}`, `{"forbidden": {"message"}}`, `{"message"}` and so on."""
    if isinstance(body, dict):
        for part in (*body.values(), body):
            if isinstance(part, dict) and isinstance(part.get("message"), str):
                return str(part["message"])
    return None


def _fault(body: Any) -> str | None:
    """Return Neutron's name of the error."""
    error = body.get("NeutronError") if isinstance(body, dict) else None
    return str(error["type"]) if isinstance(error, dict) and "type" in error else None


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After, which is a number or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
