"""Quantities such as `500m`, `128Mi` and `2`, and how the API server writes them.

Docs: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import Decimal

from devcloud.kubernetes.problems import bad_request

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    **{f"{letter}i": Decimal(1024 ** (power + 1)) for power, letter in enumerate("KMGTPE")},
}
_QUANTITY = re.compile(r"^([+-]?\d+(?:\.\d*)?)(?:([a-zA-Z]{1,2})|[eE]([+-]?\d+))?$")


def quantity(text: str | float) -> Decimal:
    """Return a quantity's value; raises ApiProblem (400)."""
    found = _QUANTITY.match(str(text))
    if not found or (found[2] or "") not in _SUFFIXES:
        raise bad_request("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    return Decimal(found[1]) * (Decimal(10) ** int(found[3]) if found[3] else _SUFFIXES[found[2] or ""])


def shown(value: Decimal, name: str = "") -> str:
    """Return a value as a status shows it: bytes in binary units, parts of a CPU in thousandths."""
    if value != value.to_integral_value():
        return f"{int((value * 1000).to_integral_value())}m"
    whole = int(value)
    if "memory" in name or "storage" in name:
        for suffix in ("Gi", "Mi", "Ki"):
            unit = int(_SUFFIXES[suffix])
            if whole and whole % unit == 0:
                return f"{whole // unit}{suffix}"
    return str(whole)


def canonical(text: str) -> str:
    """Return a quantity as the API server stores it: without a fraction, in the largest unit that fits."""
    found = _QUANTITY.match(str(text))
    suffix = (found[2] or "") if found else ""
    value = quantity(text)
    if suffix.endswith("i") or suffix in ("", "m", "k", "M", "G", "T", "P", "E"):
        if suffix.endswith("i"):
            for unit in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
                if value and value % _SUFFIXES[unit] == 0:
                    return f"{int(value / _SUFFIXES[unit])}{unit}"
            return str(int(value))
        for unit in ("E", "P", "T", "G", "M", "k", ""):
            if value % _SUFFIXES[unit] == 0 and (value or unit == ""):
                return f"{int(value / _SUFFIXES[unit])}{unit}"
        return f"{int(value * 1000)}m"
    return str(text)
