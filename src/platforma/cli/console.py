"""What the commands share: output for people and programs, errors as one sentence, the operator's database."""

import asyncio
import getpass
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from platforma.database.database import Database
from platforma.database.engine import DatabaseUrlError
from platforma.kit.problems import Problem
from platforma.operator.routes import Acting
from platforma.operator.schemas import Act
from platforma.operator.service import OperatorPrincipal
from platforma.settings import Settings, SettingsError, load_settings, need
from platforma.tenants.service import OperatorAct

Result = TypeVar("Result")
Wanted = TypeVar("Wanted", bound=BaseModel)

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Reason = Annotated[
    str | None, typer.Option(help="Why; kept in the operators' and the tenant's audit log. [default: who runs this]")
]

TenantReason = Annotated[
    str, typer.Option("--reason", help="Why; kept in the operators' and the tenant's audit log. 8 characters or more.")
]

_NO_ACCOUNT = UUID(int=0)
"""On the command line an operator is an account of the system, not of the plane."""

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def act(reason: str | None) -> OperatorAct:
    """Return who acts, and why, for the audit logs."""
    account = getpass.getuser()
    if reason is not None:
        reason = checked(Act, reason=reason).reason
    return OperatorAct(actor=f"{account} (command line)", reason=reason or f"command line, by {account}")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work; an expected error becomes one sentence on standard error and exit code 1."""
    try:
        return asyncio.run(work)
    except Problem as problem:
        wrong = [str(item["detail"]) for item in problem.extra.get("errors", ())]
        fail(" ".join([problem.detail or problem.title, *wrong]) if problem.detail or not wrong else " ".join(wrong))
    except (SettingsError, DatabaseUrlError) as error:
        fail(str(error))
    except DBAPIError as error:
        fail(f"The database refused or does not answer: {str(error.orig).strip()}")
    except SQLAlchemyError as error:
        fail(f"The database does not answer: {error}")


def settings() -> Settings:
    """Return this process's settings; ends with exit code 1 if they are wrong."""
    try:
        return load_settings()
    except SettingsError as error:
        fail(str(error))


@asynccontextmanager
async def operator_database() -> AsyncIterator[Database]:
    """Open the database as the operator's role."""
    database = Database(need(settings().database.operator, "DATABASE__OPERATOR"), pool_size=2)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def acting(reason: str | None) -> AsyncIterator[Acting]:
    """Act as whoever runs this, in the services of the operator's plane."""
    doer = act(reason)
    async with operator_database() as database:
        yield Acting(OperatorPrincipal(_NO_ACCOUNT, doer.actor, doer.actor), database, settings(), doer.reason)


def checked(model: type[Wanted], **values: Any) -> Wanted:
    """Return what is wanted; ends with exit code 1 if it is malformed."""
    try:
        return model(**values)
    except ValidationError as error:
        fail(" ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}." for item in error.errors()))


def show(result: Any, as_json: bool, words: str | Callable[[], str]) -> None:
    """Print a result, as JSON or in words."""
    if as_json:
        typer.echo(json.dumps(result, default=_plain))
    else:
        typer.echo(words if isinstance(words, str) else words())


def show_table(rows: Iterable[Mapping[str, Any]], columns: list[str], as_json: bool, empty: str) -> None:
    """Print rows, as JSON or as a table; `empty` says what to do when there are none."""
    listed = [dict(row) for row in rows]
    if as_json:
        typer.echo(json.dumps(listed, default=_plain))
    elif not listed:
        typer.echo(empty)
    else:
        table = Table(box=None, pad_edge=False)
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in listed:
            table.add_row(*("" if row.get(column) is None else str(_plain(row[column])) for column in columns))
        _out.print(table)


def _plain(value: object) -> str:
    """Return a value as text; moments in UTC, as ISO 8601 has them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask before a loss; ends with exit code 1 unless the answer is yes."""
    if not is_sure and not typer.confirm(question):
        fail("Nothing was changed.")


def fail(sentence: str) -> NoReturn:
    """Say what is wrong, and end with exit code 1."""
    _err.print(f"platforma: {sentence}", markup=False, highlight=False)
    raise typer.Exit(1)
