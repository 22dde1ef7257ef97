"""`platforma operator`."""

import sys
from typing import Annotated
from uuid import UUID

import typer

from platforma.authentication.passwords import PasswordStretcher
from platforma.cli.console import Json, operator_database, run, settings, show
from platforma.operator import service
from platforma.settings import need

app = typer.Typer(help="People who run this installation.", no_args_is_help=True)


@app.callback()
def operators() -> None:
    """People who run this installation."""


@app.command("create")
def create_operator(
    email: Annotated[str, typer.Argument(help="The sign-in name.")],
    name: Annotated[str, typer.Option(help="The person's name. [default: the e-mail]")] = "",
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
    as_json: Json = False,
) -> None:
    """Create an operator, who signs in at the operator's own host. Asks for the password."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)

    async def work() -> UUID:
        stretcher = PasswordStretcher(need(settings().pepper, "PEPPER"))
        async with operator_database() as database:
            return await service.create_operator(database, stretcher, email, name or email, password)

    created = run(work())
    show({"id": created, "email": email}, as_json, f"{email} may sign in at {settings().operator_host}.")
