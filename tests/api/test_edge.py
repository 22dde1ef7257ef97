"""The edge: hosts, targets, cross-site changes and bodies, before any endpoint sees them (A06, A17, P01)."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from platforma.api.edge import Edge
from platforma.kit.hosts import parse_host
from tests.isolation.conftest import make_application
from tests.serving import served

MAXIMUM = 2048


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with what an endpoint would see."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    seen = {"host": scope["state"]["host"], "address": scope["state"]["address"], "bytes": len(body)}
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(Edge(echo, maximum_body_bytes=MAXIMUM)) as port:
        yield port


@pytest.fixture(scope="module")
def proxied_port() -> Iterator[int]:
    with served(
        Edge(echo, maximum_body_bytes=MAXIMUM, trusted_proxies=["127.0.0.0/8", "10.0.0.0/8"], hsts_seconds=60)
    ) as port:
        yield port


def speak(port: int, request: bytes) -> bytes:
    """Send bytes as they are, and return the answer's bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_plain_request_passes(port: int) -> None:
    answer = speak(port, b"GET /x HTTP/1.1\r\nHost: A.Localhost:8080\r\nConnection: close\r\n\r\n")
    assert status(answer) == 200
    assert b'"host": "a.localhost"' in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /x HTTP/1.1\r\nHost: a.localhost\r\nHost: b.localhost\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.0\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a.localhost.\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a.localhost@b.localhost\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a.localhost, b.localhost\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: a.localhost:80:80\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: \xc3\xa4.localhost\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n",
        b"GET http://b.localhost/x HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n",
        b"POST /api/x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"TRACE /x HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n",
        b"CONNECT /x HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n",
    ],
    ids=range(13),
)
def test_odd_requests_are_refused(port: int, request_bytes: bytes) -> None:
    """Two hosts, none, a trailing dot, user parts, absolute-form targets, two lengths, odd methods."""
    assert 400 <= status(speak(port, request_bytes)) < 500


class TestChanges:
    """A17: changes that another site asks for."""

    def post(self, port: int, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = named.pop("body", "{}").encode()
        named.setdefault("content-type", "application/json")
        return httpx.post(
            f"http://127.0.0.1:{port}/api/x", headers={"host": "a.localhost:8080", **named}, content=content
        )

    def test_the_portal_itself_may_ask(self, port: int) -> None:
        assert self.post(port, sec_fetch_site="same-origin", origin="http://a.localhost:8080").status_code == 200
        assert self.post(port, sec_fetch_site="none").status_code == 200
        assert self.post(port, origin="http://a.localhost:8080").status_code == 200
        assert self.post(port).status_code == 200

    @pytest.mark.parametrize(
        "headers",
        [
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"sec_fetch_site": "anything"},
            {"sec_fetch_site": "cross-site", "origin": "http://a.localhost:8080"},
            {"origin": "http://b.localhost:8080"},
            {"origin": "http://a.localhost:8081"},
            {"origin": "http://evil.a.localhost:8080"},
            {"origin": "null"},
            {"origin": "http://a.localhost:8080@evil.example"},
            {"origin": "file://a.localhost:8080"},
            {"sec_fetch_site": "same-origin", "origin": "http://evil.example"},
        ],
        ids=range(11),
    )
    def test_others_may_not(self, port: int, headers: dict[str, str]) -> None:
        response = self.post(port, **headers)
        assert response.status_code == 403
        assert response.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize(
        "kind",
        [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "text/json",
            "application/jsonp",
            "",
        ],
    )
    def test_json_is_application_json_only(self, port: int, kind: str) -> None:
        assert self.post(port, content_type=kind).status_code == 415

    def test_a_charset_is_no_other_type(self, port: int) -> None:
        assert self.post(port, content_type="application/json; charset=utf-8").status_code == 200

    def test_reading_is_not_a_change(self, port: int) -> None:
        headers = {"host": "a.localhost", "sec-fetch-site": "cross-site"}
        assert httpx.get(f"http://127.0.0.1:{port}/api/x", headers=headers).status_code == 200


class TestBodies:
    def test_an_announced_large_body_is_refused_unread(self, port: int) -> None:
        request = b"POST /api/x HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 9999999\r\n\r\n"
        assert status(speak(port, request)) == 413

    def test_an_unannounced_large_body_is_refused(self, port: int) -> None:
        def endless() -> Iterator[bytes]:
            for _ in range(100):
                yield b"x" * 100

        headers = {"host": "a.localhost", "content-type": "application/json"}
        response = httpx.post(f"http://127.0.0.1:{port}/api/x", headers=headers, content=endless())
        assert response.status_code == 413

    def test_an_unannounced_small_body_arrives_whole(self, port: int) -> None:
        headers = {"host": "a.localhost", "content-type": "application/json"}
        response = httpx.post(f"http://127.0.0.1:{port}/api/x", headers=headers, content=iter([b"{", b'"a": 1', b"}"]))
        assert response.json()["bytes"] == 8


class TestAddresses:
    """A21: who calls is decided by the connection, and by a proxy only if it is a trusted one."""

    def address(self, port: int, forwarded: str) -> Any:
        headers = {"host": "a.localhost", "x-forwarded-for": forwarded}
        return httpx.get(f"http://127.0.0.1:{port}/x", headers=headers).json()["address"]

    def test_nobody_is_believed_by_default(self, port: int) -> None:
        assert self.address(port, "203.0.113.9") == "127.0.0.1"

    def test_a_trusted_proxy_is_believed_from_the_right(self, proxied_port: int) -> None:
        assert self.address(proxied_port, "203.0.113.9") == "203.0.113.9"
        assert self.address(proxied_port, "198.51.100.1, 203.0.113.9") == "203.0.113.9"
        assert self.address(proxied_port, "198.51.100.1, 203.0.113.9, 10.0.0.5") == "203.0.113.9"
        assert self.address(proxied_port, "junk") == "unknown"

    def test_an_address_has_one_form(self, proxied_port: int) -> None:
        """Whatever a balancer that speaks IPv6 makes of IPv4, a trusted proxy's too."""
        assert self.address(proxied_port, "::ffff:203.0.113.9") == "203.0.113.9"
        assert self.address(proxied_port, "::ffff:198.51.100.1, ::ffff:10.0.0.5") == "198.51.100.1"
        assert self.address(proxied_port, "2001:DB8:0::1") == "2001:db8::1"
        assert self.address(proxied_port, "fe80::1%eth0") == "fe80::1"


def test_how_long_tls_is_a_must_is_a_setting(port: int, proxied_port: int) -> None:
    ask = b"GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n"
    assert b"strict-transport-security: max-age=31536000\r\n" in speak(port, ask)
    assert b"strict-transport-security: max-age=60\r\n" in speak(proxied_port, ask)


def test_every_answer_is_hardened(port: int) -> None:
    for target in (b"/x", b"/api/x"):
        answer = speak(port, b"GET " + target + b" HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").lower()
        assert b"content-security-policy: default-src 'none'" in answer
        assert b"x-content-type-options: nosniff" in answer
        assert b"cache-control: no-store" in answer
        assert b"server:" not in answer


@given(st.text(max_size=80))
def test_hosts_have_one_spelling(authority: str) -> None:
    host = parse_host(authority)
    if host is not None:
        assert host == host.lower()
        assert host.isascii()
        assert not host.endswith(".")
        assert parse_host(host) == host


@pytest.mark.parametrize(
    ("request_line", "status", "words"),
    [
        (b"POST /servers HTTP/1.1\r\nHost: a.example\r\nSec-Fetch-Site: cross-site", 403, "asked for by another site"),
        (b"POST /servers HTTP/1.1\r\nHost: a.example\r\nContent-Length: 99999", 413, "Send at most 2048 bytes"),
        (b"GET /servers HTTP/1.1\r\nHost: a_b", 400, "One valid Host header"),
    ],
)
def test_browsers_are_refused_with_a_page_and_programs_with_a_problem(
    port: int, request_line: bytes, status: int, words: str
) -> None:
    as_browser = speak(port, request_line + b"\r\nAccept: text/html,*/*;q=0.8\r\n\r\n").decode()
    assert f" {status} " in as_browser.splitlines()[0]
    assert "content-type: text/html; charset=utf-8" in as_browser
    assert words in as_browser
    assert "<h1>" in as_browser
    as_program = speak(port, request_line + b"\r\nAccept: */*\r\n\r\n").decode()
    assert f" {status} " in as_program.splitlines()[0]
    assert "application/problem+json" in as_program
    api = request_line.replace(b" /servers ", b" /api/v1/servers ")
    assert "application/problem+json" in speak(port, api + b"\r\nAccept: text/html\r\n\r\n").decode()


def test_requests_are_logged_without_what_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Route, status, milliseconds and the id that the answer has; no path, query, cookie or body."""
    secret = "s3cret-token-of-somebody"

    async def ask() -> httpx.Response:
        app = make_application("postgresql://nobody@127.0.0.1:1/nothing")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app, raise_app_exceptions=False)) as client:
            return await client.post(
                f"http://a.example/invitation/{secret}?q={secret}",
                headers={"cookie": f"__Host-platforma={secret}", "user-agent": secret},
                data={"password": secret},
            )

    lines: list[dict[str, Any]] = []

    class Recorder:
        def info(self, event: str, **values: Any) -> None:
            lines.append({"event": event, **structlog.contextvars.get_contextvars(), **values})

    monkeypatch.setattr("platforma.api.edge.log", Recorder())
    response = asyncio.run(ask())
    (line,) = lines
    assert line["request_id"] == response.headers["x-request-id"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/invitation/{token}", response.status_code)
    assert line["milliseconds"] > 0
    assert secret not in repr(lines)


async def test_one_session_does_not_take_all_there_is() -> None:
    """What it asks beyond its share is refused at once, while another session and nobody are answered."""
    go_on = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if b"=a" in dict(scope["headers"]).get(b"cookie", b""):
            await go_on.wait()
        await echo(scope, receive, send)

    transport = httpx.ASGITransport(app=Edge(slow, maximum_body_bytes=MAXIMUM, cookie="__Host-it", most_at_once=3))
    async with httpx.AsyncClient(transport=transport, base_url="http://portal.test") as client:

        async def ask(session: str) -> httpx.Response:
            return await client.get("/", headers={"cookie": f"__Host-it={session}"})

        under_way = [asyncio.ensure_future(ask("a")) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await asyncio.wait_for(ask("a"), 5)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert (await ask("b")).status_code == (await client.get("/")).status_code == 200
        go_on.set()
        assert [each.status_code for each in await asyncio.gather(*under_way)] == [200] * 3
        assert (await ask("a")).status_code == 200
