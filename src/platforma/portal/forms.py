"""Forms: what was typed, what is wrong with it, and in which words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, ConfigDict, model_validator
from starlette.datastructures import FormData

from platforma.api.fields import Input
from platforma.kit.problems import Problem

_MESSAGES = {
    "missing": "Fill this in.",
    "string_too_short": "Fill this in.",
    "too_short": "Choose at least one.",
    "uuid_parsing": "Choose one of these.",
    "int_parsing": "Enter a whole number.",
    "literal_error": "Choose one of these.",
    "enum": "Choose one of these.",
    "extra_forbidden": "This form has no such field.",
    "int_from_float": "Enter a whole number.",
    "date_from_datetime_parsing": "Enter a date.",
}

_BOUNDS = {
    "string_too_long": "Use at most {max_length} characters.",
    "too_long": "Choose at most {max_length}.",
    "greater_than_equal": "Enter {ge} or more.",
    "greater_than": "Enter more than {gt}.",
    "less_than_equal": "Enter {le} or less.",
    "less_than": "Enter less than {lt}.",
}

_PATTERNS = {
    "email": "Enter an e-mail address, such as ada@example.org.",
    "name": "Use lower-case letters, digits and hyphens; begin and end with a letter or digit.",
    "reason": "Write one line of text.",
    "password": "Use characters that can be typed.",
    "new_password": "Use characters that can be typed.",
}
"""What a field has to look like, by its name."""


class FormInput(Input):
    """A form. Browsers send a field that was left empty as an empty text: here it counts as not sent."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: value for name, value in data.items() if value != "" or name not in cls.model_fields}
        return data


def _is_ticked(value: Any) -> bool:
    if value in (True, "true", "True", "on"):
        return True
    if value in (False, "false", "False"):
        return False
    raise ValueError("Tick it or do not.")


Ticked = Annotated[bool, BeforeValidator(_is_ticked)]
"""A checkbox, which browsers send only if it is ticked: give the field the default False."""


@dataclass(frozen=True)
class Submission:
    """A form that was refused, as its page shows it again. Empty on a page that is just looked at."""

    action: str = ""
    """The path that the form was sent to: a page may have several forms."""
    typed: FormData = field(default_factory=FormData)
    errors: dict[str, str] = field(default_factory=dict)
    """What is wrong, by field; under the empty name, what is wrong with all of it."""
    problem: Problem | None = None

    def at(self, action: str) -> "Submission":
        """Return this if it was sent to `action`, else an empty one."""
        return self if self.action == action else Submission()

    @property
    def is_refused(self) -> bool:
        """Say whether something has to be mended."""
        return bool(self.errors) or self.problem is not None

    def value(self, name: str, default: object = "") -> str:
        """Return what was typed into a field, or its default on a page that is just looked at."""
        if self.action:
            typed = self.typed.get(name)
            return typed if isinstance(typed, str) else ""
        return "" if default is None else str(default)

    def has(self, name: str, value: object, default: Sequence[object] = ()) -> bool:
        """Say whether a choice is ticked or selected."""
        chosen = self.typed.getlist(name) if self.action else default
        return str(value) in [str(item) for item in chosen]

    def error(self, name: str) -> str | None:
        """Return what is wrong with a field."""
        return self.errors.get(name)


def describe_errors(error: RequestValidationError) -> dict[str, str]:
    """Say by field what is wrong with a form, in words for the person who fills it in."""
    found: dict[str, str] = {}
    for item in error.errors():
        place = [str(part) for part in item["loc"] if part != "body"]
        name = place[0] if place else ""
        found.setdefault(name, _describe(name, item["type"], item.get("ctx", {}), item["msg"]))
    return found


def _describe(name: str, kind: str, context: dict[str, Any], said: str) -> str:
    """Return what is wrong with a field in words; never a pattern or a type."""
    if kind == "string_too_short" and context["min_length"] > 1:
        return f"Use at least {context['min_length']} characters."
    for word, bound in _BOUNDS.items():
        if kind == word:
            return bound.format(**context)
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(name, "This is not written as it has to be.")
    if kind == "value_error":
        return said.removeprefix("Value error, ")
    return _MESSAGES.get(kind, "This cannot be used here.")


def describe_problem(problem: Problem) -> dict[str, str]:
    """Take the fields that a business error names."""
    errors = problem.extra.get("errors", ())
    return {str(item["where"]).removeprefix("body."): str(item["detail"]) for item in errors}
