"""Colours: a brand has one, and everything that has to be readable on it or in it is derived.

Source: WCAG 2.2, relative luminance and contrast ratio; success criterion 1.4.3 asks for 4.5 for text, 1.4.11 for
3 for shapes.
"""

import re
from dataclasses import dataclass

READABLE = 4.5
DISTINCT = 3.0
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Colour:
    """An sRGB colour of three bytes."""

    red: int
    green: int
    blue: int

    @classmethod
    def parse(cls, text: str) -> "Colour":
        """Read `#rrggbb`; raises ValueError for anything else."""
        if not _HEX.fullmatch(text):
            raise ValueError("A colour is written as #rrggbb.")
        return cls(int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    def mixed(self, other: "Colour", share: float) -> "Colour":
        """Return this colour with a share (0 to 1) of another in it."""
        pairs = zip(
            (self.red, self.green, self.blue),
            (other.red, other.green, other.blue),
            strict=True,
        )
        return Colour(*(round(mine + (theirs - mine) * share) for mine, theirs in pairs))

    @property
    def luminance(self) -> float:
        """Relative luminance, 0 for black to 1 for white."""
        red, green, blue = (_linear(channel / 255) for channel in (self.red, self.green, self.blue))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue


WHITE = Colour(255, 255, 255)
BLACK = Colour(0, 0, 0)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((one.luminance, other.luminance), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def text_on(background: Colour) -> Colour:
    """Return white or black, whichever is easier to read on a background: one of the two always has 4.5."""
    return WHITE if contrast(WHITE, background) >= READABLE else BLACK


def readable(colour: Colour, *backgrounds: Colour) -> Colour:
    """Return the colour, darkened or lightened just as much as it takes to read text in it on all backgrounds."""
    return _moved_away(colour, backgrounds, READABLE)


def distinct(colour: Colour, *backgrounds: Colour) -> Colour:
    """Return the colour, darkened or lightened just as much as it takes to see a shape in it on all backgrounds."""
    return _moved_away(colour, backgrounds, DISTINCT)


def _moved_away(colour: Colour, backgrounds: tuple[Colour, ...], ratio: float) -> Colour:
    towards = BLACK if min(background.luminance for background in backgrounds) > 0.18 else WHITE
    for step in range(101):
        candidate = colour.mixed(towards, step / 100)
        if all(contrast(candidate, background) >= ratio for background in backgrounds):
            return candidate
    return towards


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
