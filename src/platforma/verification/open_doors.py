"""Operations that are open to everybody, such as signing in: they know nobody by a header, and tell nothing of B."""

from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

from platforma.kit.probes import Observation, Outcome, Reply, Scene
from platforma.verification.inventory import ApiOperation
from platforma.verification.matrix import IDENTITY_HEADERS
from platforma.verification.oracle import differences, normalise
from platforma.verification.requests import prepare

EXPECTED = "Answered alike with headers that name B and without, with no session and none of B's words"


class OpenDoors:
    """The attack on every operation that takes no session."""

    def __init__(self, operations: Sequence[ApiOperation]) -> None:
        self._operations = operations

    async def attack(self, scene: Scene) -> AsyncIterator[Observation]:
        """A21: ask as nobody, and as nobody with headers and ids of B, and compare."""
        forged = dict.fromkeys(IDENTITY_HEADERS, scene.b.ids.get("tenant_id", str(uuid4())))
        for operation in self._operations:
            unknown = str(uuid4())
            ids = dict.fromkeys(operation.required_places(), unknown)
            request = prepare(operation, ids)
            replies = [
                await scene.a.ask(
                    request.method,
                    request.target,
                    content=request.body,
                    headers={**request.headers, **headers},
                    session=None,
                )
                for headers in ({}, forged)
            ]
            yield _judge(operation, scene, *replies)


def _judge(operation: ApiOperation, scene: Scene, plain: Reply, forged: Reply) -> Observation:
    if plain.is_no_answer or forged.is_no_answer:
        return Observation(operation.id, Outcome.NOT_PROVEN, f"{plain.status} and {forged.status}: {forged.text[:200]}")
    answers = [normalise(each.status, each.headers, each.body, {}) for each in (plain, forged)]
    found = differences(answers[1], answers[0])
    found += ["the answer has B's words in it"] * (scene.b.mark in plain.text + forged.text)
    cookie = forged.header("set-cookie") or ""
    if "__Host-platforma=" in cookie and "Max-Age=0" not in cookie:
        found.append("it gives a session")
    outcome = Outcome.BYPASSED if found else Outcome.HELD
    return Observation(operation.id, outcome, "; ".join(found)[:1000] or f"answered {plain.status} either way")
