"""The cloud as its administrator sees it: set-up, what a hypervisor does, and what is done behind Platforma's back."""

import time
from typing import Any

import httpx

from lab.errors import LabError
from lab.layout import (
    COMPUTE_PORT,
    EXTERNAL_NETWORK,
    KEYSTONE_PORT,
    NEUTRON_PORT,
    OUTSIDE_V4,
    OUTSIDE_V6,
    PHYSICAL_NETWORK,
    REGION,
)
from lab.services import AUTH_URL, Secrets

ADDRESSES = {
    "identity": f"http://127.0.0.1:{KEYSTONE_PORT}",
    "network": f"http://127.0.0.1:{NEUTRON_PORT}",
    "compute": f"http://127.0.0.1:{COMPUTE_PORT}/compute/v2.1",
    "image": f"http://127.0.0.1:{COMPUTE_PORT}/image",
    "volumev3": f"http://127.0.0.1:{COMPUTE_PORT}/volume/v3",
}
"""Where each service of the catalogue is. Compute, images and volumes are answered by `lab.compute`."""

_TOKEN_SECONDS = 1800.0


class Cloud:
    """Requests with the administrator's token."""

    def __init__(self, kept: Secrets) -> None:
        self._kept = kept
        self._http = httpx.Client(timeout=60, trust_env=False)
        self._token, self._until = "", 0.0

    def get(self, service: str, path: str, **query: str) -> Any:
        """Read."""
        return self._send("GET", service, path, query=query)

    def post(self, service: str, path: str, body: Any) -> Any:
        """Make something."""
        return self._send("POST", service, path, body)

    def put(self, service: str, path: str, body: Any = None) -> Any:
        """Change something."""
        return self._send("PUT", service, path, body)

    def delete(self, service: str, path: str) -> None:
        """Take something away."""
        self._send("DELETE", service, path)

    def read_token(self, token: str) -> dict[str, Any] | None:
        """Return whose a token is, or None if it is not good."""
        headers = {"X-Auth-Token": self._own_token(), "X-Subject-Token": token}
        answer = self._http.get(f"{AUTH_URL}/auth/tokens", headers=headers)
        return answer.json()["token"] if answer.is_success else None

    def furnish(self) -> None:
        """Put in what an operator would: services, their users, the external network."""
        project = self.post("identity", "/v3/projects", {"project": {"name": "service", "domain_id": "default"}})
        role = self.get("identity", "/v3/roles", name="admin")["roles"][0]["id"]
        for name, kind in (("neutron", "network"), ("nova", "compute"), ("glance", "image"), ("cinder", "volumev3")):
            user = {"name": name, "password": self._kept.service, "domain_id": "default"}
            made = self.post("identity", "/v3/users", {"user": user})["user"]
            self.put("identity", f"/v3/projects/{project['project']['id']}/users/{made['id']}/roles/{role}")
            service = self.post("identity", "/v3/services", {"service": {"name": name, "type": kind}})["service"]
            url = ADDRESSES[kind] + ("/%(project_id)s" if kind == "volumev3" else "")
            endpoint = {"service_id": service["id"], "interface": "public", "url": url, "region_id": REGION}
            self.post("identity", "/v3/endpoints", {"endpoint": endpoint})

    def make_outside(self) -> None:
        """Make the external network, with both families."""
        network = {
            "name": EXTERNAL_NETWORK,
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": PHYSICAL_NETWORK,
        }
        made = self.post("network", "/v2.0/networks", {"network": network})["network"]
        for version, cidr in ((4, OUTSIDE_V4), (6, OUTSIDE_V6)):
            subnet = {
                "network_id": made["id"],
                "ip_version": version,
                "cidr": str(cidr),
                "gateway_ip": str(cidr[1]),
                "enable_dhcp": False,
            }
            self.post("network", "/v2.0/subnets", {"subnet": subnet})

    def bind_port(self, port_id: str, host: str, server_id: str) -> dict[str, Any]:
        """Do what Nova does with a port before it starts a guest."""
        changes = {"binding:host_id": host, "device_id": server_id, "device_owner": "compute:lab"}
        port: dict[str, Any] = self.put("network", f"/v2.0/ports/{port_id}", {"port": changes})["port"]
        if port["binding:vif_type"] != "bridge":
            raise LabError(f"Neutron could not bind port {port_id} on {host}: {port['binding:vif_type']}")
        return port

    def port(self, port_id: str) -> dict[str, Any]:
        """Return a port."""
        port: dict[str, Any] = self.get("network", f"/v2.0/ports/{port_id}")["port"]
        return port

    def _own_token(self) -> str:
        if time.monotonic() > self._until:
            user = {"name": "admin", "domain": {"id": "default"}, "password": self._kept.administrator}
            scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
            identity = {"methods": ["password"], "password": {"user": user}}
            answer = self._http.post(f"{AUTH_URL}/auth/tokens", json={"auth": {"identity": identity, "scope": scope}})
            answer.raise_for_status()
            self._token, self._until = answer.headers["X-Subject-Token"], time.monotonic() + _TOKEN_SECONDS
        return self._token

    def _send(self, method: str, service: str, path: str, body: Any = None, query: dict[str, str] | None = None) -> Any:
        headers = {"X-Auth-Token": self._own_token()}
        answer = self._http.request(method, ADDRESSES[service] + path, json=body, params=query, headers=headers)
        if not answer.is_success:
            raise LabError(f"{method} {service} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None
