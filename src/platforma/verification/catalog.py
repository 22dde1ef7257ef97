"""Layer 2 as the live catalog has it: what the census finds, each finding a bypass of what the tables promise."""

import psycopg

from platforma.database import catalog, census
from platforma.database.engine import libpq_dsn
from platforma.kit.probes import Layer, Observation, Outcome
from platforma.verification.findings import Finding

EXPECTED = "Owner, row-level security, policies, grants, keys and triggers are as the models and the gate declare"
_TITLE = "The live catalog of the database against what is declared"
_REST = "roles, schemas, functions and the queue"


def verify_catalog(url: str) -> tuple[list[str], list[Finding]]:
    """Return the tables that there are, and a finding for each of them, for each object with something wrong, and
    for all that is no table.

    `url` is of any role: the catalog is everybody's to read. If it cannot be read, nothing is proven.
    """
    try:
        with psycopg.connect(libpq_dsn(url)) as connection:
            connection.read_only = True
            tables = [row.name for row in catalog.ask(connection, catalog.RELATIONS) if row.kind in "rp"]
            found = census.census_of(connection)
    except psycopg.Error as error:
        words = f"The catalog could not be read. {type(error).__name__}: {error}"[:300]
        return [], [_finding(Observation(_REST, Outcome.NOT_PROVEN, words))]
    wrong: dict[str, list[str]] = {}
    for each in found:
        table = next((name for name in tables if name == each.object or f"{name} " in f"{each.object} "), each.object)
        wrong.setdefault(table, []).append(f"{each.object}: {each.wrong}. {each.mend}")
    seen = [Observation(name, Outcome.BYPASSED, " ".join(words)[:1000]) for name, words in sorted(wrong.items())]
    seen += [Observation(name, Outcome.HELD) for name in sorted(tables) if name not in wrong]
    if not wrong.keys() - set(tables):
        seen.append(Observation(_REST, Outcome.HELD))
    return tables, [_finding(each) for each in seen]


def _finding(observation: Observation) -> Finding:
    return Finding("catalog", Layer.DATABASE, ("D11",), observation, _TITLE, EXPECTED)
