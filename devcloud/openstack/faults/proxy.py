"""One reverse proxy on loopback that can be told what to do wrong."""

from __future__ import annotations

import contextlib
import http.client
import re
import threading
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

from devcloud.openstack.faults.bodies import error_body
from devcloud.openstack.faults.kinds import (
    Answer,
    Delay,
    Drop,
    Fault,
    Hold,
    Injection,
    LoseAnswer,
    Response,
    Seen,
)
from devcloud.openstack.faults.server import LoopbackServer
from devcloud.openstack.layout import LOOPBACK
from devcloud.openstack.ports import free_ports

UPSTREAM_SECONDS = 120


class FaultProxy:
    """Forwards everything to `upstream` (scheme, host and port) until a fault is injected.

    A context manager; `url` is fixed for its life, also over `stop` and `start`. Safe to use from any
    thread and beside any event loop: it serves on threads of its own.
    """

    def __init__(self, service: str, upstream: str) -> None:
        self.service = service
        self.upstream = upstream
        self.rewrite: Callable[[str, Response], Response] = lambda path, response: response
        self._lock = threading.Lock()
        self._injections: list[Injection] = []
        self._seen: list[Seen] = []
        self._stopping = threading.Event()
        self._server: LoopbackServer | None = None
        self._port = free_ports(1)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def seen(self) -> list[Seen]:
        """The requests so far, in the order in which they were finished."""
        with self._lock:
            return list(self._seen)

    def inject(self, fault: Fault, method: str = ".*", path: str = "", times: int | None = 1) -> Injection:
        """Do `fault` to the next `times` requests that match, or to all of them with None.

        `method` is a regular expression for the whole method, `path` one to be found anywhere in the
        path with its query. Of several injections that match, the oldest that is not used up wins.
        """
        injection = Injection(fault, re.compile(method), re.compile(path), times)
        with self._lock:
            self._injections.append(injection)
        return injection

    def mend(self) -> None:
        """Forget all faults and what was seen, and listen again if stopped."""
        with self._lock:
            self._injections.clear()
            self._seen.clear()
        self.start()

    def start(self) -> None:
        """Listen. Nothing happens if it does already."""
        if self._server is None:
            self._stopping.clear()
            self._server = LoopbackServer(self._port, self.handle)
            self._server.serve()

    def stop(self) -> None:
        """Be down: refuse connections and close those there are, in the middle of what they do."""
        if self._server is not None:
            self._stopping.set()
            self._server.close()
            self._server = None

    def __enter__(self) -> FaultProxy:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def handle(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Response | None:
        """What to answer; None closes the connection without a word."""
        fault = self._take_fault(method, path)
        response = self._do(fault, method, path, headers, body)
        asked = response is not None and not isinstance(fault, Answer)
        with self._lock:
            status = response.status if asked and response is not None else None
            self._seen.append(Seen(method, path, status, fault))
        return None if isinstance(fault, LoseAnswer) else response

    def _take_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            for injection in self._injections:
                if injection.left != 0 and injection.method.fullmatch(method) and injection.path.search(path):
                    if injection.left is not None:
                        injection.left -= 1
                    injection.hits += 1
                    injection.hit.set()
                    return injection.fault
        return None

    def _do(
        self, fault: Fault | None, method: str, path: str, headers: list[tuple[str, str]], body: bytes
    ) -> Response | None:
        match fault:
            case Drop():
                return None
            case Answer():
                return self._answer(fault)
            case Delay():
                if self._stopping.wait(fault.seconds):
                    return None
            case Hold():
                while not fault.release.wait(0.05):
                    if self._stopping.is_set():
                        return None
        response = self._forward(method, path, headers, body)
        return response and self.rewrite(path, response)

    def _answer(self, fault: Answer) -> Response:
        kind, body = error_body(self.service, fault.status, fault.message)
        headers = [("Content-Type", kind)]
        if fault.retry_after is not None:
            headers.append(("Retry-After", str(fault.retry_after)))
        return Response(fault.status, http.client.responses.get(fault.status, "Error"), headers, body)

    def _forward(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> Response | None:
        target = urlsplit(self.upstream)
        connection = http.client.HTTPConnection(target.netloc, timeout=UPSTREAM_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
                for name, value in headers:
                    connection.putheader(name, value)
                connection.putheader("Connection", "close")
                connection.endheaders(body)
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException):
                return None  # the service is gone: so are we, for this request
            return Response(answer.status, answer.reason, answer.getheaders(), content)
