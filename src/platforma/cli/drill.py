"""`platforma drill`: walls are taken away from a disposable copy, one at a time, and it is attacked each time."""

import asyncio
import json
import secrets
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console

from platforma.cli.console import fail
from platforma.database.embedded import EmbeddedPostgres
from platforma.database.migrate import create_database, create_roles
from platforma.database.migrate import migrate as migrate_database
from platforma.database.roles import DatabaseRole
from platforma.kit.logs import configure_logs
from platforma.models import Base
from platforma.verification.drill.faults import FAULTS, Fault, by_name
from platforma.verification.drill.knockouts import Knockout, holds, knocked_out

TEMPLATE = "platforma_drill"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "scram_iterations": "1"}
_SECONDS = 600.0
_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def drill(
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything that was found to this file, as JSON.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this fault, by its name. May be repeated.")] = None,
    at_once: Annotated[int, typer.Option(min=1, max=32, help="How many knock-outs run side by side.")] = 2,
) -> None:
    """Take one wall after another from a disposable copy. Exit code 0 only if all was noticed, nothing disclosed."""
    configure_logs(level="error")
    known = by_name()
    unknown = sorted(set(only or ()) - known.keys())
    if unknown:
        fail(f"There is no fault {', '.join(unknown)}. They are: {'; '.join(known)}.")
    faults = [fault for fault in FAULTS if not only or fault.name in only]
    with tempfile.TemporaryDirectory(prefix="platforma-drill-", ignore_cleanup_errors=True) as directory:
        copies = Copies(Path(directory) / "data")
        try:
            found, unproven = asyncio.run(_drill(copies, faults, at_once))
        except DrillError as error:
            fail(str(error))
        finally:
            copies.end()
    if json_file is not None:
        json_file.write_text(json.dumps({"knockouts": [each.plain() for each in found]}, indent=2) + "\n")
    disclosed = sum(len(each.disclosures) for each in found)
    unnoticed = [each.fault for each in found if not each.is_detected]
    _out.print(f"{len(found)} walls taken away: {disclosed} disclosures, {len(unnoticed)} unnoticed.")
    if broken := [each.fault for each in found if each.broken]:
        _out.print(f"Too much was broken to attack B: {'; '.join(broken)}.", markup=False, highlight=False)
    if disclosed or unnoticed or unproven:
        raise typer.Exit(1)


class DrillError(Exception):
    """The copy cannot be made, or does not hold even with all its walls; the sentence says what."""


class Copies:
    """A PostgreSQL server of the drill's own, with as many copies of an empty installation as it takes."""

    def __init__(self, directory: Path) -> None:
        directory.parent.chmod(0o755)
        self._postgres = EmbeddedPostgres(directory, _FAST)
        self._password = secrets.token_urlsafe(24)
        create_roles(self._postgres.administrator_url, dict.fromkeys(DatabaseRole, self._password), TEMPLATE)
        migrate_database(self._postgres.url(DatabaseRole.OWNER, TEMPLATE, self._password), Base.metadata)

    def make(self) -> dict[str, str]:
        """Make a copy, and return the URLs of each role and of the superuser."""
        name = f"drill_{secrets.token_hex(6)}"
        with psycopg.connect(self._postgres.administrator_url, autocommit=True) as connection:
            create_database(connection, name, template=TEMPLATE)
        urls = {role.short: self._postgres.url(role, name, self._password) for role in DatabaseRole}
        return urls | {"administrator": self._postgres.administrator_url_of(name)}

    def end(self) -> None:
        """Stop the server."""
        self._postgres.stop()


async def _drill(copies: Copies, faults: list[Fault], at_once: int) -> tuple[list[Knockout], list[str]]:
    """Return what came of each knock-out, and what is not proven even with all walls."""
    whole = await _run(copies, None)
    if whole["faulty"] and holds(whole):
        _err.print(
            f"not proven with all walls, and so once more: {'; '.join(whole['faulty'] + whole['details'])}",
            markup=False,
        )
        whole = await _run(copies, None)
    if not holds(whole):
        raise DrillError(f"With all walls the copy does not hold: {'; '.join(whole['faulty'] + whole['disclosures'])}")
    unproven: list[str] = whole["faulty"]
    words = f"NOT PROVEN: {'; '.join(unproven + whole['details'])}" if unproven else "all held"
    _err.print(f"with all walls: {whole['probes']} attacks, {words}", markup=False, highlight=False)
    turns = asyncio.Semaphore(at_once)

    async def knock_out(fault: Fault) -> Knockout:
        async with turns:
            report = await _run(copies, fault)
        found = knocked_out(str(fault.layer), fault.name, report, whole["faulty"])
        words = "noticed" if found.is_detected else "NOT NOTICED"
        line = f"{fault.layer}: {fault.name}: {words}, {len(found.disclosures)} disclosures"
        _err.print(line, markup=False, highlight=False)
        for each in (*found.disclosures[:3], *found.noticed[:3]):
            _err.print(f"    {each}"[:300], markup=False, highlight=False)
        return found

    return list(await asyncio.gather(*(knock_out(fault) for fault in faults))), unproven


async def _run(copies: Copies, fault: Fault | None) -> dict[str, Any]:
    """Attack a copy in a process of its own; raises DrillError if that breaks off."""
    asked = {"fault": fault.name if fault else None, "urls": await asyncio.to_thread(copies.make)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "platforma.cli.drilling",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, errors = await process.communicate(json.dumps(asked).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise DrillError(f"{asked['fault'] or 'The copy with all walls'} took longer than {_SECONDS:.0f} s.") from None
    if process.returncode != 0:
        words = errors.decode(errors="replace").strip()[-1500:]
        raise DrillError(f"{asked['fault'] or 'The copy with all walls'} broke off: {words}")
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return report
