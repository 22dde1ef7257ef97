"""Clusters, as operators connect them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import ProgrammingError

from platforma.database.database import Database, PlatformSession
from platforma.kit.crypto import KeyRing, UnsealError, new_key
from platforma.kubernetes.kubeconfig_files import EXAMPLE_KUBECONFIG, BadKubeconfig, read_server
from platforma.kubernetes.models import ClusterAdministrator, SealingKey
from platforma.kubernetes.sealing import access_owner, administrator_owner
from tests.database.tenants import SignedIn
from tests.operator.conftest import Plane

SECRET = "not-one"
KEYS = KeyRing([new_key()])


@pytest.fixture
async def _provisioner(provisioner_database: Database) -> None:
    """A provisioner has been started once, and has said to which key is sealed."""
    async with provisioner_database.platform() as session:
        if await session.get(SealingKey, KEYS.public_key) is None:
            session.add(SealingKey(public_key=KEYS.public_key))


async def add(plane: Plane, name: str) -> Any:
    body = {"name": name, "kubeconfig": EXAMPLE_KUBECONFIG}
    return await plane.call("POST", "/clusters", status=202, json=body)


@pytest.mark.usefixtures("_provisioner")
async def test_a_cluster_is_connected_and_its_secret_is_shown_to_nobody(
    plane: Plane, new_name: Callable[[], str]
) -> None:
    name = new_name()
    made = await add(plane, name)
    assert (made["status"], made["server"]) == ("checking", "https://cluster.example:6443")
    assert made["check_requested_at"] is not None
    for path in (f"/clusters/{made['id']}", "/clusters"):
        answer = await plane.call("GET", path, status=200)
        assert SECRET not in str(answer)
    page = await plane.send("GET", f"/clusters/{made['id']}")
    assert (page.status_code, SECRET in page.text, name in page.text) == (200, False, True)
    audit = (await plane.call("GET", "/operator-audit", status=200, params={"limit": 1}))["items"][0]
    assert (audit["action"], audit["details"]["cluster"]) == ("cluster.add", name)
    assert SECRET not in str(audit)
    (row,) = await plane.rows("SELECT sealed FROM cluster_administrators WHERE cluster_id = %s", made["id"])
    sealed = bytes(row["sealed"])
    assert SECRET.encode() not in sealed
    opened = KEYS.open_sealed_to(sealed, owner=administrator_owner(UUID(made["id"])))
    assert opened.decode() == EXAMPLE_KUBECONFIG
    for owner in (administrator_owner(UUID(int=1)), access_owner(UUID(made["id"]))):
        with pytest.raises(UnsealError):
            KEYS.open_sealed_to(sealed, owner=owner)
    with pytest.raises(UnsealError):
        KeyRing([new_key()]).open_sealed_to(sealed, owner=administrator_owner(UUID(made["id"])))


@pytest.mark.usefixtures("_provisioner")
async def test_no_process_but_the_provisioner_reads_what_is_sealed(
    plane: Plane,
    new_name: Callable[[], str],
    portal_database: Database,
    worker_database: Database,
    operator_database: Database,
    provisioner_database: Database,
) -> None:
    await add(plane, new_name())

    async def read(session: PlatformSession) -> bytes | None:
        return await session.scalar(select(ClusterAdministrator.sealed).limit(1))

    for database in (portal_database, worker_database, operator_database):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.platform() as session:
                await read(session)
    async with provisioner_database.platform() as session:
        assert await read(session)


@pytest.mark.usefixtures("_provisioner")
async def test_a_kubeconfig_is_replaced_and_the_cluster_examined_again(
    plane: Plane, new_name: Callable[[], str]
) -> None:
    made = await add(plane, new_name())
    path = f"/clusters/{made['id']}"
    await plane.administrator.execute(
        b"UPDATE clusters SET status = 'refused', status_reason = 'too old', check_requested_at = NULL WHERE id = %s",
        (made["id"],),
    )
    moved = EXAMPLE_KUBECONFIG.replace("cluster.example:6443", "new.example")
    changed = await plane.call("PUT", f"{path}/kubeconfig", status=202, json={"kubeconfig": moved})
    assert (changed["status"], changed["status_reason"], changed["server"]) == ("checking", None, "https://new.example")
    assert changed["check_requested_at"] is not None
    (row,) = await plane.rows("SELECT sealed FROM cluster_administrators WHERE cluster_id = %s", made["id"])
    assert KEYS.open_sealed_to(bytes(row["sealed"]), owner=administrator_owner(UUID(made["id"]))).decode() == moved


@pytest.mark.usefixtures("_provisioner")
async def test_a_ready_cluster_stays_ready_while_it_is_examined(plane: Plane, new_name: Callable[[], str]) -> None:
    made = await add(plane, new_name())
    ready = b"UPDATE clusters SET status = 'ready', check_requested_at = NULL WHERE id = %s"
    await plane.administrator.execute(ready, (made["id"],))
    checked = await plane.call("POST", f"/clusters/{made['id']}/check", status=202)
    assert checked["status"] == "ready"
    assert checked["check_requested_at"] is not None


@pytest.mark.usefixtures("_provisioner")
async def test_a_cluster_is_forgotten_unless_tenants_use_it(
    plane: Plane, a: SignedIn, new_name: Callable[[], str]
) -> None:
    made = await add(plane, new_name())
    await plane.administrator.execute(
        b"INSERT INTO namespaces (tenant_id, id, name, cluster_id, vcpus, ram_mib, pods)"
        b" VALUES (%s, gen_random_uuid(), 'web', %s, 1, 1024, 1)",
        (a.tenant_id, made["id"]),
    )
    refused = await plane.call("DELETE", f"/clusters/{made['id']}", status=409)
    assert refused["type"] == "urn:platforma:problem:cluster-in-use"
    await plane.administrator.execute(b"DELETE FROM namespaces WHERE cluster_id = %s", (made["id"],))
    await plane.call("DELETE", f"/clusters/{made['id']}", status=204)
    await plane.call("GET", f"/clusters/{made['id']}", status=404)
    assert not await plane.rows("SELECT 1 FROM cluster_administrators WHERE cluster_id = %s", made["id"])


@pytest.mark.usefixtures("_provisioner")
async def test_names_are_taken_once(plane: Plane, new_name: Callable[[], str]) -> None:
    name = new_name()
    await add(plane, name)
    body = {"name": name, "kubeconfig": EXAMPLE_KUBECONFIG}
    assert (await plane.call("POST", "/clusters", status=409, json=body))["type"].endswith(":name-taken")


@pytest.mark.usefixtures("_provisioner")
async def test_the_console_connects_a_cluster(plane: Plane, new_name: Callable[[], str]) -> None:
    name = new_name()
    response = await plane.send("POST", "/clusters", data={"name": name, "kubeconfig": EXAMPLE_KUBECONFIG})
    assert response.status_code == 303, response.text
    page = await plane.send("GET", response.headers["location"])
    assert "It is being examined" in page.text
    listed = await plane.send("GET", "/clusters", params={"name": name})
    assert "cluster.example:6443" in listed.text
    refused = await plane.send("POST", "/clusters", data={"name": "x", "kubeconfig": f"{SECRET} and more"})
    assert refused.status_code == 422
    assert SECRET not in refused.text


def changed(old: str, new: str) -> str:
    assert old in EXAMPLE_KUBECONFIG
    return EXAMPLE_KUBECONFIG.replace(old, new)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "its kind is not Config"),
        ("[", "not YAML"),
        ("- a", "its kind is not Config"),
        (changed("current-context: example", "current-context: other"), "no context named 'other'"),
        (changed("{cluster: example, user: example}", "{cluster: nothing, user: example}"), "no cluster named"),
        (changed("{cluster: example, user: example}", "{cluster: example}"), "no user named"),
        (changed("{token: not-one}", "{exec: {command: /bin/sh}, token: not-one}"), "has exec"),
        (changed("{token: not-one}", "{auth-provider: {name: oidc}}"), "has auth-provider"),
        (changed("{token: not-one}", "{tokenFile: /etc/passwd}"), "has tokenFile"),
        (changed("{token: not-one}", "{client-certificate: /a, client-key: /b}"), "has client-certificate, client-key"),
        (changed("{token: not-one}", "{username: a, password: b}"), "has password, username"),
        (changed("{token: not-one}", "{token: not-one, as: somebody}"), "has as"),
        (changed("{token: not-one}", "{token: [not-one]}"), "no text in token"),
        (changed("{token: not-one}", "{}"), "neither a token nor"),
        (changed("certificate-authority-data: bm90IG9uZQ==", "insecure-skip-tls-verify: true"), "has insecure"),
        (changed("certificate-authority-data: bm90IG9uZQ==", "certificate-authority: /ca"), "certificate-authority"),
        (changed("certificate-authority-data: bm90IG9uZQ==", "proxy-url: http://proxy"), "has proxy-url"),
        (changed(", certificate-authority-data: bm90IG9uZQ==", ""), "no certificate-authority-data"),
        (changed("https://cluster.example:6443", "http://cluster.example"), "begins with https://"),
        (changed("https://cluster.example:6443", "http://127.0.0.1:6443"), "begins with https://"),
        (changed("https://cluster.example:6443", "file:///etc/passwd"), "begins with https://"),
        (changed("https://cluster.example:6443", "https://a:b@cluster.example"), "begins with https://"),
        (changed("https://cluster.example:6443", "https://cluster.example:99999"), "begins with https://"),
        (changed("https://cluster.example:6443", "https://cluster.example/?a=b"), "begins with https://"),
    ],
    ids=lambda text: str(text)[-60:],
)
def test_bad_kubeconfigs_are_refused_and_not_repeated(text: str, told: str) -> None:
    with pytest.raises(BadKubeconfig) as caught:
        read_server(text)
    assert told in str(caught.value.detail)
    assert "not-one" not in str(caught.value.detail)
