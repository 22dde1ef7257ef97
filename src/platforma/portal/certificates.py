"""The question that Caddy asks before it gets a certificate on demand: may this host have one?

It is asked at a listener of its own, on loopback, so that no visitor of a portal reaches it. The answer is a bare
status: 200 for a proven host of a portal that is open, and 404 for everything else, whatever the reason.
Source: Caddy's manual, `on_demand_tls`, `ask`.
"""

import ipaddress
import time
from collections.abc import Callable
from urllib.parse import parse_qs

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import Receive, Scope, Send

from platforma.database.database import Database
from platforma.kit.hosts import parse_host
from platforma.settings import Settings, need

log = structlog.get_logger(__name__)

PATH = "/ask"
BURST = 60
PER_SECOND = 10.0


class CertificateAsk:
    """ASGI application with one path. Whoever sweeps the names of others through Caddy is slowed down for all."""

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._level, self._at = float(BURST), clock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": await self._decide(scope), "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def _decide(self, scope: Scope) -> int:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        peer = scope["client"][0] if scope.get("client") else ""
        if not _is_loopback(peer) or len(hosts) != 1 or not _is_loopback(hosts[0].rpartition(":")[0] or hosts[0]):
            return 404
        asked = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=5).get("domain", [])
        host = parse_host(asked[0]) if len(asked) == 1 and ":" not in asked[0] else None
        if scope["method"] != "GET" or scope["path"] != PATH or host is None:
            return 404
        if not self._spend():
            return 429
        try:
            row = await self._database.call_gate("is_certifiable", wanted=host)
        except (DBAPIError, PoolTimeout) as error:
            log.warning("certificates could not be decided", error=type(error).__name__)
            return 503
        return 200 if row is not None and row[0] else 404

    def _spend(self) -> bool:
        now = self._clock()
        self._level, self._at = min(BURST, self._level + (now - self._at) * PER_SECOND), now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._database.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send({"type": "lifespan.startup.complete"})


def _is_loopback(text: str) -> bool:
    try:
        return ipaddress.ip_address(text.strip("[]")).is_loopback
    except ValueError:
        return False


def create_certificates_app(settings: Settings) -> CertificateAsk:
    """Make the application; it has the portals' database role. Raises SettingsError."""
    return CertificateAsk(Database(need(settings.database.portal, "DATABASE__PORTAL"), pool_size=2))
