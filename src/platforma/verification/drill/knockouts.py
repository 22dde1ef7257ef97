"""What came of a knock-out: whether anything of B was disclosed or changed, and whether the verification noticed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from platforma.kit.probes import Outcome, Reply, Scene
from platforma.verification.collection import NOBODYS
from platforma.verification.engine import FOREIGN_IDS, FURNISHING, UNCHANGED
from platforma.verification.findings import Verification

_TELLING = {FOREIGN_IDS, "timing", UNCHANGED}
_UNFURNISHED = f"{Outcome.NOT_PROVEN}: {FURNISHING}"
_REFUSED_OTHERWISE = "it answers"
"""Alike for B's id and for one that never existed, if not as it should be: that tells nothing of B."""


@dataclass
class Watch:
    """Reads every answer that A gets, and notes what of B is in it that A had not sent.

    Nor is what A had put into a row of its own, by a request that was let through: that it comes back tells nothing.
    """

    seen: list[str] = field(default_factory=list)
    put_in: set[str] = field(default_factory=set)

    def put_on(self, scene: Scene) -> None:
        """Watch A and its colleague."""
        for party in (scene.a, scene.a.colleague):
            if party is not None:
                self._watch(party, scene)

    def _watch(self, party: Any, scene: Scene) -> None:
        ask = party.ask

        async def watched(method: str, target: str, **how: Any) -> Reply:
            reply: Reply = await ask(method, target, **how)
            sent = f"{target} {how.get('body')} {how.get('content')} {how.get('headers')}"
            words = words_of(scene)
            if method != "GET" and reply.status < 400:
                self.put_in.update(word for word in words if word in sent and word != scene.b.mark)
            if how.get("session") != scene.b.token:
                told = [word for word in words if word in reply.text and word not in sent and word not in self.put_in]
                self.seen += [f"{method} {target}: {word}" for word in told]
            return reply

        party.ask = watched


def words_of(scene: Scene) -> list[str]:
    """Return the words that name B's: its mark and ids, but for what belongs to nobody and to both."""
    shared = set(scene.a.ids.values())
    ids = [id_ for name, id_ in scene.b.ids.items() if name not in NOBODYS and id_ not in shared]
    return [scene.b.mark, *ids]


def disclosures_of(found: Verification, watched: Iterable[str]) -> list[str]:
    """Return what was disclosed or changed of B."""
    told = list(watched)
    for each in found.findings:
        seen = each.observation
        parts = seen.detail.split("; ")[1:] if each.probe == FOREIGN_IDS else [seen.detail]
        if seen.outcome is Outcome.BYPASSED and each.probe in _TELLING:
            told += [
                f"{each.probe}: {seen.subject}: {part}" for part in parts if not part.startswith(_REFUSED_OTHERWISE)
            ]
    return told


def faulty(found: Verification) -> list[str]:
    """Return what was not as it has to be, each by its probe and subject."""
    wrong = [each for each in found.findings if each.observation.outcome is not Outcome.HELD]
    return sorted(f"{each.observation.outcome}: {each.probe}: {each.observation.subject}" for each in wrong)


def holds(report: Mapping[str, Any]) -> bool:
    """Say whether nothing was bypassed or disclosed, proven or not."""
    return not report["disclosures"] and all(each.startswith(str(Outcome.NOT_PROVEN)) for each in report["faulty"])


@dataclass(frozen=True)
class Knockout:
    """One fault, and what came of it."""

    layer: str
    fault: str
    probes: int
    disclosures: list[str]
    noticed: list[str]
    """What was not held, and was with nothing taken away."""

    @property
    def broken(self) -> list[str]:
        """What no canary could get any more: of that nothing was attacked, and the fault is more than a wall."""
        return [each for each in self.noticed if each.startswith(_UNFURNISHED)]

    @property
    def is_detected(self) -> bool:
        """Whether the verification noticed."""
        return bool(self.noticed)

    def plain(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "layer": self.layer,
            "fault": self.fault,
            "probes": self.probes,
            "disclosures": len(self.disclosures),
            "detected": self.is_detected,
            "disclosed": self.disclosures[:20],
            "noticed": self.noticed[:20],
            "broken": self.broken,
        }


def knocked_out(layer: str, fault: str, report: Mapping[str, Any], untouched: Iterable[str]) -> Knockout:
    """Return what came of a knock-out beside a run in which nothing was taken away."""
    noticed = sorted(set(report["faulty"]) - set(untouched))
    return Knockout(layer, fault, int(report["probes"]), list(report["disclosures"]), noticed)
