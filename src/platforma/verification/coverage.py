"""How much of the running system a verification has covered. The totals are the system's own, never a list by hand."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from platforma.kit.probes import Belonging, Outcome
from platforma.verification.findings import Finding
from platforma.verification.inventory import ApiOperation


@dataclass(frozen=True)
class Part:
    """What there is of one sort, and what of it was covered."""

    covered: frozenset[str]
    total: frozenset[str]

    @property
    def missing(self) -> list[str]:
        """What no attack has proven anything about."""
        return sorted(self.total - self.covered)

    @property
    def numbers(self) -> list[int]:
        """How many were covered, of how many."""
        return [len(self.covered & self.total), len(self.total)]


@dataclass(frozen=True)
class Coverage:
    """The three inventories. What the installation cannot have is in `absent`, and in no total."""

    routes: Part
    tables: Part
    cloud_resources: Part
    absent: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether nothing is uncovered; of nothing at all, nothing is covered."""
        return all(part.total and not part.missing for part in (self.routes, self.tables, self.cloud_resources))


def cover_routes(operations: Sequence[ApiOperation], findings: Iterable[Finding], absent: Iterable[Finding]) -> Part:
    """A route is covered if something was proven of it, and nothing of it was left unproven."""
    names = {each.id for each in operations}
    proven: set[str] = set()
    unproven: set[str] = set()
    for each in findings:
        (unproven if each.observation.outcome is Outcome.NOT_PROVEN else proven).add(_subject(each))
    nowhere = {_subject(each) for each in absent} & names
    return Part(frozenset((proven - unproven) & names), frozenset(names - nowhere))


def cover_tables(tables: Iterable[str], findings: Iterable[Finding]) -> Part:
    """A table is covered if the catalog's look at it came to its end."""
    seen = {
        each.observation.subject
        for each in findings
        if each.probe == "catalog" and each.observation.outcome is not Outcome.NOT_PROVEN
    }
    total = frozenset(tables)
    return Part(frozenset(total & seen), total)


def cover_kinds(
    kinds: Iterable[str],
    belongings: Sequence[Belonging],
    furnished: Collection[str],
    nowhere: Collection[str],
    operations: Sequence[ApiOperation],
    routes: Part,
) -> Part:
    """A kind is covered if both canaries had one, and every route that names one is covered."""
    owned = {name: f"{name}_id" for name in kinds}
    owned |= {kind: each.name for each in belongings for kind in each.brings if kind in owned}
    total = {kind for kind, name in owned.items() if name not in nowhere}
    uncovered = {
        name for each in operations if each.id in routes.missing for name in [place.name for place in each.id_places()]
    }
    covered = {kind for kind in total if owned[kind] in furnished and owned[kind] not in uncovered}
    return Part(frozenset(covered), frozenset(total))


def _subject(finding: Finding) -> str:
    """Return the operation that a finding is about, if it is about one."""
    return finding.observation.subject.partition(" ")[0]
