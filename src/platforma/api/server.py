"""How an application is served: uvicorn, with one more strictness."""

from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class StrictHttpProtocol(HttpToolsProtocol):
    """Counts the host of an absolute-form target (RFC 9112, 3.2.2) as one more Host header.

    The protocol below drops it: a proxy in front might choose the portal by it, and we by the Host header.
    With two hosts the edge refuses the request.
    """

    def on_headers_complete(self) -> None:
        """See HttpToolsProtocol."""
        if not self.url.startswith(b"/"):
            self.headers.append((b"host", self.url))
        super().on_headers_complete()


def server_config(app: ASGIApp | str, **options: Any) -> uvicorn.Config:
    """Return the configuration of a server: no proxy headers believed, nothing said about itself, no access log
    (query strings and paths hold what people look at)."""
    defaults: dict[str, Any] = {
        "http": StrictHttpProtocol,
        "ws": "none",
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
        "timeout_keep_alive": 20,
        "timeout_graceful_shutdown": 10,
    }
    return uvicorn.Config(app, **(defaults | options))
