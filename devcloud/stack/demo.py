"""The demo: two portals with a tenant each, made through the product's own command line and API."""

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcloud.kubernetes import Cluster
from devcloud.openstack.errors import StartError
from devcloud.openstack.settings import write_private
from devcloud.stack import bills, commands
from devcloud.stack.layout import OPERATOR_HOST, Stack, write_private_text

Report = Callable[[str], None]

ROLES = ("owner", "member", "viewer")
CLUSTER = "local"
VOLUME_TYPE = "zeroed"
OPERATOR_EMAIL = "operator@platforma.example"
READY_SECONDS = 400.0


@dataclass(frozen=True)
class DemoPortal:
    """A portal of the demo, and its one tenant."""

    name: str
    title: str
    color: str
    tenant: str
    domain: str

    @property
    def host(self) -> str:
        """Where it is reached; browsers take `*.localhost` for this machine and for a secure context."""
        return f"{self.name}.localhost"

    def url(self, stack: Stack) -> str:
        """The address of its first page."""
        return f"http://{self.host}:{stack.port}"


PRICES = {
    "currency": "EUR",
    "prices": [
        {"item": "server.running", "label": "Server", "unit": "hour", "amount": "0.012"},
        {"item": "server.stopped", "label": "Server, stopped", "unit": "hour", "amount": "0.002"},
        {"item": "volume", "label": "Volume, per GiB", "unit": "month", "amount": "0.08"},
        {"item": "snapshot", "label": "Snapshot, per GiB", "unit": "month", "amount": "0.05"},
        {"item": "floating_ip", "label": "Floating IP", "unit": "month", "amount": "3.60"},
        {"item": "namespace.vcpu", "label": "Namespace, per vCPU", "unit": "hour", "amount": "0.009"},
    ],
}
PORTALS = (
    DemoPortal("aurora", "Aurora Cloud", "#0f766e", "Northwind", "northwind.example"),
    DemoPortal("borealis", "Borealis Hosting", "#7c3aed", "Tailspin", "tailspin.example"),
)


def make(stack: Stack, cluster: Cluster, report: Report) -> dict[str, Any]:
    """Make what is missing of the demo, and return what `demo.json` says."""
    if stack.demo.exists():
        _connect(stack, cluster, report)
        return _at_present_ports(stack, json.loads(stack.demo.read_text()))
    report("demo: portals, tenants and members")
    operator = {"url": _operator_url(stack), **_make_operator(stack)}
    with ThreadPoolExecutor(len(PORTALS) + 2) as pool:
        offered = pool.submit(_offer, stack)
        connected = pool.submit(_connect, stack, cluster, report)
        portals = list(pool.map(lambda portal: _make_portal(stack, portal, report), PORTALS))
        connected.result()
        offered.result()
    made = {"portals": portals, "operator": operator}
    write_private(stack.demo, made)
    return made


def _offer(stack: Stack) -> None:
    """Offer a volume type, as soon as the provisioner has copied it: its canary is on its way meanwhile."""
    deadline = time.monotonic() + READY_SECONDS
    while VOLUME_TYPE not in {
        each["name"] for each in json.loads(commands.run(stack, "operator", "volume-type", "list", "--json"))
    }:
        if time.monotonic() > deadline:
            raise StartError("demo: the cloud's volume types have not been copied in time")
        time.sleep(1)
    commands.run(stack, "operator", "volume-type", "offer", VOLUME_TYPE, "--method=zeroed_by_backend")


def _connect(stack: Stack, cluster: Cluster, report: Report) -> None:
    """Connect the stand-in of Kubernetes as an operator does, unless that has been done since it was made."""
    noted = stack.state / "settings" / "cluster.kubeconfig"
    kubeconfig = cluster.kubeconfig.read_text()
    if noted.exists() and noted.read_text() == kubeconfig:
        return
    report("demo: connecting the cluster")
    known = json.loads(commands.run(stack, "operator", "cluster", "list", "--json"))
    act = "replace" if CLUSTER in {item["name"] for item in known} else "add"
    commands.run(stack, "operator", "cluster", act, CLUSTER, f"--kubeconfig={cluster.kubeconfig}", "--wait")
    write_private_text(noted, kubeconfig)


def _at_present_ports(stack: Stack, made: dict[str, Any]) -> dict[str, Any]:
    """Let the demo of an earlier start say where it is now."""
    for portal, written in zip(PORTALS, made["portals"], strict=True):
        written["url"] = portal.url(stack)
    made["operator"]["url"] = _operator_url(stack)
    write_private(stack.demo, made)
    return made


def _operator_url(stack: Stack) -> str:
    return f"http://{OPERATOR_HOST}:{stack.operator_port}"


def _make_operator(stack: Stack) -> dict[str, str]:
    """Make the operator; one who is there already from an unfinished start keeps the password kept beside."""
    kept = _kept_password(stack)
    if not kept.exists():
        write_private_text(kept, secrets.token_urlsafe(15))
        arguments = ("operator", "create", OPERATOR_EMAIL, "--name=Operator", "--password-stdin", "--json")
        commands.run(stack, "operator", *arguments, text=kept.read_text() + "\n")
    return {"email": OPERATOR_EMAIL, "password": kept.read_text()}


def _kept_password(stack: Stack) -> Path:
    return stack.state / "settings" / "operator.password"


def _make_portal(stack: Stack, portal: DemoPortal, report: Report) -> dict[str, Any]:
    known = json.loads(commands.run(stack, "operator", "portal", "list", "--json"))
    if portal.name not in {item["name"] for item in known}:
        arguments = (f"--title={portal.title}", f"--host={portal.host}", f"--color={portal.color}", "--json")
        commands.run(stack, "operator", "portal", "create", portal.name, *arguments)
    if not json.loads(commands.run(stack, "operator", "price", "list", portal.name, "--json")):
        book = stack.state / "settings" / f"{portal.name}.prices.json"
        book.write_text(json.dumps(PRICES))
        commands.run(stack, "operator", "price", "set", portal.name, str(book), "--reason=For the demo")
    tenants = json.loads(commands.run(stack, "operator", "tenant", "list", "--json"))
    here = {item["name"]: item["status"] for item in tenants if item["portal"] == portal.name}
    if here.get(portal.tenant) != "active":
        report(f"demo: onboarding {portal.tenant}")
        if portal.tenant not in here:
            commands.run(stack, "operator", "tenant", "create", portal.name, portal.tenant, "--reason=For the demo")
        commands.run(stack, "operator", "tenant", "follow", portal.name, portal.tenant)
    _open_billing(stack, portal)
    members = [_make_member(stack, portal, role) for role in ROLES]
    _furnish(stack, portal, members[0], report)
    tenant = {"name": portal.tenant, "members": members}
    return {"name": portal.name, "url": portal.url(stack), "tenants": [tenant]}


def _open_billing(stack: Stack, portal: DemoPortal) -> None:
    """Say who sells at a portal, as the operator in the console, and count a month for its tenant."""
    credentials = {"email": OPERATOR_EMAIL, "password": _kept_password(stack).read_text()}
    _, headers = _ask(stack, OPERATOR_HOST, "POST", "/api/v1/session", credentials)
    cookie = headers["set-cookie"].partition(";")[0]

    def ask(method: str, path: str, content: Any = None) -> Any:
        return _ask(stack, OPERATOR_HOST, method, f"/api/v1{path}", content, cookie)[0]

    portal_id = next(item["id"] for item in ask("GET", "/portals")["items"] if item["name"] == portal.name)
    tenants = ask("GET", "/tenants?limit=100")["items"]
    bills.open_books(ask, portal_id, portal.title, portal.name)
    bills.add_usage(ask, next(item["id"] for item in tenants if item["name"] == portal.tenant))
    ask("DELETE", "/session")


def _make_member(stack: Stack, portal: DemoPortal, role: str) -> dict[str, str]:
    """Invite a member and accept the invitation as the member would. Inviting again sets a new password."""
    email, password = f"{role}@{portal.domain}", secrets.token_urlsafe(15)
    invite = (
        "member",
        "invite",
        portal.name,
        portal.tenant,
        email,
        f"--name={role.capitalize()}",
        f"--role={role}",
        "--reason=For the demo",
    )
    invited = json.loads(commands.run(stack, "operator", *invite, "--reason=For the demo", "--json"))
    body = {"token": invited["token"], "password": password}
    _ask(stack, portal.host, "POST", "/api/v1/invitation/acceptance", body)
    return {"email": email, "password": password, "role": role}


def _furnish(stack: Stack, portal: DemoPortal, owner: dict[str, str], report: Report) -> None:
    """Give the tenant a server with a volume, and a namespace, as its owner."""
    body = {"email": owner["email"], "password": owner["password"]}
    _, headers = _ask(stack, portal.host, "POST", "/api/v1/session", body)
    cookie = headers["set-cookie"].partition(";")[0]

    def ask(method: str, path: str, content: Any = None) -> Any:
        return _ask(stack, portal.host, method, f"/api/v1{path}", content, cookie)[0]

    def wait(path: str, words: str) -> Any:
        deadline = time.monotonic() + READY_SECONDS
        while (found := ask("GET", path))["status"] != "active":
            if found["status"] == "error" or time.monotonic() > deadline:
                raise StartError(f"demo: {words} of {portal.tenant}: {found['status_reason'] or 'not ready in time'}")
            time.sleep(0.3)
        return found

    def until(words: str, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                raise StartError(f"demo: {words} of {portal.tenant}: not ready in time")
            time.sleep(0.3)

    network = wait(f"/networks/{ask('GET', '/networks')['items'][0]['id']}", "the network")
    report(f"demo: a server and a volume for {portal.tenant}")
    if not ask("GET", "/servers")["items"]:
        flavor = min(ask("GET", "/flavors")["items"], key=lambda item: item["ram_mib"])
        image = ask("GET", "/images")["items"][0]
        server = {"name": "web-1", "flavor_id": flavor["id"], "image_id": image["id"], "network_ids": [network["id"]]}
        ask("POST", "/servers", server)
    if not ask("GET", "/volumes")["items"]:
        ask("POST", "/volumes", {"name": "data-1", "size_gib": 1})
    until("the cluster", lambda: any(item["status"] == "ready" for item in ask("GET", "/clusters")["items"]))
    if not ask("GET", "/namespaces")["items"]:
        ask("POST", "/namespaces", {"name": "web"})
    server_id = ask("GET", "/servers")["items"][0]["id"]
    volume = ask("GET", "/volumes")["items"][0]
    wait(f"/namespaces/{ask('GET', '/namespaces')['items'][0]['id']}", "the namespace")
    wait(f"/servers/{server_id}", "the server")
    wait(f"/volumes/{volume['id']}", "the volume")
    if not volume.get("attachment"):
        ask("POST", f"/volumes/{volume['id']}/attach", {"server_id": server_id})
    report(f"demo: an invoice for {portal.tenant}")
    bills.pay_an_invoice(ask, portal.tenant, portal.domain)
    ask("DELETE", "/session")


def _ask(
    stack: Stack, host: str, method: str, path: str, body: Any = None, cookie: str | None = None
) -> tuple[Any, Any]:
    port = stack.operator_port if host == OPERATOR_HOST else stack.port
    headers = {"Host": f"{host}:{port}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if cookie is not None:
        headers["Cookie"] = cookie
    content = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", content, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            text = response.read()
            return (json.loads(text) if text else None), response.headers
    except urllib.error.HTTPError as error:
        raise StartError(f"demo: {method} {path} at {host}: {error.code} {error.read().decode()}") from error
