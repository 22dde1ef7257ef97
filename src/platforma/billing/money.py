"""Money: integers of a currency's smallest unit, made of exact fractions by the one rule of rounding."""

from decimal import Decimal
from fractions import Fraction

ZERO_DECIMAL = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)
THREE_DECIMAL = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""Currencies (ISO 4217) whose smallest unit is not a hundredth."""


def exponent_of(currency: str) -> int:
    """Return how many decimals a currency has."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def to_minor(amount: Fraction, currency: str) -> int:
    """Round an amount in the currency's major unit to its smallest unit, halves away from zero.

    It is done to each line and to the tax of a whole invoice, and nowhere else.
    """
    doubled = abs(amount) * Fraction(2 * 10 ** exponent_of(currency))
    rounded = (doubled.numerator // doubled.denominator + 1) // 2
    return rounded if amount >= 0 else -rounded


def to_major(minor: int, currency: str) -> Decimal:
    """Return an amount in the currency's major unit, with all its decimals."""
    return Decimal(minor).scaleb(-exponent_of(currency))


def in_words(minor: int, currency: str) -> str:
    """Return an amount as people read it: `1,234.50 EUR`."""
    return f"{to_major(minor, currency):,} {currency}"
