"""What a benchmark found: numbers with the number that each is held against."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """One figure. `ratio` is value / baseline, taken round by round; its median is given, and its spread in words."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    spread: str = ""
    target: str = ""

    def row(self) -> dict[str, object]:
        """Return what goes into results.json."""
        known = asdict(self)
        return {name: known[name] for name in ("name", "value", "unit", "baseline", "ratio")}


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write all results, replacing those of an earlier run."""
    path.write_text(json.dumps([result.row() for result in results], indent=2) + "\n")


def print_table(results: Sequence[Result]) -> None:
    """Print the results for a person."""
    table = Table(title="Platforma benchmarks")
    for heading in ("benchmark", "value", "baseline", "unit", "ratio", "spread of the ratio", "target"):
        table.add_column(heading, justify="left" if heading in ("benchmark", "unit", "target") else "right")
    for result in results:
        table.add_row(
            result.name,
            f"{result.value:,.4g}",
            "" if result.baseline is None else f"{result.baseline:,.4g}",
            result.unit,
            "" if result.ratio is None else f"{result.ratio:.3f}",
            result.spread,
            result.target,
        )
    Console(width=160).print(table)
