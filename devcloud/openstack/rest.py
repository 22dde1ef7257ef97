"""Just enough of a client for the cloud's own set-up: a token and JSON, with the standard library."""

from __future__ import annotations

import dataclasses
import json
import urllib.error
import urllib.request
from typing import Any

from devcloud.openstack.credentials import Credentials
from devcloud.openstack.errors import DevcloudError

REQUEST_SECONDS = 60

# Loopback never goes through the proxy that the environment may name.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclasses.dataclass(frozen=True)
class Client:
    """Requests with the administrator's token to any service's URL."""

    token: str

    @classmethod
    def sign_in(cls, credentials: Credentials) -> Client:
        admin = credentials.admin
        user = {
            "name": admin.username,
            "domain": {"name": admin.user_domain_name},
            "password": admin.password,
        }
        project = {"name": admin.project_name, "domain": {"name": admin.project_domain_name}}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project},
            }
        }
        request = _request("POST", credentials.auth_url + "/auth/tokens", _json(body))
        with _open(request, REQUEST_SECONDS) as response:
            return cls(response.headers["X-Subject-Token"])

    def get(self, url: str) -> Any:
        return self._send("GET", url, None)

    def post(self, url: str, body: object) -> Any:
        return self._send("POST", url, _json(body))

    def put_bytes(self, url: str, content: bytes) -> None:
        self._send("PUT", url, content, "application/octet-stream")

    def _send(self, method: str, url: str, data: bytes | None, kind: str = "application/json") -> Any:
        request = _request(method, url, data, kind)
        request.add_header("X-Auth-Token", self.token)
        with _open(request, REQUEST_SECONDS) as response:
            content = response.read()
        return json.loads(content) if content else None


def answers(url: str, seconds: float) -> bool:
    """Whether something speaks HTTP there; any status will do."""
    try:
        with _opener.open(_request("GET", url, None), timeout=seconds):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False


def _request(method: str, url: str, data: bytes | None, kind: str = "application/json") -> urllib.request.Request:
    return urllib.request.Request(url, data=data, method=method, headers={"Content-Type": kind})


def _open(request: urllib.request.Request, seconds: float) -> Any:
    try:
        return _opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read().decode(errors="replace")
        raise DevcloudError(f"{request.method} {request.full_url}: {error.code} {body}") from None


def _json(body: object) -> bytes:
    return json.dumps(body).encode()
