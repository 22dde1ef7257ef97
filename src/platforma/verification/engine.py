"""One verification: A attacks B by every probe there is, and by every operation of the application.

What is found is exactly what happened: a probe that could not be tried is not proven, and so is every operation of
which nothing of B was there to attack, or whose control failed.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import httpx2

from platforma.kit.probes import Belonging, Layer, NotHere, Observation, Outcome, Party, Probe, Scene
from platforma.verification.findings import Finding, Verification
from platforma.verification.inventory import ApiOperation
from platforma.verification.matrix import Matrix, Names
from platforma.verification.open_doors import EXPECTED as LIKE_NOBODY
from platforma.verification.open_doors import OpenDoors
from platforma.verification.party import PartyError
from platforma.verification.timing import PAIRS, Timing

Report = Callable[[str], None]

FOREIGN_IDS = "foreign ids"
OWNER_FIELDS = "owner fields"
FURNISHING = "furnishing"
UNCHANGED = "victim unchanged"


class Engine:
    """Runs verifications of one installation. `operations` is its inventory."""

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
        self._operations = [each for each in operations if each.permission is not None]
        self._open = [each for each in operations if each.permission is None]
        self._timing_pairs = timing_pairs
        self._matrix = Matrix(self._operations, self._names)
        self._belongings = belongings
        self._of_kind = {each.name: each for each in belongings}
        self._nowhere: dict[str, str] = {}
        self._probes = [*self._of_matrix(), *probes]
        self._report = report

    async def verify(self, scene: Scene) -> Verification:
        """Furnish A and B, attack, look whether B is as it was, and take away what was made."""
        began_at = datetime.now(UTC)
        findings: list[Finding] = []
        self._nowhere = {}
        try:
            for missing in await asyncio.gather(self._furnish(scene.a), self._furnish(scene.b)):
                findings += missing
            furnished = scene.a.ids.keys() & scene.b.ids.keys()
            before = await self._snapshot(scene.b)
            for probe in self._probes:
                self._report(probe.title)
                findings += [self._of_its_kind(each) for each in await _run(probe, scene)]
            findings.append(await self._compare(scene.b, before))
            self._report("Controls")
            failed = await self._matrix.controls(scene, lambda name: self._remake(scene.a, name))
        finally:
            self._report("Removing what was made")
            await asyncio.gather(self._remove(scene.a), self._remove(scene.b))
        checked = [_with_control(each, failed) for each in findings]
        return Verification(
            began_at,
            datetime.now(UTC),
            tuple(each for each in checked if not self._is_absent(each)),
            absent=tuple(each for each in checked if self._is_absent(each)),
            furnished=frozenset(furnished),
            nowhere=tuple(f"{name.removesuffix('_id')}: {why}" for name, why in sorted(self._nowhere.items())),
        )

    def _of_matrix(self) -> Iterable[Probe]:
        yield Probe(
            FOREIGN_IDS,
            Layer.DATABASE,
            "Ids of B, in every place of every operation",
            ("A01", "A02", "A07", "A09"),
            self._matrix.foreign_ids,
            "Answered byte for byte as an id that never existed; with A's own id it is answered otherwise",
        )
        yield Probe(
            OWNER_FIELDS,
            Layer.AUTHENTICATION,
            "Fields that say whose something is or who pays, in the body of every operation that changes something",
            ("A03", "A04", "B05", "B06"),
            self._matrix.owner_fields,
            "Each of them refused as an unknown field; without them the operation answers otherwise",
        )
        if self._timing_pairs:
            yield Probe(
                "timing",
                Layer.DATABASE,
                "Time that tells B's ids from ids that never existed",
                ("A09",),
                Timing(self._operations, self._names, self._timing_pairs).attack,
                "No difference in time by a sign test over pairs",
            )
        yield Probe(
            "other hosts",
            Layer.PORTAL,
            "A's session at another portal, for every operation",
            ("P01",),
            self._matrix.other_hosts,
            "Taken for nobody",
        )
        yield Probe(
            "nobody",
            Layer.AUTHENTICATION,
            "Nobody, and nobody with identity headers, for every operation",
            ("A05", "A21"),
            self._matrix.nobody,
            "Taken for nobody",
        )
        yield Probe(
            "roles",
            Layer.AUTHENTICATION,
            "What only others of A's own tenant may do",
            (),
            self._matrix.roles,
            "Answered 403; the owner may",
        )
        yield Probe(
            "open doors",
            Layer.AUTHENTICATION,
            "What takes no session, asked with headers that name B",
            ("A21",),
            OpenDoors(self._open).attack,
            LIKE_NOBODY,
        )

    async def _furnish(self, party: Party) -> list[Finding]:
        """Give a canary one of everything; say what it could not get."""
        missing = []
        for belonging in self._belongings:
            self._report(f"{party.mark}: {belonging.name.removesuffix('_id').replace('_', ' ')}")
            try:
                id_ = await belonging.make(party)
                reason = "It did not come about."
            except NotHere as absence:
                self._nowhere[belonging.name] = str(absence)
                continue
            except (KeyError, ValueError, IndexError, TypeError, httpx2.HTTPError) as error:
                id_, reason = None, f"{type(error).__name__}: {error}"
            if id_ is not None:
                party.ids[belonging.name] = id_
            else:
                seen = Observation(f"{party.mark} {belonging.name}", Outcome.NOT_PROVEN, reason[:300])
                missing.append(Finding(FURNISHING, belonging.layer, (), seen, "One of everything", "It comes about"))
        return missing

    async def _remake(self, party: Party, name: str) -> None:
        """Make something again, with what it is a part of."""
        belonging = next((each for each in self._belongings if each.name == name), None)
        if belonging is None:
            return
        for need in belonging.needs:
            await self._remake(party, need)
        try:
            party.ids[name] = await belonging.make(party) or party.ids[name]
        except (NotHere, KeyError, ValueError, IndexError, TypeError):
            return

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
            digests[operation.id] = "" if reply.is_no_answer else f"{reply.status} {sha256(reply.body).hexdigest()}"
        return digests

    async def _compare(self, party: Party, before: Mapping[str, str]) -> Finding:
        after = await self._snapshot(party)
        names = sorted(before.keys() - _ALIVE)
        unseen = [name for name in names if not before[name] or not after.get(name)]
        changed = [name for name in names if name not in unseen and after[name] != before[name]]
        if changed:
            outcome, detail = Outcome.BYPASSED, f"changed: {', '.join(changed)}"
        elif unseen or not names:
            outcome, detail = Outcome.NOT_PROVEN, f"could not be seen before and after: {', '.join(unseen)}"
        else:
            outcome, detail = Outcome.HELD, f"{len(names)} views, byte for byte as before"
        seen = Observation("everything that B's owner sees", outcome, detail)
        return Finding(UNCHANGED, Layer.DATABASE, ("A02",), seen, "B, after all attacks", "B is as it was")

    async def _remove(self, party: Party) -> None:
        """Delete all that a canary has, the youngest kinds first, as often as it takes."""
        for _ in range(_SWEEPS):
            left = 0
            for collection in _COLLECTIONS:
                reply = await party.ask("GET", f"/api/v1/{collection}?limit=100")
                items = reply.json()["items"] if reply.status == 200 else []
                left += reply.is_no_answer
                for item in items:
                    if item.get("is_default"):
                        continue
                    left += 1
                    deleted = await party.ask("DELETE", f"/api/v1/{collection}/{item['id']}")
                    if deleted.status < 300:
                        await party.settle(deleted)
            if not left:
                return

    def _of_its_kind(self, finding: Finding) -> Finding:
        """Return a finding with the layer and the threats of the kind of thing that was attacked."""
        kind = self._of_kind.get(finding.observation.kind)
        if kind is None:
            return finding
        return replace(finding, layer=kind.layer, threats=(*finding.threats, *kind.threats))

    def _is_absent(self, finding: Finding) -> bool:
        """Say whether a finding is about a kind of thing that the installation does not have."""
        if finding.observation.outcome is not Outcome.NOT_PROVEN:
            return False
        return any(f"a {name}" in finding.observation.detail for name in self._nowhere)


_SWEEPS = 5
_ALIVE = {
    "list_sessions",
    "get_costs",
    "export_usage",
    "list_operations",
    "get_console_output",
    "list_audit_events",
    "get_certificate",
    "download_certificate",
}
"""What changes by the time that goes by, and by B's own looks: a certificate says when it was made."""
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
            findings.append(Finding(probe.id, probe.layer, probe.threats, seen, probe.title, probe.expected))
    except (httpx2.HTTPError, PartyError, LookupError, TypeError, ValueError) as error:
        seen = Observation(
            "the whole probe", Outcome.NOT_PROVEN, f"It broke off: {type(error).__name__}: {error}"[:500]
        )
        findings.append(Finding(probe.id, probe.layer, probe.threats, seen, probe.title, probe.expected))
    return findings


def _with_control(finding: Finding, failed: Mapping[str, str]) -> Finding:
    """Return a finding of the matrix as not proven if the control of its operation failed."""
    operation = finding.observation.subject.partition(" ")[0]
    if (
        finding.probe not in (FOREIGN_IDS, OWNER_FIELDS)
        or operation not in failed
        or finding.observation.outcome is not Outcome.HELD
    ):
        return finding
    seen = replace(finding.observation, outcome=Outcome.NOT_PROVEN, detail=f"The control failed. {failed[operation]}")
    return replace(finding, observation=seen)
