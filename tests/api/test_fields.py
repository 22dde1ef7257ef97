"""What comes in is taken as JSON writes it."""

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import Strict

import platforma.app
import platforma.operator.application  # noqa: F401 (its schemas are to be known)
from platforma.api.fields import Input
from platforma.portal.forms import FormInput
from platforma.storage.schemas import VolumeCreate


def inputs(base: type[Input] = Input) -> Iterator[type[Input]]:
    """Every body of the API; forms, in which all is text, are none."""
    for model in base.__subclasses__():
        if not issubclass(model, FormInput) and model.__module__.startswith("platforma."):
            yield model
            yield from inputs(model)


def is_strict(model: type[Input], name: str) -> bool:
    field = model.model_fields[name]
    kinds = get_args(field.annotation) or (field.annotation,)
    if not any(kind in (int, bool) for kind in kinds):
        return True
    nested = [item for kind in kinds for item in getattr(kind, "__metadata__", ())]
    return any(isinstance(item, Strict) for item in (*field.metadata, *nested))


@pytest.mark.parametrize("model", list(inputs()), ids=lambda model: model.__name__)
def test_numbers_and_truths_are_not_guessed(model: type[Input]) -> None:
    assert [name for name in model.model_fields if not is_strict(model, name)] == []


@pytest.mark.parametrize("size", ["1", True, 1.0, "x", None, [1]])
def test_a_size_is_a_number(size: Any) -> None:
    with pytest.raises(ValueError, match="size_gib"):
        VolumeCreate.model_validate({"name": "data", "size_gib": size})
