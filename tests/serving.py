"""The real application, served on a free loopback port by the server that production uses."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from platforma.api.server import server_config

_DEADLINE_SECONDS = 20


@contextmanager
def served(app: Any) -> Iterator[int]:
    """Serve an application in a thread of its own; yield the port."""
    config = server_config(app, host="127.0.0.1", port=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not server.started:
        if time.monotonic() > deadline or not thread.is_alive():
            raise RuntimeError("The application did not start.")
        thread.join(0.01)
    try:
        port: int = server.servers[0].sockets[0].getsockname()[1]
        yield port
    finally:
        server.should_exit = True
        thread.join(_DEADLINE_SECONDS)
