"""A cloud on loopback that answers whatever a test wants, to see what the client makes of it."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

TENANT_PROJECT = "a" * 32
TENANT_USER = "user-of-a"
FOREIGN_PROJECT = "b" * 32


@dataclass(frozen=True)
class Answer:
    """What is answered. `body` is bytes as they are, or anything that JSON can hold.

    `delay_seconds` passes before anything is sent, `drip_seconds` after each byte of the body; `is_cut` closes the
    connection without an answer.
    """

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    drip_seconds: float = 0
    is_cut: bool = False

    @property
    def is_slow(self) -> bool:
        return self.delay_seconds > 0 or self.drip_seconds > 0

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Request:
    """What was asked, with the path below the service's own: `GET network /networks`."""

    method: str
    service: str
    path: str
    token: str | None


Script = Callable[[Request], Answer]


class StubCloud:
    """Signs everybody in and says where the services are; the rest is the test's `script`."""

    def __init__(self) -> None:
        self.script: Script = lambda _: Answer(404, {"itemNotFound": {"message": "Not found."}})
        self.project_id = TENANT_PROJECT
        self.user_id = TENANT_USER
        self.roles = ["member", "reader"]
        self.sign_in: Answer | None = None
        self.requests: list[Request] = []
        self.sign_ins = 0
        self.discoveries = 0
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def auth_url(self) -> str:
        return f"{self.url}/v3"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                stub.send(self, stub.answer(self))

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_one  # noqa: N815 - the names are the library's

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def answer(self, handler: BaseHTTPRequestHandler) -> Answer:
        """Return what the handler is to send."""
        path = urlsplit(handler.path).path
        if path == "/v3/auth/tokens":
            self.sign_ins += 1
            return self.sign_in or self._token()
        _, service, *rest = path.split("/")
        request = Request(str(handler.command), service, "/" + "/".join(rest), handler.headers.get("x-auth-token"))
        discovery = self._discover(request)
        if discovery is not None:
            self.discoveries += 1
            return discovery
        self.requests.append(request)
        return self.script(request)

    def send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        """Send an answer as slowly and as badly as it wants to be sent."""
        self._stopping.wait(answer.delay_seconds)
        handler.close_connection = True
        if answer.is_cut:
            return
        body = answer.encoded()
        try:
            handler.send_response(answer.status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **answer.headers,
            }.items():
                handler.send_header(name, value)
            handler.end_headers()
            if not answer.drip_seconds:
                handler.wfile.write(body)
                return
            for byte in body:
                handler.wfile.write(bytes([byte]))
                if self._stopping.wait(answer.drip_seconds):
                    return
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client has had enough, as it should

    def _token(self) -> Answer:
        places = {"network": "network", "compute": "compute/v2.1", "block-storage": "volume/v3", "image": "image"}
        catalog = [
            {
                "type": service,
                "name": service,
                "endpoints": [{"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": url}],
            }
            for service, url in {
                "identity": self.auth_url,
                **{service: f"{self.url}/{place}" for service, place in places.items()},
            }.items()
        ]
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
        token = {
            "methods": ["application_credential"],
            "user": {"id": self.user_id, "name": "a", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": self.project_id, "name": "a", "domain": {"id": "default", "name": "Default"}},
            "roles": [{"id": role, "name": role} for role in self.roles],
            "catalog": catalog,
            "issued_at": now,
            "expires_at": "2999-01-01T00:00:00.000000Z",
        }
        return Answer(201, {"token": token}, {"X-Subject-Token": f"gAAAAtoken{self.sign_ins}"})

    def _discover(self, request: Request) -> Answer | None:
        """Answer to the question for versions, in the form of each service."""
        versions = {("compute", "/v2.1"): ("v2.1", "2.96"), ("volume", "/v3"): ("v3.0", "3.71")}
        found = versions.get((request.service, request.path.rstrip("/")))
        if found is None:
            return None
        version = {
            "id": found[0],
            "status": "CURRENT",
            "version": found[1],
            "min_version": f"{found[0][1]}.0",
            "links": [{"rel": "self", "href": f"{self.url}/{request.service}{request.path}"}],
        }
        return Answer(200, {"version": version})
