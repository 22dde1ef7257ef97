"""`platforma verify`: this installation attacks itself, as one tenant another, and says what came of it."""

import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from rich.console import Console
from rich.table import Table

from platforma.app import create_app
from platforma.cli.console import Reason, act, fail, operator_database, run, settings
from platforma.kit.crypto import new_key
from platforma.kit.probes import Outcome, Scene
from platforma.settings import Settings, need
from platforma.tenants.service import OperatorAct
from platforma.verification.canaries import enter, find_hosts, prepare_canaries, rest_canaries
from platforma.verification.catalog import verify_catalog
from platforma.verification.collection import NOBODYS, collect_belongings, collect_probes
from platforma.verification.engine import Engine, Finding, Verification
from platforma.verification.inventory import ApiOperation, list_operations
from platforma.verification.party import PartyError

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)
_CALL_SECONDS = 60.0


def verify(
    portal: Annotated[str, typer.Argument(help="The short name of the portal in which the canary tenants live.")],
    target: Annotated[
        str | None, typer.Option(help="Where the portal answers, as https://10.0.0.5. [default: its own host]")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write everything that was found there, as JSON.")] = None,
    patience: Annotated[float, typer.Option(help="Seconds that anything asked of the cloud may take.")] = 180.0,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")] = False,
) -> None:
    """Attack one canary tenant as another, by every operation there is. Exit code 0 only if everything held."""
    try:
        found = run(_verify(portal, target, act(reason or "verification"), patience))
    except (PartyError, httpx2.HTTPError) as error:
        fail(f"Nothing is proven: {error or type(error).__name__}")
    if output is not None:
        output.write_text(json.dumps(_plain(found), indent=2) + "\n")
    if as_json:
        typer.echo(json.dumps(_plain(found)))
    else:
        _print(found)
    if not found.is_safe:
        raise typer.Exit(1)


async def _verify(portal: str, target: str | None, doer: OperatorAct, patience: float) -> Verification:
    def report(line: str) -> None:
        _err.print(f"[dim]{line}[/dim]", highlight=False)

    async with operator_database() as database:
        hosts = await find_hosts(database, portal)
        canaries = await prepare_canaries(database, doer, portal, report)
        base = target or f"https://{hosts.own}"
        try:
            async with httpx2.AsyncClient(base_url=base, timeout=_CALL_SECONDS, trust_env=False) as client:
                a, b = [await enter(client, hosts.own, canaries[side], patience) for side in ("a", "b")]
                engine = Engine(guarded_operations(), collect_probes(), collect_belongings(), NOBODYS, report)
                found = await engine.verify(Scene(a, b, hosts.other))
        finally:
            await rest_canaries(database, doer, canaries)
    catalog = verify_catalog(need(settings().database.operator, "DATABASE__OPERATOR"))
    return Verification(found.began_at, found.ended_at, (*catalog, *found.findings))


def guarded_operations() -> list[ApiOperation]:
    """Return the inventory: what the application itself says it has, without what is open to everybody."""
    made = create_app(Settings(database={"portal": "postgresql://nobody@/nothing"}, pepper=new_key()))
    every = list_operations(made.openapi()) + list_operations(made.state.pages.openapi())
    return [each for each in every if each.permission is not None]


def _plain(found: Verification) -> dict[str, Any]:
    return {
        "began_at": found.began_at.isoformat(),
        "ended_at": found.ended_at.isoformat(),
        "is_safe": found.is_safe,
        **{outcome.name.lower(): found.count(outcome) for outcome in Outcome},
        "findings": [
            {"probe": each.probe, "layer": each.layer, "threats": each.threats, **asdict(each.observation)}
            for each in found.findings
        ],
    }


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
    took = timedelta(seconds=round((found.ended_at - found.began_at).total_seconds()))
    counts_in_words = ", ".join(f"{found.count(outcome)} {outcome}" for outcome in Outcome)
    _out.print(f"{len(found.findings)} attacks in {took}: {counts_in_words}.")


def _print_finding(each: Finding) -> None:
    seen = each.observation
    _out.print(f"{seen.outcome}: {each.probe}: {seen.subject}\n    {seen.detail}", markup=False, highlight=False)
