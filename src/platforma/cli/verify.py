"""`platforma verify`: this installation attacks itself, as one tenant another, and says what came of it."""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import httpx2
import typer
from rich.console import Console
from rich.table import Table

import platforma.models  # noqa: F401 (completes the metadata, which the catalog is compared with)
from platforma.app import create_app
from platforma.cli.console import Reason, act, fail, operator_database, run, settings
from platforma.kit.crypto import new_key
from platforma.kit.probes import Outcome
from platforma.settings import Settings, need
from platforma.tenants.service import OperatorAct
from platforma.verification.findings import Finding, Verification
from platforma.verification.inventory import ApiOperation, list_operations
from platforma.verification.live import verify_installation
from platforma.verification.party import PartyError

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)
_DEMO = Path(".platforma/settings/operator.env")
"""Where `make up` writes the operator's settings, seen from the directory in which it ran."""


def verify(
    portal: Annotated[
        str | None,
        typer.Argument(help="The portal in which the canary tenants live. [default: where they are, else the first]"),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything that was found to this file, as JSON.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Where the portal answers, as https://10.0.0.5. [default: its host, as in the settings]"),
    ] = None,
    patience: Annotated[float, typer.Option(help="Seconds that anything asked of the cloud may take.")] = 180.0,
    reason: Reason = None,
) -> None:
    """Attack one canary tenant as another, by all there is. Exit code 0 only if all held and nothing is uncovered."""
    use_demo()
    try:
        found = run(_verify(portal, target, act(reason or "verification"), patience))
    except (PartyError, httpx2.HTTPError) as error:
        fail(f"Nothing is proven: {error or type(error).__name__}")
    if json_file is not None:
        json_file.write_text(json.dumps(found.plain(), indent=2) + "\n")
    _print(found)
    if not found.is_safe:
        raise typer.Exit(1)


def use_demo() -> None:
    """Take the settings of `make up` where the environment says nothing: there it is the one installation."""
    if not any(name.startswith("PLATFORMA_") for name in os.environ) and _DEMO.is_file():
        os.environ["PLATFORMA_SETTINGS"] = str(_DEMO)


async def _verify(portal: str | None, target: str | None, doer: OperatorAct, patience: float) -> Verification:
    def report(line: str) -> None:
        _err.print(f"[dim]{line}[/dim]", highlight=False)

    used = settings()
    async with operator_database() as database:
        return await verify_installation(
            database,
            need(used.database.operator, "DATABASE__OPERATOR"),
            used,
            doer,
            inventory(),
            portal=portal,
            target=target,
            patience_seconds=patience,
            report=report,
        )


def inventory() -> list[ApiOperation]:
    """Return every operation that the application itself says it has, of the API and of the pages."""
    made = create_app(Settings(database={"portal": "postgresql://nobody@/nothing"}, pepper=new_key()))
    return list_operations(made.openapi()) + list_operations(made.state.pages.openapi())


def _print(found: Verification) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("layer", "probe", "held", "bypassed", "not proven"):
        table.add_column(column, justify="left" if column in ("layer", "probe") else "right")
    for layer, probe in sorted({(each.layer, each.probe) for each in found.findings}):
        of = [each for each in found.findings if (each.layer, each.probe) == (layer, probe)]
        counts = [sum(each.observation.outcome is outcome for each in of) for outcome in Outcome]
        table.add_row(layer, probe, *map(str, counts))
    _out.print(table)
    for outcome in (Outcome.BYPASSED, Outcome.NOT_PROVEN):
        for each in found.findings:
            if each.observation.outcome is outcome:
                _print_finding(each)
    plain = found.plain()
    for part, (covered, total) in plain["coverage"].items():
        missing = plain["uncovered"][part]
        words = f"{part.replace('_', ' ')}: {covered} of {total} covered" + (
            f"; not {', '.join(missing)}" * bool(missing)
        )
        _out.print(words, markup=False, highlight=False)
    for line in found.nowhere:
        _out.print(f"not here: {line}", markup=False, highlight=False)
    took = timedelta(seconds=round((found.ended_at - found.began_at).total_seconds()))
    counts_in_words = ", ".join(f"{found.count(outcome)} {outcome}" for outcome in Outcome)
    _out.print(f"{len(found.findings)} attacks in {took}: {counts_in_words}.")


def _print_finding(each: Finding) -> None:
    seen = each.observation
    _out.print(f"{seen.outcome}: {each.probe}: {seen.subject}\n    {seen.detail}", markup=False, highlight=False)
