"""`platforma sweep`."""

from typing import Annotated, Any

import typer

from platforma.cli.console import Json, Reason, acting, run, show, show_table
from platforma.operator import sweeps as service
from platforma.sweep.kinds import DriftKind, Mode

app = typer.Typer(help="The sweep: what differs between tenants' projects and the database.", no_args_is_help=True)


@app.command("findings")
def list_findings(
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, instead.")] = False,
    as_json: Json = False,
) -> None:
    """List what differs, with the evidence."""

    async def work() -> list[dict[str, Any]]:
        async with acting(None) as operator:
            found = await service.list_findings(operator, is_open=not ended)
            return [finding.model_dump(mode="json") for finding in found]

    columns = ["portal", "tenant_name", "kind", "subject", "status", "evidence", "first_seen_at", "last_seen_at"]
    show_table(run(work()), columns, as_json, "Every project is as the database says, as far as it was looked at.")


@app.command("run")
def request_sweeps(reason: Reason = None, as_json: Json = False) -> None:
    """Have workers look at every project now."""

    async def work() -> dict[str, Any]:
        async with acting(reason) as operator:
            await service.request_sweeps(operator)
            return (await service.get_state(operator)).model_dump(mode="json")

    state = run(work())
    show(state, as_json, f"Workers look at {state['projects']} projects now: platforma sweep findings")


@app.command("choices")
def list_choices(as_json: Json = False) -> None:
    """List what is done about each kind of finding."""

    async def work() -> list[dict[str, Any]]:
        async with acting(None) as operator:
            return [choice.model_dump(mode="json") for choice in await service.list_choices(operator)]

    show_table(run(work()), ["kind", "mode", "title", "is_default"], as_json, "")


@app.command("choose")
def choose(
    kind: Annotated[DriftKind, typer.Argument(help="A kind of finding.")],
    mode: Annotated[Mode, typer.Argument(help="mend or report.")],
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Have a kind of finding mended, or only reported, from the next sweep on."""

    async def work() -> None:
        async with acting(reason) as operator:
            await service.choose(operator, kind, mode)

    run(work())
    words = "mended" if mode is Mode.MEND else "reported"
    show({"kind": kind, "mode": mode}, as_json, f"Findings of the kind {kind} are {words} from now on.")
