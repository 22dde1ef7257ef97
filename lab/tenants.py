"""The operator and the members of two tenants, at Platforma's own API."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from devcloud.stack.layout import OPERATOR_HOST
from lab.errors import LabError
from lab.layout import OPERATOR_PORT, PORTAL_PORT
from lab.processes import wait_until

READY_SECONDS = 300.0
REASON = "For the packet lab."


class Api:
    """Somebody signed in at a plane of Platforma."""

    def __init__(self, host: str, port: int) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60, trust_env=False)
        self._headers = {"Host": f"{host}:{port}"}

    def sign_in(self, email: str, password: str) -> None:
        """Sign in, and stay so."""
        answer = self.ask("POST", "/session", {"email": email, "password": password})
        if not answer.is_success:
            raise LabError(f"{email} cannot sign in: {answer.status_code} {answer.text}")
        self._headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask for something, whatever the answer."""
        answer = self._http.request(method, path, json=body, headers=self._headers)
        self._http.cookies.clear()
        return answer

    def get(self, path: str) -> Any:
        """Read; raises LabError if that is refused."""
        return self._must("GET", path)

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """Change something; raises LabError if that is refused."""
        return self._must(method, path, body)

    def _must(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        if not answer.is_success:
            raise LabError(f"{method} {path}: {answer.status_code} {answer.text[:800]}")
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class Tenant:
    """A tenant and its owner's session."""

    name: str
    id: str
    api: Api

    def make(self, path: str, body: Any) -> Any:
        """Make a resource and return it when it is active."""
        return self.settle(self.api.do("POST", path, body), path)

    def settle(self, accepted: Any, collection: str) -> Any:
        """Return what was asked for when its operation has succeeded; raises LabError if it fails."""
        operation = f"/operations/{accepted['operation']['id']}"
        found: dict[str, Any] = {}

        def is_done() -> bool:
            found.update(self.api.get(operation))
            if found["status"] in ("failed", "cancelled"):
                raise LabError(f"{self.name}: {collection}: {found['error']}")
            return bool(found["status"] == "succeeded")

        try:
            wait_until(f"{collection} of {self.name} is as asked", READY_SECONDS, is_done)
        except TimeoutError as error:
            raise LabError(f"{error} {found.get('step')} {found.get('error')}") from None
        return accepted.get("resource")

    def list(self, path: str) -> list[Any]:
        """Return what there is of a collection."""
        items: list[Any] = self.api.get(path)["items"]
        return items


def sign_in_operator(email: str, password: str) -> Api:
    """Sign the operator in."""
    api = Api(OPERATOR_HOST, OPERATOR_PORT)
    api.sign_in(email, password)
    return api


def begin_tenant(operator: Api, name: str) -> str:
    """Make a portal and a tenant, and return the tenant's id: it is onboarded beside."""
    portal = {"name": f"lab-{name.lower()}", "title": f"Lab {name}", "host": _host(name)}
    portal_id = operator.do("POST", "/portals", portal)["id"]
    made = operator.do("POST", "/tenants", {"portal_id": portal_id, "name": name, "reason": REASON})
    return str(made["id"])


def await_tenant(operator: Api, name: str, tenant_id: str) -> Tenant:
    """Return the tenant when it is onboarded, with its owner signed in."""

    def is_active() -> bool:
        found = operator.get(f"/tenants/{tenant_id}")
        if (found["operation"] or {}).get("status") == "failed":
            raise LabError(f"{name} could not be onboarded: {found['operation']['error']}")
        return bool(found["status"] == "active")

    wait_until(f"{name} is onboarded", READY_SECONDS, is_active)
    invitation = {"email": f"owner@{_host(name)}.example", "name": "Owner", "role": "owner", "reason": REASON}
    link = operator.do("POST", f"/tenants/{tenant_id}/members", invitation)["link"]
    api, password = Api(_host(name), PORTAL_PORT), secrets.token_urlsafe(15)
    parts = urlsplit(link)
    token = (parts.fragment or parts.query or parts.path).rpartition("=")[2].rpartition("/")[2]
    api.do("POST", "/invitation/acceptance", {"token": token, "password": password})
    api.sign_in(invitation["email"], password)
    return Tenant(name, tenant_id, api)


def _host(name: str) -> str:
    return f"lab-{name.lower()}.localhost"
