"""Pages of Kubernetes: what only pages do. That they show nobody another tenant's is the matrix's matter."""

import re
from typing import Any
from urllib.parse import urlencode

import httpx
import yaml

from tests.api_client import Member
from tests.kubernetes.conftest import Connected, make_namespace


async def page(member: Member, path: str) -> str:
    """Look at a page."""
    headers = {"cookie": f"__Host-platforma={member.token}"}
    response = await member.client.get(f"http://{member.host}{path}", headers=headers)
    assert response.status_code == 200, response.text
    return response.text


async def send(member: Member, path: str, **fields: Any) -> httpx.Response:
    """Send a form."""
    return await member.client.post(
        f"http://{member.host}{path}",
        headers={"cookie": f"__Host-platforma={member.token}", "content-type": "application/x-www-form-urlencoded"},
        content=urlencode(fields),
    )


async def test_nothing_of_kubernetes_is_shown_where_no_cluster_is_connected(a: Member) -> None:
    for path in ("/", "/servers"):
        assert "/namespaces" not in await page(a, path)
    shown = await page(a, "/namespaces")
    assert "No Kubernetes cluster is ready" in shown
    assert "/namespaces/new" not in shown
    assert "No cluster is ready" in await page(a, "/namespaces/new")
    assert "There is nothing to reach yet" in await page(a, "/kubeconfigs/new")
    response = await send(a, "/namespaces", name="web")
    assert (response.status_code, "There is no cluster for this" in response.text) == (409, True)


async def test_it_is_in_the_navigation_once_one_is(a: Member, cluster: Connected) -> None:
    shown = await page(a, "/")
    assert 'href="/namespaces"' in shown
    assert 'href="/kubeconfigs"' in shown


async def test_a_cluster_that_is_not_ready_is_told(a: Member, cluster: Connected) -> None:
    await make_namespace(a)
    await a.stage.databases.administrator.execute(b"UPDATE clusters SET status = 'unavailable'")
    shown = await page(a, "/namespaces")
    assert "No Kubernetes cluster is ready" in shown
    assert ">web</a>" in shown


async def test_a_namespace_is_made_and_deleted_by_form(a: Member, cluster: Connected) -> None:
    response = await send(a, "/namespaces", name="web", vcpus=1, ram_gib=2, pods=3, description="")
    assert response.status_code == 303, response.text
    assert await a.settle() == []
    (made,) = (await a.get("/namespaces"))["items"]
    assert (made["vcpus"], made["ram_mib"], made["pods"]) == (1, 2048, 3)
    path = f"/namespaces/{made['id']}"
    assert response.headers["location"] == path
    assert (await send(a, f"{path}/edit", vcpus=2, ram_gib=1, pods=4)).status_code == 303
    assert await a.settle() == []
    assert (await a.get(path))["ram_mib"] == 1024
    refused = await send(a, f"{path}/delete", name="wbe")
    assert "This is not the namespace&#39;s name." in refused.text
    assert (await a.get(path))["status"] != "deleting"
    assert (await send(a, f"{path}/delete", name="web")).status_code == 303
    assert await a.settle() == []
    assert (await a.get("/namespaces"))["items"] == []


async def test_traffic_is_opened_by_form(a: Member, cluster: Connected) -> None:
    web, db = await make_namespace(a, "web"), await make_namespace(a, "db")
    path = f"/namespaces/{db['id']}"
    fields = {"from_namespace_id": web["id"], "protocol": "TCP", "port": 5432}
    response = await send(a, f"{path}/openings", **fields, pod_labels="app=postgres, tier = data")
    assert response.status_code == 303, response.text
    (opening,) = (await a.get(path))["openings"]
    assert opening["pod_labels"] == {"app": "postgres", "tier": "data"}
    shown = await page(a, path)
    assert "app=postgres,tier=data" in shown
    assert "TCP 5432" in shown
    for labels, told in (("app", "with commas"), ("app=a b", "no value of a label")):
        refused = await send(a, f"{path}/openings", **fields | {"port": 1}, pod_labels=labels)
        assert (refused.status_code, told in refused.text) == (422, True)
    refused = await send(a, f"{path}/openings", **fields, end_port=1)
    assert (refused.status_code, "Not lower than the first port" in refused.text) == (422, True)
    assert (await send(a, f"{path}/openings/{opening['id']}/delete")).status_code == 303
    assert (await a.get(path))["openings"] == []


def key_on(shown: str) -> str:
    """Return the key that a page has for its download."""
    found = re.search(r'name="key" value="([^"]+)"', shown)
    assert found is not None
    return found[1].replace("&#43;", "+").replace("&#61;", "=")


async def test_a_kubeconfig_is_downloaded_from_its_page_once(a: Member, cluster: Connected) -> None:
    await make_namespace(a)
    response = await send(a, "/kubeconfigs", name="My laptop!", lifetime_seconds=600)
    assert response.status_code == 200, response.text
    assert "no-store" in response.headers["cache-control"]
    key = key_on(response.text)
    (asked,) = (await a.get("/kubeconfigs"))["items"]
    path = f"/kubeconfigs/{asked['id']}"
    early = await send(a, f"{path}/collect", key=key)
    assert (early.status_code, key_on(early.text)) == (409, key)
    assert await a.settle() == []
    assert key not in await page(a, path)
    done = await send(a, f"{path}/collect", key=key)
    assert done.status_code == 200
    assert done.headers["content-disposition"] == 'attachment; filename="My-laptop.kubeconfig.yaml"'
    assert "no-store" in done.headers["cache-control"]
    assert yaml.safe_load(done.text)["kind"] == "Config"
    again = await send(a, f"{path}/collect", key=key)
    assert (again.status_code, "collected already" in again.text) == (409, True)
    assert "button-primary" not in (await page(a, path)).split("panel-actions")[1]


async def test_kubeconfigs_are_revoked_by_form(a: Member, cluster: Connected) -> None:
    await make_namespace(a)
    for name in ("one", "two", "three"):
        assert (await send(a, "/kubeconfigs", name=name)).status_code == 200
    assert await a.settle() == []
    first = (await a.get("/kubeconfigs"))["items"][0]
    assert (await send(a, f"/kubeconfigs/{first['id']}/revoke")).status_code == 303
    assert await a.settle() == []
    assert len(cluster.fake.kubeconfigs) == 2
    assert "Whoever of Acme has one" in await page(a, "/kubeconfigs/revoke")
    assert (await send(a, "/kubeconfigs/revoke")).status_code == 303
    assert await a.settle() == []
    assert not cluster.fake.kubeconfigs


async def test_a_simulated_cluster_is_named_as_such(a: Member, cluster: Connected) -> None:
    await a.stage.databases.administrator.execute(b"UPDATE clusters SET is_simulated = true")
    made = await make_namespace(a)
    assert "stand-in, runs no pods" in await page(a, f"/namespaces/{made['id']}")
