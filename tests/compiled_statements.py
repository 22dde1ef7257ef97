"""Statements that were compiled once are not compiled again by the engines of the next test.

SQLAlchemy keeps them per engine, and each test has engines of its own: compiling took a tenth of all time. All
engines here have the same dialect, so that its place in the key can be left out.
"""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache


class CompiledStatements(LRUCache[Any, Any]):
    """Compiled statements by what they say, whichever engine asks."""

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a compiled statement."""
        return super().get(key[1:], default)

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key[1:])

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[1:], value)


_SHARED = CompiledStatements(2000)


@event.listens_for(Engine, "engine_connect")
def share(connection: Connection) -> None:
    """Have this connection look where all look."""
    connection.execution_options(compiled_cache=_SHARED)
