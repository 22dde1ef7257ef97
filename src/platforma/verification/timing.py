"""Whether the time of an answer tells B's id from one that never existed.

A sign test over interleaved pairs: had the answers the same distribution of times, either would be the slower one in
half of them. A difference counts when it shows in three tests in a row, each of which would show it by chance once in
ten thousand times.
"""

from collections.abc import AsyncIterator, Sequence
from math import comb
from uuid import uuid4

from platforma.kit.probes import Observation, Outcome, Scene
from platforma.verification.inventory import ApiOperation
from platforma.verification.matrix import Names

PAIRS = 60
SIGNIFICANCE = 1e-4
TESTS = 3


class Timing:
    """The attack on every operation that reads one thing by its id."""

    def __init__(self, operations: Sequence[ApiOperation], names: Names, pairs: int = PAIRS) -> None:
        self._operations = [each for each in operations if each.method == "GET" and len(each.path_names) == 1]
        self._names = names
        self._pairs = pairs

    async def attack(self, scene: Scene) -> AsyncIterator[Observation]:
        """A09: ask for B's and for nobody's in turns, and compare."""
        for operation in self._operations:
            (place,) = (each for each in operation.id_places() if each.location == "path")
            name = self._names.of(place, operation)
            if place.name in self._names.nobodys:
                continue
            if name not in scene.b.ids:
                yield Observation(operation.id, Outcome.NOT_PROVEN, f"B has nothing that is a {name}.")
                continue
            yield await self._try(scene, operation, "{" + place.path[0] + "}", scene.b.ids[name])

    async def _try(self, scene: Scene, operation: ApiOperation, hole: str, foreign_id: str) -> Observation:
        shares = []
        for _ in range(TESTS):
            slower = different = 0
            for pair in range(self._pairs):
                targets = [operation.path.replace(hole, each) for each in (foreign_id, str(uuid4()))]
                times: dict[str, float] = {}
                for target in targets if pair % 2 else reversed(targets):
                    seconds = await self._ask(scene, target)
                    if seconds is None:
                        return Observation(operation.id, Outcome.NOT_PROVEN, "The system did not answer as itself.")
                    times[target] = seconds
                slower += times[targets[0]] > times[targets[1]]
                different += times[targets[0]] != times[targets[1]]
            shares.append(slower / self._pairs)
            if sign_test(slower, different) >= SIGNIFICANCE:
                return Observation(operation.id, Outcome.HELD)
        detail = f"B's id was the slower one in {', '.join(f'{share:.0%}' for share in shares)} of {self._pairs} pairs."
        return Observation(operation.id, Outcome.BYPASSED, detail)

    async def _ask(self, scene: Scene, target: str) -> float | None:
        reply = await scene.a.ask("GET", target)
        return None if reply.is_no_answer else reply.seconds


def sign_test(successes: int, trials: int) -> float:
    """Return how likely it is by chance that either side wins at least as often as the more frequent winner did."""
    most = max(successes, trials - successes)
    tail: float = sum(comb(trials, each) for each in range(most, trials + 1)) / 2**trials
    return min(1.0, 2 * tail)
