"""The probes of layer 6: all holds, and each goes red when its wall is gone."""

from typing import Any

import pytest

from platforma.kit.probes import Outcome
from platforma.portal.probes import PROBES
from platforma.verification.engine import Engine
from platforma.verification.findings import Verification
from tests.verification.conftest import Application, make_application, scene_behind, stage, untouched

__all__ = ["make_application", "scene_behind", "stage"]

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def run(scene: Any) -> Verification:
    return await Engine([], PROBES, [], frozenset(), timing_pairs=1).verify(scene)


def bypassed(found: Verification) -> dict[str, set[str]]:
    """Return the subjects of what was found to be open, by probe."""
    seen: dict[str, set[str]] = {}
    for each in found.findings:
        if each.observation.outcome is Outcome.BYPASSED:
            seen.setdefault(each.probe, set()).add(each.observation.subject)
    return seen


async def test_all_holds(scene_behind: Any) -> None:
    found = await run(await scene_behind(untouched))
    ours = [each for each in found.findings if each.probe in {probe.id for probe in PROBES}]
    assert [each for each in ours if each.observation.outcome is not Outcome.HELD] == []
    assert {each.probe for each in ours} == {probe.id for probe in PROBES}


async def test_every_wall_that_is_gone_is_found(scene_behind: Any) -> None:
    """A forwarded host is believed, A's token is taken at the other portal and known at an unknown host, and what is
    written comes back as markup, what is asked for as a link, and who is not known is told apart."""
    scenes: list[Any] = []

    async def leaking(application: Application, scope: Any, receive: Any, send: Any) -> None:
        a = scenes[0].a if scenes else None
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode()
        is_stolen = a is not None and a.token.encode() in headers.get(b"cookie", b"")
        asked = b""

        async def listening() -> Any:
            nonlocal asked
            message = await receive()
            asked += message.get("body", b"")
            return message

        async def changed(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                is_told = b"nobody-" in asked or (
                    a is not None and host == f"nobody.{a.host}" and b"cookie" not in headers
                )
                if is_told or (is_stolen and host.endswith(".invalid")):
                    kept.append((b"x-known", b"yes"))
                message = {**message, "headers": kept}
            elif message.get("body"):
                body = message["body"].replace(b"&lt;svg/onload=alert(1)&gt;", b"<svg/onload=alert(1)>")
                if scope["path"] == "/sign-in":
                    body = body.replace(b"<title>", b"<title>evil-is-here.invalid")
                message = {**message, "body": body}
            await send(message)

        is_believed = a is not None and headers.get(b"x-forwarded-host") == a.host.encode()
        if a is not None and (is_believed or (is_stolen and host == scenes[0].other_host)):
            scope = renamed(scope, a.host)
        await application(scope, listening, changed)

    scenes.append(await scene_behind(leaking))
    seen = bypassed(await run(scenes[0]))
    assert {subject for subject in seen["stolen cookies"] if "forwarded" not in subject} == {
        "another portal",
        "an unknown host",
    }
    assert sum("forwarded" in subject for subject in seen["stolen cookies"]) == 5
    assert seen["unknown hosts"] == {"an unknown host", "pages of unknown hosts"}
    assert seen["accounts"] == {"without an account"}
    assert seen["links"] == {"/sign-in before signing in"}
    assert seen["texts"] == {"a description"}


def renamed(scope: Any, host: str) -> Any:
    """Return a request as it would be at another host."""
    kept = [(key, value) for key, value in scope["headers"] if key != b"host"]
    return {**scope, "headers": [*kept, (b"host", host.encode())]}
