"""`platforma volume-type`."""

import time
from typing import Annotated, Any

import typer

from platforma.cli.console import Json, Reason, acting, fail, run, show, show_table
from platforma.operator import volume_types as service
from platforma.operator.schemas import VolumeTypeChange, VolumeTypeOut
from platforma.storage.erasure_models import ErasureMethod

app = typer.Typer(help="Volume types, and which tenants may choose.", no_args_is_help=True)

TypeName = Annotated[str, typer.Argument(help="The type's name in the cloud.")]

POLL_SECONDS = 0.5
WAIT_SECONDS = 600.0


@app.command("list")
def list_types(as_json: Json = False) -> None:
    """List the volume types of the cloud, and what the last canary has found."""
    columns = ["name", "is_offered", "method", "proven_at", "tried_at", "finding"]
    show_table(run(_list()), columns, as_json, "No volume types are known. The provisioner copies them from the cloud.")


@app.command("offer")
def offer_type(
    name: TypeName,
    method: Annotated[ErasureMethod, typer.Option(help="How volumes of it are erased.")] = ErasureMethod.PLATFORM,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the canary; exit code 1 unless it proves it.")] = False,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """Offer a type to tenants as soon as a canary has proven its method. To offer it again proves it again."""
    change = VolumeTypeChange(is_wanted=True, method=method)
    found = run(_change(name, change, reason))
    deadline = time.monotonic() + WAIT_SECONDS
    while wait and (found["tried_at"] or "") < found["wanted_at"]:
        if time.monotonic() > deadline:
            fail("No canary has been sent. Is a provisioner running?")
        time.sleep(POLL_SECONDS)
        found = next(each for each in run(_list()) if each["name"] == name)
    while wait and found["finding"] is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        found = next(each for each in run(_list()) if each["name"] == name)
    if wait and not found["is_offered"]:
        fail(f"{name} is not offered: {found['finding']}")
    words = "tenants may choose it" if found["is_offered"] else "as soon as a canary has proven it"
    show(found, as_json, f"Volume type {name}: {words}.")


@app.command("withdraw")
def withdraw_type(name: TypeName, reason: Reason = None, as_json: Json = False) -> None:
    """Offer a type no more. Volumes that exist stay."""
    show(run(_change(name, VolumeTypeChange(is_wanted=False), reason)), as_json, f"{name} is not offered any more.")


async def _list() -> list[dict[str, Any]]:
    async with acting(None) as operator:
        return [_plain(row) for row in await service.list_types(operator)]


async def _change(name: str, change: VolumeTypeChange, reason: str | None) -> dict[str, Any]:
    async with acting(reason) as operator:
        known = {row.name: row.id for row in await service.list_types(operator)}
        if name not in known:
            fail(f"The cloud has no volume type {name}: platforma volume-type list")
        return _plain(await service.change_type(operator, known[name], change))


def _plain(row: object) -> dict[str, Any]:
    return VolumeTypeOut.model_validate(row).model_dump(mode="json")
