"""A canary tenant's people: it has an owner, who attacks, and another member, who has signed in."""

from platforma.kit.probes import Belonging, Layer, Party


async def _member(party: Party) -> str | None:
    members = (await party.ask("GET", "/api/v1/members")).json()["items"]
    return next((str(each["id"]) for each in members if each["role"] != "owner"), None)


async def _session(party: Party) -> str | None:
    if party.colleague is not None:
        await party.colleague.sign_in()
    sessions = (await party.ask("GET", f"/api/v1/members/{party.ids['member_id']}/sessions")).json()["items"]
    return str(sessions[0]["id"]) if sessions else None


BELONGINGS = (
    Belonging("member_id", _member, Layer.AUTHENTICATION),
    Belonging("member_session_id", _session, Layer.AUTHENTICATION),
)
