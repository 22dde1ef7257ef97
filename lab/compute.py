"""The hypervisors' own service, as far as Platforma asks: servers are guests that are plugged into their ports.

It answers where a cloud has Nova, with Nova's words, and does with a port what Nova does: binds it to a host and plugs
the cable. The ports themselves are made by Platforma, in Neutron. There is one flavour and one image, and no volume.
"""

import json
import re
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog

from lab.cloud import Cloud
from lab.guests import Guest, Guests
from lab.layout import COMPUTE_PORT, host_of

logger = structlog.get_logger(__name__)

FLAVOR = {"id": "1", "name": "namespace", "vcpus": 1, "ram": 64, "disk": 1, "OS-FLV-DISABLED:disabled": False}
IMAGE = {"id": "5f0c1d9e-0000-4000-8000-000000000001", "name": "namespace", "status": "active", "visibility": "public"}
_BASE = f"http://127.0.0.1:{COMPUTE_PORT}"


@dataclass
class _Server:
    id: str
    name: str
    hostname: str
    project_id: str
    user_id: str
    metadata: dict[str, str]
    guest: Guest
    ports: list[str] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": self.name,
            "tenant_id": self.project_id,
            "user_id": self.user_id,
            "status": "ACTIVE",
            "OS-EXT-STS:power_state": 1,
            "OS-EXT-STS:task_state": None,
            "OS-EXT-STS:vm_state": "active",
            "metadata": self.metadata,
            "addresses": {},
            "flavor": {"original_name": FLAVOR["name"], "vcpus": 1, "ram": 64, "disk": 1},
            "image": {"id": IMAGE["id"]},
        }


class Compute:
    """Servers by their ids, and the service that answers for them."""

    def __init__(self, cloud: Cloud, guests: Guests) -> None:
        self._cloud = cloud
        self._guests = guests
        self._servers: dict[str, _Server] = {}
        self._lock = threading.Lock()
        self._http: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Serve, in a thread."""
        self._http = ThreadingHTTPServer(("127.0.0.1", COMPUTE_PORT), _handler_of(self))
        threading.Thread(target=self._http.serve_forever, name="compute", daemon=True).start()

    def stop(self) -> None:
        """Serve no longer."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any, token: str) -> tuple[int, Any]:
        """Return the status and the body of the answer to a request."""
        if version := _version(path):
            return version
        who = self._cloud.read_token(token)
        if who is None:
            return 401, {"error": {"message": "Sign in."}}
        is_admin = "admin" in {role["name"] for role in who["roles"]}
        if path.startswith("/compute/"):
            return self._compute(method, path.removeprefix("/compute/v2.1"), query, body, who, is_admin)
        return _empty_services(method, path)

    def _compute(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, who: dict[str, Any], is_admin: bool
    ) -> tuple[int, Any]:
        project = who["project"]["id"]
        if path.startswith("/os-quota-sets/") and is_admin:
            return (202, None) if method == "DELETE" else (200, {"quota_set": (body or {}).get("quota_set", {})})
        if path.startswith("/flavors"):
            return 200, {"flavors": [FLAVOR]}
        if path.startswith("/os-keypairs"):
            return 200, {"keypairs": []}
        if path == "/servers" and method == "POST":
            return 202, {"server": {"id": self._make(body["server"], project, who["user"]["id"]).id}}
        with self._lock:
            seen = [each for each in self._servers.values() if is_admin or each.project_id == project]
        if path in ("/servers", "/servers/detail"):
            if "marker" in query:
                return 200, {"servers": []}
            wanted = re.compile(query.get("name", [""])[0])
            return 200, {"servers": [each.shown() for each in seen if wanted.search(each.name)]}
        found = [each for each in seen if path.startswith(f"/servers/{each.id}")]
        if not found:
            return 404, {"itemNotFound": {"code": 404, "message": "There is no such thing."}}
        if method == "DELETE":
            self._remove(found[0])
            return 204, None
        return 200, {"server": found[0].shown()}

    def _make(self, wanted: dict[str, Any], project: str, user: str) -> _Server:
        server_id = str(uuid.uuid4())
        port_id = wanted["networks"][0]["port"]
        hostname = wanted["hostname"]
        host = host_of(hostname)
        port = self._cloud.bind_port(port_id, host, server_id)
        guest = self._guests.plug(f"{hostname}-{server_id[:4]}", hostname, host, port)
        server = _Server(
            server_id, wanted["name"], hostname, project, user, wanted.get("metadata", {}), guest, [port_id]
        )
        with self._lock:
            self._servers[server_id] = server
        return server

    def _remove(self, server: _Server) -> None:
        with self._lock:
            del self._servers[server.id]
        self._guests.unplug(server.guest)
        for port in server.ports:
            self._cloud.put(
                "network", f"/v2.0/ports/{port}", {"port": {"device_id": "", "device_owner": "", "binding:host_id": ""}}
            )


def _version(path: str) -> tuple[int, Any] | None:
    """Return what a service says of its versions, where that is asked for."""

    def described(id_: str, path: str, **more: str) -> dict[str, Any]:
        return {"id": id_, "status": "CURRENT", "links": [{"rel": "self", "href": _BASE + path}], **more}

    match path.rstrip("/"):
        case "/compute/v2.1" | "/compute":
            found = described("v2.1", "/compute/v2.1/", version="2.93", min_version="2.1")
        case "/image" | "/image/v2":
            return 300 if path.rstrip("/") == "/image" else 200, {"versions": [described("v2.16", "/image/v2/")]}
        case "/volume" | "/volume/v3":
            more = {"version": "3.70", "min_version": "3.0"}
            return 200, {"versions": [described("v3.0", "/volume/v3/", **more)]}
        case _:
            return None
    return 200, ({"version": found} if path.rstrip("/").endswith("v2.1") else {"versions": [found]})


def _empty_services(method: str, path: str) -> tuple[int, Any]:
    """Answer for images, of which there is one, and for volumes, of which there are none."""
    if path.startswith("/image/v2/images"):
        return 200, {"images": [IMAGE]}
    if "/os-quota-sets/" in path:
        return 200, {"quota_set": {}}
    for words, name in (("/volumes", "volumes"), ("/snapshots", "snapshots"), ("/types", "volume_types")):
        if words in path:
            return 200, {name: []}
    return 404, {"itemNotFound": {"code": 404, "message": "There is no such thing."}}


def _handler_of(compute: Compute) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            token = self.headers.get("X-Auth-Token", "")
            try:
                status, answer = compute.answer(self.command, parts.path, parse_qs(parts.query), body, token)
            except Exception as error:
                logger.exception("compute", path=self.path)
                status, answer = 500, {"computeFault": {"code": 500, "message": str(error)}}
            content = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing: the log is the lab's."""

    return Handler
