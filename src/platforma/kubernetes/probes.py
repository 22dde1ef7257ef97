"""How a canary tenant comes to own namespaces, openings and kubeconfigs, where a cluster is connected."""

from platforma.kit.probes import Belonging, Layer, Party

_API = "/api/v1"


async def _namespace(party: Party) -> str | None:
    return await _make_namespace(party, "a")


async def _source(party: Party) -> str | None:
    return await _make_namespace(party, "b")


async def _opening(party: Party) -> str | None:
    path = f"{_API}/namespaces/{party.ids['namespace_id']}"
    body = {"from_namespace_id": party.ids["from_namespace_id"], "port": 4433, "description": party.mark}
    await party.settle(await party.ask("POST", f"{path}/openings", body=body))
    openings = (await party.ask("GET", path)).json()["openings"]
    return str(openings[0]["id"]) if openings else None


async def _kubeconfig(party: Party) -> str | None:
    body = {"name": f"kubeconfig {party.mark}", "cluster_id": party.ids["cluster_id"]}
    return await party.settle(await party.ask("POST", f"{_API}/kubeconfigs", body=body))


async def _make_namespace(party: Party, suffix: str) -> str | None:
    clusters = (await party.ask("GET", f"{_API}/clusters")).json()["items"]
    ready = [each for each in clusters if each["status"] == "ready"]
    if not ready:
        return None
    party.ids["cluster_id"] = str(ready[0]["id"])
    body = {
        "name": f"{party.mark}-{suffix}",
        "cluster_id": ready[0]["id"],
        "vcpus": 1,
        "ram_mib": 512,
        "pods": 2,
    }
    return await party.settle(await party.ask("POST", f"{_API}/namespaces", body=body))


BELONGINGS = (
    Belonging("namespace_id", _namespace, Layer.NETWORK, is_optional=True),
    Belonging("from_namespace_id", _source, Layer.NETWORK, is_optional=True),
    Belonging("opening_id", _opening, Layer.NETWORK, is_optional=True, needs=("namespace_id", "from_namespace_id")),
    Belonging("kubeconfig_id", _kubeconfig, Layer.NETWORK, is_optional=True),
)
