"""One verification: A attacks B by every probe there is, and by every operation of the application.

What is found is exactly what happened: a probe that could not be tried is not proven, and so is every operation of
which nothing of B was there to attack, or whose control failed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256

import httpx2

from platforma.kit.probes import Belonging, Layer, Observation, Outcome, Party, Probe, Scene
from platforma.verification.inventory import ApiOperation
from platforma.verification.matrix import Matrix, Names
from platforma.verification.party import PartyError
from platforma.verification.timing import PAIRS, Timing

Report = Callable[[str], None]

FOREIGN_IDS = "foreign ids"
UNCHANGED = "victim unchanged"


@dataclass(frozen=True)
class Finding:
    """An observation, and the probe that made it."""

    probe: str
    layer: Layer
    threats: tuple[str, ...]
    observation: Observation


@dataclass(frozen=True)
class Verification:
    """All that one verification found."""

    began_at: datetime
    ended_at: datetime
    findings: tuple[Finding, ...] = field(repr=False)

    def count(self, outcome: Outcome) -> int:
        """Return how many findings have an outcome."""
        return sum(each.observation.outcome is outcome for each in self.findings)

    @property
    def is_safe(self) -> bool:
        """Whether everything was tried, and everything held."""
        return bool(self.findings) and all(each.observation.outcome is Outcome.HELD for each in self.findings)


class Engine:
    """Runs verifications of one installation. `operations` is its inventory, without what is open to everybody."""

    def __init__(
        self,
        operations: Sequence[ApiOperation],
        probes: Sequence[Probe],
        belongings: Sequence[Belonging],
        nobodys: frozenset[str],
        report: Report = lambda line: None,
        *,
        timing_pairs: int = PAIRS,
    ) -> None:
        aliases = {alias: each.name for each in belongings for alias in each.aliases}
        self._names = Names(frozenset(each.name for each in belongings), aliases, nobodys)
        self._operations = operations
        self._timing_pairs = timing_pairs
        self._matrix = Matrix(operations, self._names)
        self._belongings = belongings
        self._optional = {each.name for each in belongings if each.is_optional}
        self._probes = [*self._of_matrix(), *probes]
        self._report = report

    async def verify(self, scene: Scene) -> Verification:
        """Furnish A and B, attack, look whether B is as it was, and take away what was made."""
        began_at = datetime.now(UTC)
        findings: list[Finding] = []
        try:
            for party in (scene.a, scene.b):
                findings += await self._furnish(party)
            before = await self._snapshot(scene.b)
            for probe in self._probes:
                self._report(probe.title)
                findings += await _run(probe, scene)
            findings += await self._compare(scene.b, before)
            self._report("Controls")
            failed = await self._matrix.controls(scene, lambda name: self._remake(scene.a, name))
        finally:
            for party in (scene.a, scene.b):
                self._report(f"Removing what was made for {party.mark}")
                await self._remove(party)
        checked = tuple(_with_control(each, failed) for each in findings)
        return Verification(began_at, datetime.now(UTC), tuple(each for each in checked if not self._is_absent(each)))

    def _of_matrix(self) -> Iterable[Probe]:
        yield Probe(
            FOREIGN_IDS,
            Layer.DATABASE,
            "Ids of B, in every place of every operation",
            ("A01", "A02", "A07", "A09"),
            self._matrix.foreign_ids,
        )
        yield Probe(
            "timing",
            Layer.DATABASE,
            "Time that tells B's ids from ids that never existed",
            ("A09",),
            Timing(self._operations, self._names, self._timing_pairs).attack,
        )
        yield Probe(
            "other hosts",
            Layer.PORTAL,
            "A's session at another portal, for every operation",
            ("P01",),
            self._matrix.other_hosts,
        )
        yield Probe(
            "nobody",
            Layer.AUTHENTICATION,
            "Nobody, and nobody with identity headers, for every operation",
            ("A05", "A21"),
            self._matrix.nobody,
        )

    async def _furnish(self, party: Party) -> list[Finding]:
        """Give a canary one of everything; say what it could not get."""
        missing = []
        for belonging in self._belongings:
            self._report(f"{party.mark}: {belonging.name.removesuffix('_id').replace('_', ' ')}")
            try:
                id_ = await belonging.make(party)
            except (KeyError, ValueError, IndexError) as error:
                id_, reason = None, f"{type(error).__name__}: {error}"
            else:
                reason = "It did not come about."
            if id_ is not None:
                party.ids[belonging.name] = id_
            elif not belonging.is_optional:
                seen = Observation(f"{party.mark} {belonging.name}", Outcome.NOT_PROVEN, reason[:300])
                missing.append(Finding("furnishing", belonging.layer, (), seen))
        return missing

    async def _remake(self, party: Party, name: str) -> None:
        """Make something again, with what it is a part of."""
        belonging = next((each for each in self._belongings if each.name == name), None)
        if belonging is None:
            return
        for need in belonging.needs:
            await self._remake(party, need)
        party.ids[name] = await belonging.make(party) or party.ids[name]

    async def _snapshot(self, party: Party) -> dict[str, str]:
        """Return a digest of everything that the tenant's owner can read of what it has, by operation."""
        digests = {}
        for operation in self._operations:
            if operation.method != "GET" or not operation.path.startswith("/api/"):
                continue
            path = operation.path
            places = self._names.tenants_places(operation)
            if any(place.location == "path" and self._names.of(place, operation) not in party.ids for place in places):
                continue
            for place in operation.id_places():
                if place.location == "path":
                    path = path.replace("{" + place.path[0] + "}", party.ids.get(self._names.of(place, operation), ""))
            reply = await party.ask("GET", path)
            digests[operation.id] = f"{reply.status} {sha256(reply.body).hexdigest()}"
        return digests

    async def _compare(self, party: Party, before: Mapping[str, str]) -> list[Finding]:
        after = await self._snapshot(party)
        changed = sorted(name for name, digest in before.items() if after.get(name) != digest)
        changed = [name for name in changed if name not in _ALIVE]
        outcome = Outcome.BYPASSED if changed else Outcome.HELD
        seen = Observation(
            "everything that B's owner sees", outcome, f"changed: {', '.join(changed)}" if changed else ""
        )
        return [Finding(UNCHANGED, Layer.DATABASE, ("A02",), seen)]

    async def _remove(self, party: Party) -> None:
        """Delete all that a canary has, the youngest kinds first, as often as it takes."""
        for _ in range(_SWEEPS):
            left = 0
            for collection in _COLLECTIONS:
                reply = await party.ask("GET", f"/api/v1/{collection}?limit=100")
                items = reply.json()["items"] if reply.status == 200 else []
                for item in items:
                    if item.get("is_default"):
                        continue
                    left += 1
                    deleted = await party.ask("DELETE", f"/api/v1/{collection}/{item['id']}")
                    if deleted.status < 300:
                        await party.settle(deleted)
            if not left:
                return

    def _is_absent(self, finding: Finding) -> bool:
        """Say whether a finding is about a kind of thing that the installation does not have."""
        if finding.observation.outcome is not Outcome.NOT_PROVEN:
            return False
        return any(f"a {name}" in finding.observation.detail for name in self._optional)


_SWEEPS = 5
_ALIVE = {"list_sessions", "get_costs", "export_usage", "list_operations", "get_console_output", "list_audit_events"}
"""What changes by the time that goes by, and by B's own looks."""
_COLLECTIONS = (
    "kubeconfigs",
    "namespaces",
    "floating-ips",
    "servers",
    "volumes",
    "key-pairs",
    "routers",
    "networks",
    "security-groups",
)


async def _run(probe: Probe, scene: Scene) -> list[Finding]:
    """Run a probe. One that breaks off has proven what it has shown until then, and itself not."""
    findings = []
    try:
        async for seen in probe.attack(scene):
            findings.append(Finding(probe.id, probe.layer, probe.threats, seen))
    except (httpx2.HTTPError, PartyError, LookupError, TypeError, ValueError) as error:
        seen = Observation(
            "the whole probe", Outcome.NOT_PROVEN, f"It broke off: {type(error).__name__}: {error}"[:500]
        )
        findings.append(Finding(probe.id, probe.layer, probe.threats, seen))
    return findings


def _with_control(finding: Finding, failed: Mapping[str, str]) -> Finding:
    """Return a finding of the matrix as not proven if the control of its operation failed."""
    operation = finding.observation.subject.partition(" ")[0]
    if finding.probe != FOREIGN_IDS or operation not in failed or finding.observation.outcome is not Outcome.HELD:
        return finding
    seen = replace(finding.observation, outcome=Outcome.NOT_PROVEN, detail=f"The control failed. {failed[operation]}")
    return replace(finding, observation=seen)
