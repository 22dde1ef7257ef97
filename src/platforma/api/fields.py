"""Fields that many schemas share: text that a database can store and a person can read."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, StringConstraints


def _printable(text: str) -> str:
    if any(not character.isprintable() for character in text):
        raise ValueError("Use printable characters only.")
    return text


def _text(text: str) -> str:
    if any(not character.isprintable() and character not in "\n\t\r" for character in text):
        raise ValueError("Use printable characters, tabs and line breaks only.")
    return text


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(_printable)
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000), AfterValidator(_text)]


ShortDescription = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255), AfterValidator(_text)]
"""A description that the cloud keeps too, and no longer than it takes."""


Integer = Annotated[int, Strict()]
"""A number as JSON writes one: neither a text nor a truth."""
Boolean = Annotated[bool, Strict()]
"""`true` or `false`: neither a text nor a number."""


class Input(BaseModel):
    """What comes in: unknown fields are refused, so that none is silently ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class Output(BaseModel):
    """What goes out: exactly these fields."""

    model_config = ConfigDict(from_attributes=True)


__all__ = ["Boolean", "Description", "Field", "Input", "Integer", "Name", "Output", "ShortDescription"]
