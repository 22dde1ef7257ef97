"""How a canary tenant comes to own key pairs and servers."""

import base64
import secrets

from platforma.kit.probes import Belonging, Layer, Party

_API = "/api/v1"


async def _key_pair(party: Party) -> str | None:
    kind = b"ssh-ed25519"
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, secrets.token_bytes(32)))
    key = f"{kind.decode()} {base64.b64encode(blob).decode()} {party.mark}"
    body = {"name": f"key {party.mark}", "public_key": key}
    return await party.settle(await party.ask("POST", f"{_API}/key-pairs", body=body))


async def _server(party: Party) -> str | None:
    flavors = (await party.ask("GET", f"{_API}/flavors?sort=name")).json()["items"]
    images = (await party.ask("GET", f"{_API}/images?sort=name")).json()["items"]
    if not flavors or not images:
        return None
    smallest = min(flavors, key=lambda each: (each["ram_mib"], each["vcpus"], each["disk_gib"]))
    body = {
        "name": f"server {party.mark}",
        "flavor_id": smallest["id"],
        "image_id": images[0]["id"],
        "network_ids": [party.ids["network_id"]],
    }
    party.ids |= {"flavor_id": smallest["id"], "image_id": images[0]["id"]}
    return await party.settle(await party.ask("POST", f"{_API}/servers", body=body))


BELONGINGS = (
    Belonging("key_pair_id", _key_pair, Layer.AUTHENTICATION),
    Belonging("server_id", _server, Layer.NETWORK),
)
