"""How a canary tenant comes to own volumes, and what is left of them."""

from platforma.kit.probes import Belonging, Layer, NotHere, Party

_API = "/api/v1"


async def _volume(party: Party) -> str | None:
    body = {"name": f"volume {party.mark}", "size_gib": 1}
    return await party.settle(await party.ask("POST", f"{_API}/volumes", body=body))


async def _snapshot(party: Party) -> str | None:
    path = f"{_API}/volumes/{party.ids['volume_id']}/snapshots"
    return await party.settle(await party.ask("POST", path, body={"name": f"snapshot {party.mark}"}))


async def _erasure(party: Party) -> str | None:
    """The record of a volume that was made to be erased."""
    body = {"name": f"short-lived {party.mark}", "size_gib": 1}
    volume_id = await party.settle(await party.ask("POST", f"{_API}/volumes", body=body))
    if volume_id is not None:
        deleted = await party.ask("DELETE", f"{_API}/volumes/{volume_id}")
        if 400 <= deleted.status < 500 and not deleted.is_no_answer:
            raise NotHere("The installation erases no volumes.")
        await party.settle(deleted)
    erasures = (await party.ask("GET", f"{_API}/erasures")).json()["items"]
    return str(erasures[0]["id"]) if erasures else None


BELONGINGS = (
    Belonging("volume_id", _volume, Layer.STORAGE, aliases=("source_volume_id",), threats=("S01",)),
    Belonging("snapshot_id", _snapshot, Layer.STORAGE, needs=("volume_id",), threats=("S01",)),
    Belonging("erasure_id", _erasure, Layer.STORAGE),
)
