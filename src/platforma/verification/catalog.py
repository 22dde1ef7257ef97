"""Layer 2 as the live catalog has it: what the census finds, each finding a bypass of what the tables promise."""

from platforma.database.census import take_census
from platforma.kit.probes import Layer, Observation, Outcome
from platforma.verification.engine import Finding


def verify_catalog(url: str) -> list[Finding]:
    """Return what is wrong with roles, tables, policies, grants, keys and functions, or one finding that all is well.

    `url` is of any role: the catalog is everybody's to read.
    """
    found = take_census(url)
    seen = [Observation(each.object, Outcome.BYPASSED, f"{each.wrong}. {each.mend}") for each in found]
    seen = seen or [Observation("roles, tables, policies, grants, keys and functions", Outcome.HELD)]
    return [Finding("catalog", Layer.DATABASE, ("D11",), each) for each in seen]
