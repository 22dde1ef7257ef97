"""Quantities, such as `500m` and `2Gi`: one value may be written in several ways, and an API server chooses its own."""

import re
from decimal import Decimal, InvalidOperation

_UNITS = {
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "": Decimal(1),
}
_QUANTITY = re.compile(r"([0-9.]+)(m|k|M|G|T|Ki|Mi|Gi|Ti|)")


def quantity(text: str) -> Decimal:
    """Return a quantity's value, 0 for what is none."""
    found = _QUANTITY.fullmatch(text)
    try:
        return Decimal(found[1]) * _UNITS[found[2]] if found else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
