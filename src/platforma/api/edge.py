"""The edge: what every request has to be before any endpoint sees it (pure ASGI).

It establishes the host, refuses cross-site changes, odd targets and odd bodies, and puts security headers on
every answer. It believes no header that says who is calling.
"""

import html
import ipaddress
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from platforma.authentication.cookies import read_cookie
from platforma.kit.hosts import parse_host
from platforma.kit.problems import PROBLEM_MEDIA_TYPE

log = structlog.get_logger("platforma.requests")

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_METHODS = _SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}

_UNKNOWN = "unknown"
_JSON, _FORM, _FILES = b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data"
_COMMON_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"vary", b"Host, Cookie"),
)
CONTENT_SECURITY_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Refusal(Exception):
    """A request that is turned away at the edge."""

    status: int
    kind: str
    title: str
    detail: str | None = None

    def body(self) -> bytes:
        """Return the problem document."""
        document = {"type": f"urn:platforma:problem:{self.kind}", "title": self.title, "status": self.status}
        return json.dumps(document | ({"detail": self.detail} if self.detail else {})).encode()

    def page(self) -> bytes:
        """Return the same for a person: without a brand, as it is said before a portal is known."""
        title, detail = html.escape(self.title), html.escape(self.detail or "")
        return _PAGE.format(title=title, detail=detail).encode()


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
<h1>{title}</h1>
<p>{detail}</p>
</body>
</html>
"""


class Edge:
    """ASGI middleware. Sets `scope["state"]["host"]` and `["address"]` for everything behind it."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        maximum_body_bytes: int,
        trusted_proxies: Sequence[str] = (),
        api_prefix: str = "/api/",
        hsts_seconds: int = 31_536_000,
        takes_files: bool = False,
        cookie: str | None = None,
        most_at_once: int = 10,
    ) -> None:
        """`takes_files`: forms of pages may be sent as multipart/form-data too.

        One session, known by its `cookie`, has `most_at_once` requests under way in this process, and the others of the
        connections to the database are for everybody else.
        """
        self._cookie = cookie
        self._most_at_once = most_at_once
        self._under_way: Counter[str] = Counter()
        self._takes_files = takes_files
        self._transport_security = (b"strict-transport-security", f"max-age={hsts_seconds}".encode())
        self._app = app
        self._maximum_body_bytes = maximum_body_bytes
        self._proxies = [ipaddress.ip_network(proxy) for proxy in trusted_proxies]
        self._api_prefix = api_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, then hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        is_api = scope["path"].startswith(self._api_prefix)

        begun, status = time.perf_counter(), 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": self._headers(message["headers"], request_id, is_api=is_api)}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id), ExitStack() as stack:
            try:
                self._check(scope, is_api=is_api)
                stack.enter_context(self._turn(scope["headers"]))
                if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
                    receive = await _read_whole(receive, self._maximum_body_bytes)
                await self._app(scope, receive, send_with_headers)
            except Refusal as refusal:
                await answer_refusal(scope, send_with_headers, refusal)
            finally:
                _log(scope, status, begun)

    @contextmanager
    def _turn(self, headers: list[tuple[bytes, bytes]]) -> Iterator[None]:
        """Count a session's request while it is under way; raises Refusal if there are too many already."""
        token = None if self._cookie is None else read_cookie(headers, self._cookie)
        if token is None:
            yield
            return
        if self._under_way[token] >= self._most_at_once:
            detail = f"Send at most {self._most_at_once} requests at once, and this one again in a moment."
            raise Refusal(429, "too-many-at-once", "Too many requests at once", detail)
        self._under_way[token] += 1
        try:
            yield
        finally:
            self._under_way[token] -= 1
            if not self._under_way[token]:
                del self._under_way[token]

    def _check(self, scope: Scope, *, is_api: bool) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if not scope.get("raw_path", b"/").startswith(b"/"):
            raise Refusal(400, "bad-request", "The request is malformed", "The request target must be a path.")
        if scope["method"] not in _METHODS:
            raise Refusal(405, "method-not-allowed", "This method is not used here", f"Use {', '.join(_METHODS)}.")
        hosts = [value for name, value in headers if name == b"host"]
        host = parse_host(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
        if host is None:
            raise Refusal(400, "bad-request", "The request is malformed", "One valid Host header is needed.")
        state = scope.setdefault("state", {})
        state["host"] = host
        state["address"] = self._address(scope, headers)
        if scope["method"] not in _SAFE_METHODS:
            _check_same_origin(headers, hosts[0].decode("latin-1").lower())
            expected = [_JSON] if is_api else [_FORM, _FILES] if self._takes_files else [_FORM]
            _check_content(headers, expected, maximum=self._maximum_body_bytes)

    def _address(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> str:
        """Return the caller's address: the peer's, or what a trusted proxy says, read from the right."""
        peer = _normal_address(scope["client"][0] if scope.get("client") else "")
        chain = [
            part.strip()
            for name, value in headers
            if name == b"x-forwarded-for"
            for part in value.decode("latin-1").split(",")
        ]
        while chain and self._is_proxy(peer):
            peer = _normal_address(chain.pop())
        return peer

    def _is_proxy(self, address: str) -> bool:
        return address != _UNKNOWN and any(ipaddress.ip_address(address) in proxy for proxy in self._proxies)

    def _headers(
        self, headers: Sequence[tuple[bytes, bytes]], request_id: str, *, is_api: bool
    ) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in headers}
        added = [(name, value) for name, value in _COMMON_HEADERS if name not in present]
        if b"content-security-policy" not in present:
            added.append((b"content-security-policy", CONTENT_SECURITY_POLICY))
        if b"cache-control" not in present:
            added.append((b"cache-control", b"no-store"))
        return [*headers, *added, self._transport_security, (b"x-request-id", request_id.encode())]


def _log(scope: Scope, status: int, begun: float) -> None:
    """Log a request by its route, never by path, query, headers or body: these hold tokens, and what people look at."""
    if scope["path"].startswith("/static/"):
        return
    state = scope.get("state", {})
    log.info(
        "request",
        method=scope["method"][:10],
        host=state.get("host"),
        route=getattr(scope.get("route"), "path", None),
        status=status,
        milliseconds=round((time.perf_counter() - begun) * 1000, 1),
        address=state.get("address"),
    )


@lru_cache(maxsize=4096)
def _normal_address(text: str) -> str:
    """Return an address in its one form: IPv4 that is written as IPv6 is IPv4, and an interface's name is no part."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return _UNKNOWN
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


async def _read_whole(receive: Receive, maximum: int) -> Receive:
    """Read a body of unannounced length, at most `maximum` bytes of it, and hand it on in one piece."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return _replay(message, receive)
        body += message.get("body", b"")
        if len(body) > maximum:
            raise _too_large(maximum)
        if not message.get("more_body", False):
            return _replay({"type": "http.request", "body": body, "more_body": False}, receive)


def _replay(first: Message, receive: Receive) -> Receive:
    waiting = [first]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def _check_same_origin(headers: list[tuple[bytes, bytes]], authority: str) -> None:
    """Refuse a change that another site asks for (OWASP CSRF cheat sheet: Fetch Metadata, then Origin).

    Browsers send Sec-Fetch-Site on every request to a secure context; `same-site` is refused too, because a
    sibling subdomain may belong to another client. Programs that are no browsers send neither header.
    """
    sites = [value.lower() for name, value in headers if name == b"sec-fetch-site"]
    origins = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
    if len(sites) > 1 or len(origins) > 1 or (sites and sites[0] not in (b"same-origin", b"none")):
        raise _cross_site()
    if origins:
        origin = urlsplit(origins[0])
        if origin.scheme not in ("http", "https") or origin.netloc != authority:
            raise _cross_site()


def _check_content(headers: list[tuple[bytes, bytes]], expected: Sequence[bytes], *, maximum: int) -> None:
    lengths = [value for name, value in headers if name == b"content-length"]
    has_body = any(name == b"transfer-encoding" for name, _ in headers)
    if lengths:
        if len(lengths) > 1 or not lengths[0].isdigit():
            raise Refusal(400, "bad-request", "The request is malformed", "Content-Length must be one number.")
        if int(lengths[0]) > maximum:
            raise _too_large(maximum)
        has_body = has_body or int(lengths[0]) > 0
    types = [value.split(b";")[0].strip().lower() for name, value in headers if name == b"content-type"]
    if has_body and (len(types) != 1 or types[0] not in expected):
        raise Refusal(
            415, "unsupported-media-type", "This kind of body is not read here", f"Send it as {expected[0].decode()}."
        )


def _cross_site() -> Refusal:
    return Refusal(403, "cross-site", "Refused", "This change was asked for by another site. Open the portal itself.")


def _too_large(maximum: int) -> Refusal:
    return Refusal(413, "too-large", "The body is too large", f"Send at most {maximum} bytes.")


async def answer_refusal(scope: Scope, send: Send, refusal: Refusal) -> None:
    """Turn a request away: with a page if a browser asks for one, else with a problem document."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
    is_page = b"text/html" in accepted and not scope["path"].startswith("/api/")
    body, kind = (refusal.page(), "text/html; charset=utf-8") if is_page else (refusal.body(), PROBLEM_MEDIA_TYPE)
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    if refusal.status in (400, 413):
        headers.append((b"connection", b"close"))
    if refusal.status == 429:
        headers.append((b"retry-after", b"1"))
    if refusal.status == 405:
        headers.append((b"allow", ", ".join(sorted(_METHODS)).encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
