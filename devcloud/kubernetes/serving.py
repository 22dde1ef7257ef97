"""Serving over HTTPS on this machine."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from pathlib import Path

import uvicorn

from devcloud.kubernetes.certificates import LOOPBACK, Certificates
from devcloud.kubernetes.server import ApiServer

SHUTDOWN_SECONDS = 2


def listen(port: int = 0) -> socket.socket:
    """Return a socket that listens on a port of this machine, by default on a free one."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    listener.listen(128)
    return listener


class Server(uvicorn.Server):
    """A server that ends its watches when it ends."""

    def __init__(self, api: ApiServer, certificates: Certificates) -> None:
        self._api = api
        with tempfile.TemporaryDirectory() as directory:
            certificate, key = Path(directory, "server.crt"), Path(directory, "server.key")
            certificate.write_text(certificates.server)
            key.touch(mode=0o600)
            key.write_text(certificates.key)
            config = uvicorn.Config(
                api.application(),
                lifespan="on",
                log_level="error",
                access_log=False,
                ssl_certfile=str(certificate),
                ssl_keyfile=str(key),
                ssl_version=ssl.PROTOCOL_TLS_SERVER,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
            config.load()
        super().__init__(config)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the watches, let what is being answered end, and then the connections.

        Without ado: a client that keeps one open does not read, and would never agree to end its TLS session.
        """
        self._api.end_watches()
        if self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks), timeout=SHUTDOWN_SECONDS)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await super().shutdown(sockets)
