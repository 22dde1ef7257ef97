"""What is not furnished or not named is a hole in the verification; and what it says in numbers is right."""

from typing import Any

import pytest

from platforma.verification.collection import NOBODYS, collect_belongings, collect_probes
from platforma.verification.engine import Finding, Verification
from platforma.verification.timing import SIGNIFICANCE, sign_test
from tests.isolation.conftest import OPERATIONS

GUARDED = [each for each in OPERATIONS if each.permission is not None]


def test_every_id_that_can_be_named_is_somebodys() -> None:
    """A new kind of thing that no package furnishes canaries with is a hole in the verification."""
    belongings = collect_belongings()
    known = {name for each in belongings for name in (each.name, *each.aliases)} | NOBODYS | {"operation_id"}
    named = {place.name for each in GUARDED for place in each.id_places()}
    assert named <= known


def test_belongings_and_probes_are_named_once() -> None:
    for names in ([each.name for each in collect_belongings()], [each.id for each in collect_probes()]):
        assert len(names) == len(set(names))


def test_the_sign_test_is_one() -> None:
    assert sign_test(30, 60) == 1.0
    assert sign_test(60, 60) == pytest.approx(2 / 2**60)
    assert sign_test(44, 60) > SIGNIFICANCE > sign_test(47, 60)


def test_nothing_found_is_not_safe() -> None:
    empty: tuple[Finding, ...] = ()
    moment: Any = None
    assert not Verification(moment, moment, empty).is_safe
