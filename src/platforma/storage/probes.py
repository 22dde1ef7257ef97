"""How a canary tenant comes to own volumes."""

from platforma.kit.probes import Belonging, Layer, Party


async def _volume(party: Party) -> str | None:
    body = {"name": f"volume {party.mark}", "size_gib": 1}
    return await party.settle(await party.ask("POST", "/api/v1/volumes", body=body))


BELONGINGS = (Belonging("volume_id", _volume, Layer.STORAGE),)
