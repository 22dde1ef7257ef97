"""`platforma report`."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from platforma.cli.console import Json, fail, show
from platforma.verification.lab import LabResultInvalid, read_lab_result
from platforma.verification.reports.formats import FORMATS
from platforma.verification.reports.report import count_bypasses, make_report
from platforma.verification.reports.signing import ReportError, new_signing_key, open_report, sign_report

app = typer.Typer(help="Signed reports of verifications.", no_args_is_help=True)

PublicKey = Annotated[Path, typer.Option("--public-key", help="The signer's public key, as PEM.")]


@app.command("key")
def make_key(
    private: Annotated[Path, typer.Argument(help="Where to write the private key; the public one goes to FILE.pub.")],
) -> None:
    """Make a key to sign reports with."""
    secret, public = new_signing_key()
    try:
        file = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        fail(f"{private} cannot be made: {error.strerror}.")
    with os.fdopen(file, "wb") as stream:
        stream.write(secret)
    shown = private.with_name(f"{private.name}.pub")
    shown.write_bytes(public)
    typer.echo(f"Keep {private} secret; give {shown} to whoever verifies reports.")


@app.command("make")
def make(
    verification: Annotated[Path, typer.Argument(help="What platforma verify --json wrote.")],
    output: Annotated[Path, typer.Argument(help="Where to write the signed report.")],
    key: Annotated[Path, typer.Option(help="The private key, as platforma report key made it.")],
    lab: Annotated[Path | None, typer.Option(help="What make lab wrote, as .platforma/lab.json.")] = None,
) -> None:
    """Make a signed report of a verification, with what the packet lab has last found beside it."""
    try:
        result = read_lab_result(lab, datetime.now(UTC)) if lab is not None else None
        if lab is not None and result is None:
            raise ReportError(f"There is no {lab}.")
        signed = sign_report(make_report(_read(verification), result), _bytes(key))
    except (ReportError, LabResultInvalid, KeyError, TypeError, ValueError) as error:
        fail(str(error))
    output.write_text(json.dumps(signed, indent=2, ensure_ascii=False) + "\n")


@app.command("verify")
def verify(
    report: Annotated[Path, typer.Argument(help="A signed report.")], public_key: PublicKey, as_json: Json = False
) -> None:
    """Say whether a report is as it was signed. Needs no network and no settings. Exit code 0 only if it is."""
    found = _open(report, public_key)
    shown = {name: found[name] for name in ("started", "finished", "verdict", "counts", "coverage")}
    counts = ", ".join(f"{count} {name}" for name, count in found["counts"].items())
    show(shown, as_json, f"Signed as it is. {found['started']}: {found['verdict']} ({counts}).")


@app.command("show")
def render(
    report: Annotated[Path, typer.Argument(help="A signed report.")],
    output: Annotated[Path, typer.Argument(help="Where to write it.")],
    public_key: PublicKey,
    form: Annotated[str, typer.Option("--as", help="html, sarif or junit.")] = "html",
) -> None:
    """Write a report for people or programs, after verifying it."""
    if form not in FORMATS:
        raise typer.BadParameter(f"The forms are {', '.join(FORMATS)}.", param_hint="--as")
    output.write_text(FORMATS[form](_open(report, public_key)))


@app.command("count")
def count(
    reports: Annotated[list[Path], typer.Argument(help="Signed reports.")], public_key: PublicKey, as_json: Json = False
) -> None:
    """Count the different bypasses in reports, after verifying each: the public number, which nobody types."""
    found = count_bypasses([_open(report, public_key) for report in reports])
    words = f"Bypasses in production: {found['bypasses']} since {found['since'][:10]}"
    words += f" ({found['verifications']} verifications, {found['whole']} of them whole)."
    show(found, as_json, words)


def _open(report: Path, public_key: Path) -> dict[str, Any]:
    try:
        return open_report(_read(report), _bytes(public_key))
    except ReportError as error:
        fail(f"{report}: {error}")


def _read(path: Path) -> Any:
    try:
        return json.loads(_bytes(path))
    except ValueError:
        fail(f"{path} is not JSON.")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.")
