"""Domains: unknown until a record has been seen, told when it goes, withdrawn after the grace, held when released."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest_asyncio

from platforma.clouds.dns import DnsUnavailable
from platforma.database.database import Database
from platforma.database.roles import DatabaseRole
from platforma.portal.certificates import BURST, CertificateAsk, create_certificates_app
from platforma.portal.proving import check_next
from platforma.settings import DomainSettings, Settings
from tests.database.server import TestDatabase
from tests.database.tenants import SignedIn, TwoTenants
from tests.operator.conftest import Plane
from tests.serving import served

SETTINGS = DomainSettings(grace_days=7)


@dataclass
class Names:
    """A name server, and the provisioner that asks it."""

    provisioner: Database
    plane: Plane
    texts: dict[str, frozenset[str]] = field(default_factory=dict)
    is_away: bool = False

    async def find_texts(self, name: str) -> frozenset[str]:
        """See TxtResolver."""
        if self.is_away:
            raise DnsUnavailable("The name servers did not answer in time.")
        return self.texts.get(name, frozenset())

    async def look(self, host: str) -> None:
        """Have a host be the only one that is due, and looked at."""
        await self.plane.administrator.execute(
            "UPDATE domains SET wake_at = now() + interval '1 day' WHERE wake_at IS NOT NULL"
        )
        await self.plane.administrator.execute("UPDATE domains SET wake_at = now() WHERE host = %s", [host])
        assert await check_next(self.provisioner, self, SETTINGS) == host
        assert await check_next(self.provisioner, self, SETTINGS) is None


@pytest_asyncio.fixture
async def names(database: TestDatabase, plane: Plane) -> AsyncIterator[Names]:
    async with database.open(DatabaseRole.PROVISIONER) as provisioner:
        yield Names(provisioner, plane)


async def status_at(plane: Plane, a: SignedIn, host: str) -> int:
    """Return how a's session is answered at a host."""
    headers = {"host": host, "cookie": f"__Host-platforma={a.token}"}
    return (await plane.portal.get(f"http://{host}/api/v1/me", headers=headers)).status_code


async def domain_of(plane: Plane, a: SignedIn, host: str) -> Any:
    items = (await plane.call("GET", f"/portals/{a.portal_id}/domains", status=200))["items"]
    return next(item for item in items if item["host"] == host)


async def asks(plane: Plane, database: Database, host: str, **changes: Any) -> int:
    """Ask whether there may be a certificate."""
    return await send(CertificateAsk(database), f"domain={host}", **changes)


async def send(app: CertificateAsk, query: str, **changes: Any) -> int:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/ask",
        "query_string": query.encode(),
        "headers": [(b"host", b"127.0.0.1:8082")],
        "client": ("127.0.0.1", 1),
    } | changes
    sent: list[Any] = []

    async def keep(message: Any) -> None:
        sent.append(message)

    async def nothing() -> Any:
        raise AssertionError

    await app(scope, nothing, keep)
    assert sent == [
        {"type": "http.response.start", "status": sent[0]["status"], "headers": []},
        {"type": "http.response.body", "body": b""},
    ]
    return int(sent[0]["status"])


async def test_a_host_is_unknown_until_its_record_has_been_seen(
    names: Names, plane: Plane, two_tenants: TwoTenants, database: TestDatabase, new_name: Callable[[], str]
) -> None:
    """The whole life of a domain: unproven, proven, lost, proven again, withdrawn; each step is in the audit log."""
    a = two_tenants.a
    host = f"cloud.{new_name()}.example"
    path = f"/portals/{a.portal_id}/domains"
    added = await plane.call("POST", path, status=201, json={"host": host.upper()})
    assert (added["status"], added["record_name"]) == ("unproven", f"_platforma.{host}")
    assert added["record_value"] in added["next_step"]
    unknown = await plane.portal.get("http://unknown.localhost/", headers={"host": "unknown.localhost"})

    async def is_unknown() -> bool:
        page = await plane.portal.get(f"http://{host}/", headers={"host": host})
        assert await status_at(plane, a, host) == (401 if page.status_code == 404 else 200)
        return (page.status_code, page.content) == (unknown.status_code, unknown.content)

    async with database.open(DatabaseRole.PORTAL) as portal:
        assert await is_unknown()
        assert await asks(plane, portal, host) == 404
        refused = await plane.call("PATCH", f"{path}/{host}", status=409, json={"is_canonical": True})
        assert refused["type"] == "urn:platforma:problem:not-proven"

        name = f"_platforma.{host}"
        names.texts[name] = frozenset({"platforma=another", added["record_value"] + "x", "v=spf1"})
        await names.look(host)
        assert (await domain_of(plane, a, host))["trouble"] == "There is no such record yet."
        assert await is_unknown()

        names.texts[name] |= {added["record_value"]}
        await names.look(host)
        assert (await domain_of(plane, a, host))["status"] == "proven"
        assert (await is_unknown(), await asks(plane, portal, host)) == (False, 200)

        names.is_away = True
        await names.look(host)
        seen = await domain_of(plane, a, host)
        assert (seen["status"], seen["trouble"]) == ("proven", "The name servers did not answer in time.")

        names.is_away, names.texts = False, {}
        await names.look(host)
        assert (await domain_of(plane, a, host))["status"] == "lost"
        assert not await is_unknown()
        names.texts = {name: frozenset({added["record_value"]})}
        await names.look(host)
        assert (await domain_of(plane, a, host))["status"] == "proven"

        names.texts = {}
        await names.look(host)
        await plane.administrator.execute("UPDATE domains SET withdraws_at = now() WHERE host = %s", [host])
        await names.look(host)
        assert (await domain_of(plane, a, host))["status"] == "withdrawn"
        assert await is_unknown()
        assert await asks(plane, portal, host) == 404
    logged = await plane.rows("SELECT action FROM operator_audit WHERE details ->> 'host' = %s ORDER BY at", host)
    words = [row["action"] for row in logged]
    assert words == ["domain.add", "domain.proven", "domain.lost", "domain.lost", "domain.withdrawn"]


async def test_a_host_is_one_portals_and_held_when_released(
    names: Names, plane: Plane, two_tenants: TwoTenants, new_name: Callable[[], str]
) -> None:
    a, b = two_tenants.a, two_tenants.b
    zone = f"{new_name()}.example"
    host = f"cloud.{zone}"
    mine, theirs = (f"/portals/{each.portal_id}/domains" for each in (a, b))
    value = (await plane.call("POST", mine, status=201, json={"host": host}))["record_value"]
    refused = await plane.call("POST", theirs, status=409, json={"host": host.upper()})
    assert refused["type"] == "urn:platforma:problem:host-taken"
    below = await plane.call("POST", theirs, status=201, json={"host": f"x.{host}"})

    names.texts[f"_platforma.{host}"] = frozenset({value})
    await names.look(host)
    names.texts[f"_platforma.x.{host}"] = frozenset({below["record_value"]})
    await names.look(f"x.{host}")
    seen = await domain_of(plane, b, f"x.{host}")
    assert (seen["status"], host in seen["trouble"]) == ("unproven", True), "what is below A's cannot become B's"
    await plane.call("DELETE", f"{theirs}/x.{host}", status=204)
    for near in (f"x.{host}", zone, f"cloud.{zone.replace('e', 'е', 1)}"):
        await plane.call("POST", theirs, status=409 if near in (f"x.{host}", zone) else 422, json={"host": near})
    await plane.call("POST", theirs, status=201, json={"host": f"other.{zone}"})

    await plane.call("DELETE", f"{mine}/{host}", status=204)
    assert await status_at(plane, a, host) == 401
    for near in (host, f"x.{host}"):
        held = await plane.call("POST", theirs, status=409, json={"host": near})
        assert held["type"] == "urn:platforma:problem:host-taken"
    again = await plane.call("POST", mine, status=201, json={"host": host})
    assert again["record_value"] != value, "an old record proves nothing"
    await names.look(host)
    assert (await domain_of(plane, a, host))["status"] == "unproven"
    await plane.administrator.execute(
        "UPDATE domains SET proven_at = now(), held_until = now() - interval '1 second' WHERE host = %s",
        [host],
    )
    assert (await plane.call("POST", theirs, status=201, json={"host": host}))["status"] == "unproven"


async def test_links_are_made_with_the_canonical_host_once_it_is_proven(
    names: Names, plane: Plane, a: SignedIn, new_name: Callable[[], str]
) -> None:
    host = f"cloud.{new_name()}.example"
    path = f"/portals/{a.portal_id}/domains"
    made = await plane.call("POST", path, status=201, json={"host": host, "is_canonical": True})

    async def canonical() -> Any:
        row = await names.provisioner.call_gate("canonical_host", portal=a.portal_id)
        assert row is not None
        return row[0]

    assert await canonical() == a.host
    names.texts[f"_platforma.{host}"] = frozenset({made["record_value"]})
    await plane.administrator.execute("UPDATE domains SET wake_at = now() + interval '1 day' WHERE wake_at IS NOT NULL")
    assert (await plane.call("POST", f"{path}/{host}/check", status=202))["status"] == "unproven"
    assert await check_next(names.provisioner, names, SETTINGS) == host
    assert await canonical() == host
    await plane.call("PATCH", f"{path}/{a.host}", status=200, json={"is_canonical": True})
    assert await canonical() == a.host


async def test_who_may_ask_for_certificates(plane: Plane, a: SignedIn, database: TestDatabase) -> None:
    """Only this machine asks, by its own address, for a host of a portal that is open; everything else is alike."""
    async with database.open(DatabaseRole.PORTAL) as portal:
        assert await asks(plane, portal, a.host) == 200
        others: tuple[dict[str, Any], ...] = (
            {"client": ("192.0.2.1", 1)},
            {"client": None},
            {"headers": [(b"host", a.host.encode())]},
            {"headers": []},
            {"headers": [(b"host", b"127.0.0.1")] * 2},
            {"method": "POST"},
            {"path": "/"},
        )
        for changes in others:
            assert await asks(plane, portal, a.host, **changes) == 404
        for query in (
            "",
            "domain=",
            f"domain={a.host}.",
            f"domain={a.host}:443",
            f"domain=x.{a.host}",
            "domain=%00",
            f"domain={a.host}&domain={a.host}",
            "domain=unknown.localhost",
        ):
            assert await send(CertificateAsk(portal), query) == 404, query
        await plane.call("PATCH", f"/portals/{a.portal_id}", status=200, json={"status": "suspended"})
        assert await asks(plane, portal, a.host) == 404

        seconds = 0.0
        app = CertificateAsk(portal, clock=lambda: seconds)
        answers = [await send(app, "domain=unknown.localhost") for _ in range(BURST + 1)]
        assert answers == [404] * BURST + [429]
        seconds = 1.0
        assert await send(app, "domain=unknown.localhost") == 404


async def test_a_proxy_asks_over_http(a: SignedIn, settings: Settings) -> None:
    """As it is served: on loopback, with bare answers."""
    with served(create_certificates_app(settings)) as port:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as proxy:
            answers = [await proxy.get("/ask", params={"domain": host}) for host in (a.host, f"x.{a.host}")]
            portals = await proxy.get("/ask", params={"domain": a.host}, headers={"host": a.host})
    assert [(each.status_code, each.content) for each in (*answers, portals)] == [(200, b""), (404, b""), (404, b"")]
