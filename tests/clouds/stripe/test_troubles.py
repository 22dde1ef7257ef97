"""Stripe slow, throttling, failing or hanging up: the real client asks once, says what it was, and the next time asks
with the same key."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from platforma.clouds.errors import CloudError, CloudThrottled, CloudUnavailable
from platforma.clouds.stripe import StripeSettings, open_stripe

INTENT = b'{"id":"pi_1","object":"payment_intent","customer":"cus_1","status":"succeeded","amount":5,"currency":"eur"}'


@dataclass
class Troubled:
    """Answers as it is told, one after another; `None` does not answer at all until it ends."""

    answers: list[tuple[int, bytes, dict[str, str]] | None]
    keys: list[str | None] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def troubled() -> Iterator[tuple[Troubled, str]]:
    told = Troubled([])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            told.keys.append(self.headers.get("idempotency-key"))
            answer = told.answers.pop(0)
            if answer is None:
                told.ended.wait(10)
                return
            status, body, headers = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    serving.start()
    yield told, f"http://127.0.0.1:{server.server_address[1]}"
    told.ended.set()
    server.shutdown()
    server.server_close()


def error_of(message: str) -> bytes:
    return f'{{"error": {{"type": "api_error", "message": "{message}"}}}}'.encode()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, error_of("down"), {}), CloudUnavailable),
        ((503, b"", {}), CloudUnavailable),
        ((429, error_of("slow down"), {"retry-after": "7"}), CloudThrottled),
        (None, CloudUnavailable),
        ((200, b"<html>", {}), CloudUnavailable),
        ((302, b"", {}), CloudUnavailable),
    ],
    ids=["500", "503", "429", "slow", "nonsense", "elsewhere"],
)
def test_it_asks_once_and_again_with_the_same_key(
    troubled: tuple[Troubled, str], answer: tuple[int, bytes, dict[str, str]] | None, error: type[CloudError]
) -> None:
    told, address = troubled
    told.answers = [answer, (200, INTENT, {})]
    provider = open_stripe(StripeSettings(address, "sk_test_12345", timeout_seconds=0.3))

    def charge() -> Any:
        return provider.charge("cus_1", "pm_1", amount=5, currency="EUR", key="payment-1")

    with pytest.raises(error) as seen:
        charge()
    assert told.keys == ["payment-1"]
    assert seen.value.is_transient
    if error is CloudThrottled:
        assert seen.value.retry_after == 7
    assert charge().status == "succeeded"
    assert told.keys == ["payment-1", "payment-1"]
