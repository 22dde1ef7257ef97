"""The command line against a real database, as the operator's role."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner

from platforma.cli.main import app
from platforma.database.roles import DatabaseRole
from platforma.kit.crypto import new_key
from platforma.settings import load_settings
from tests.database.server import TestDatabase


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it answered to `--json`."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(fresh_database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run `platforma` with arguments, in this process, with the operator's settings."""
    monkeypatch.setenv("PLATFORMA_DATABASE__OPERATOR", fresh_database.url(DatabaseRole.OPERATOR))
    monkeypatch.setenv("PLATFORMA_PEPPER", new_key())
    monkeypatch.setenv("PLATFORMA_PUBLIC_SCHEME", "http")
    monkeypatch.setenv("PLATFORMA_PUBLIC_PORT", "8080")
    handlers = logging.root.handlers[:]
    level = logging.root.level

    def run(*arguments: str, text: str | None = None) -> Outcome:
        load_settings.cache_clear()
        result = CliRunner().invoke(app, ["--log-level=error", *arguments], input=text)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    yield run
    load_settings.cache_clear()
    logging.root.handlers = handlers
    logging.root.setLevel(level)
