"""A proxy before localstripe that does three things as Stripe does them, and localstripe does not.

It honours idempotency keys, gives a card that was set up to its customer, and lists the payments of one customer.

The first answer to a key is kept, and given again for the same request; another request under the same key is refused
(https://docs.stripe.com/api/idempotent_requests). Answers of 5xx are not kept, as nothing was done.
"""

import hashlib
import http.client
import json
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

_HOP = {"connection", "transfer-encoding", "keep-alive", "content-length", "date", "server"}
_CONFIRM = re.compile(r"/v1/setup_intents/[^/?]+/confirm")
_METHODS = ("GET", "POST", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class IdempotentProxy(ThreadingHTTPServer):
    """Listens on loopback; `target` is the port of localstripe."""

    daemon_threads = True

    def __init__(self, port: int, target: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.target = target
        self._kept: dict[str, tuple[bytes, Answer]] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Return the answer to a request, the kept one if its key was seen before."""
        key = headers.get("idempotency-key")
        if method == "GET" and path.startswith("/v1/payment_intents?"):
            return self._list_payments(path, headers)
        if method == "POST" and _CONFIRM.fullmatch(path):
            return self._confirm(path, headers, body)
        if key is None or method != "POST":
            return self._forward(method, path, headers, body)
        request = hashlib.sha256(path.encode() + b"|" + body).digest()
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            seen, answer = self._kept.get(key, (request, None))
            if seen != request:
                return _refusal()
            if answer is None:
                answer = self._forward(method, path, headers, body)
                if answer.status < 500:
                    self._kept[key] = (request, answer)
            return answer

    def _list_payments(self, path: str, headers: dict[str, str]) -> Answer:
        """List the payments of the customer that the query names, all on one page."""
        (customer,) = parse_qs(urlsplit(path).query).get("customer", [""])
        answer = self._forward("GET", "/v1/payment_intents?limit=100", headers, b"")
        if answer.status != 200 or not customer:
            return answer
        page = json.loads(answer.body)
        page["data"] = [row for row in page["data"] if row["customer"] == customer]
        page["has_more"] = False
        return Answer(200, answer.headers, json.dumps(page).encode())

    def _confirm(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Confirm a SetupIntent, and attach its card to its customer."""
        answer = self._forward("POST", path, headers, body)
        setup = json.loads(answer.body) if answer.status == 200 else {}
        if setup.get("status") == "succeeded" and setup.get("customer"):
            method = setup["payment_method"]
            ours = {"authorization": "Bearer sk_test_proxy", "content-type": "application/x-www-form-urlencoded"}
            self._forward(
                "POST",
                f"/v1/payment_methods/{method}/attach",
                ours,
                urlencode({"customer": setup["customer"]}).encode(),
            )
        return answer

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=30)
        try:
            connection.request(method, path, body or None, {k: v for k, v in headers.items() if k not in _HOP})
            response = connection.getresponse()
            kept = tuple((name, value) for name, value in response.getheaders() if name.lower() not in _HOP)
            return Answer(response.status, kept, response.read())
        except OSError:
            return Answer(502, (), b"")
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        proxy = self.server
        assert isinstance(proxy, IdempotentProxy)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = proxy.answer(self.command, self.path, headers, body)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Say nothing."""


for _method in _METHODS:
    setattr(_Handler, f"do_{_method}", _Handler._handle)


def _refusal() -> Answer:
    error = {
        "type": "idempotency_error",
        "message": "Keys for idempotent requests can only be used with the same request.",
    }
    return Answer(400, (("content-type", "application/json"),), json.dumps({"error": error}).encode())
