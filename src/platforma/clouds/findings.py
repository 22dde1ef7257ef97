"""What an examination of a cloud finds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, and how it is."""

    subject: str
    is_good: bool
    message: str
