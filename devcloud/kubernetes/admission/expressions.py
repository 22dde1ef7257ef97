"""Expressions of CEL, compiled once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cel


class ExpressionError(Exception):
    """The expression cannot be compiled, or has no value for what it is asked about."""


@lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    try:
        return cel.compile(expression)
    except Exception as error:  # whatever the library raises means that it is no expression
        raise ExpressionError(f"compilation failed: {error}") from error


def check(expression: str) -> None:
    """Raise ExpressionError if this is no expression."""
    _compiled(expression)


def evaluate(expression: str, variables: dict[str, Any]) -> Any:
    """Return the value of an expression; raises ExpressionError."""
    program = _compiled(expression)
    try:
        return program.execute(variables)
    except Exception as error:  # whatever the library raises means that there is no value
        raise ExpressionError(str(error)) from error
