"""The HTTP side of a fault proxy: whole requests in, whole answers out."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from devcloud.openstack.faults.kinds import Response
from devcloud.openstack.layout import LOOPBACK

POLL_SECONDS = 0.02

# RFC 9110 section 7.6.1: these speak of one connection and are not passed on.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

# Method, path with query, headers, body; an answer, or None to close the connection without a word.
Handle = Callable[[str, str, list[tuple[str, str]], bytes], Response | None]


class LoopbackServer(ThreadingHTTPServer):
    """HTTP/1.1 with a thread for each connection; `handle` gets a request whole and answers it whole."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, handle: Handle) -> None:
        self.handle = handle
        self._connections: set[Any] = set()
        super().__init__((LOOPBACK, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def serve(self) -> None:
        threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,), daemon=True).start()

    def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LoopbackServer

    def _serve(self) -> None:
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        length = int(self.headers.get("Content-Length", 0))
        body = self._read_chunks() if chunked else self.rfile.read(length)
        headers = [
            (name, value) for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP | {"content-length"}
        ]
        if chunked or "Content-Length" in self.headers:
            headers.append(("Content-Length", str(len(body))))
        response = self.server.handle(self.command, self.path, headers, body)
        if response is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self._send(response)

    def _send(self, response: Response) -> None:
        self.send_response_only(response.status, response.reason)
        has_body = self.command != "HEAD" and response.status not in (204, 304)
        for name, value in response.headers:
            if name.lower() not in HOP_BY_HOP and not (has_body and name.lower() == "content-length"):
                self.send_header(name, value)
        if has_body:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if has_body:
            self.wfile.write(response.body)

    def _read_chunks(self) -> bytes:
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(chunks)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Keep the tests' output clean; `FaultProxy.seen` is the log."""

    # http.server looks a method up by its name.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815
