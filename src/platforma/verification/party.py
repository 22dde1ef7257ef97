"""A canary tenant's owner over HTTP: what any member could send, and nothing else."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import httpx2

from platforma.kit.probes import NO_CONNECTION, OWN_SESSION, Reply

SESSION_COOKIE = "__Host-platforma"
POLL_SECONDS = 0.25


class HttpParty:
    """See Party. `client` leads to the installation, whatever host is asked for."""

    def __init__(
        self, client: httpx2.AsyncClient, *, host: str, mark: str, email: str, password: str, patience_seconds: float
    ) -> None:
        self.host = host
        self.mark = mark
        self.ids: dict[str, str] = {}
        self.token = ""
        self.cookie = ""
        self.colleague: HttpParty | None = None
        self._client = client
        self._email = email
        self._password = password
        self._patience_seconds = patience_seconds

    async def ask(
        self,
        method: str,
        target: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        host: str | None = None,
        session: str | None = OWN_SESSION,
    ) -> Reply:
        """See Party."""
        sent = {"host": host or self.host, **(headers or {})}
        used = self.token if session == OWN_SESSION else session
        if used is not None and "cookie" not in sent:
            sent["cookie"] = f"{SESSION_COOKIE}={used}"
        began = time.perf_counter()
        try:
            response = await self._client.request(
                method,
                target,
                headers=[(key.encode(), value.encode()) for key, value in sent.items()],
                json=body,
                content=content,
                follow_redirects=False,
            )
            content_read = await response.aread()
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            words = f"{type(error).__name__}: {error}".encode()
            return Reply(NO_CONNECTION, (), words, time.perf_counter() - began)
        headers_read = tuple((key, value) for key, value in response.headers.multi_items())
        return Reply(response.status_code, headers_read, content_read, time.perf_counter() - began)

    async def sign_in(self) -> str:
        """See Party. Raises PartyError if that does not work."""
        body = {"email": self._email, "password": self._password}
        reply = await self.ask("POST", "/api/v1/session", body=body, session=None)
        cookie = reply.header("set-cookie") or ""
        name, _, value = cookie.partition(";")[0].partition("=")
        if reply.status != 201 or name != SESSION_COOKIE:
            raise PartyError(f"A canary cannot sign in at {self.host}: {reply.status} {reply.text[:300]}")
        self.cookie = cookie
        return value

    async def settle(self, answer: Reply) -> str | None:
        """See Party."""
        if answer.status >= 300:
            return None
        made = answer.json()
        operation = made.get("operation") if isinstance(made, dict) else None
        resource = made.get("resource", made) if isinstance(made, dict) else {}
        deadline = time.monotonic() + self._patience_seconds
        while operation is not None and operation.get("status") in ("queued", "running"):
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(POLL_SECONDS)
            reply = await self.ask("GET", f"/api/v1/operations/{operation['id']}")
            if reply.status == 200:
                operation = reply.json()
        if operation is not None:
            self.ids.setdefault("operation_id", str(operation["id"]))
            if operation.get("status") != "succeeded":
                return None
        return str(resource["id"]) if "id" in resource else None


class PartyError(Exception):
    """A canary tenant cannot do what any tenant can; the sentence says what."""
