"""Icons, written into the page: no request of their own, and they take the colour of the text."""

import re
from functools import cache
from importlib.resources import files

from markupsafe import Markup

_SHAPES = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@cache
def icon(name: str, *, size: int = 16) -> Markup:
    """Return an icon of `static/vendor/lucide`. It is hidden from screen readers: say the same in words beside it."""
    text = (files("platforma.portal") / "static" / "vendor" / "lucide" / f"{name}.svg").read_text()
    found = _SHAPES.search(text)
    if found is None:
        raise ValueError(f"{name}.svg is no drawing.")
    shapes = re.sub(r"\s*\n\s*", "", found.group(1))
    return Markup(  # noqa: S704 (a file of this package and a number)
        f'<svg class="icon" width="{size}" height="{size}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        f'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">'
        f"{shapes}</svg>"
    )
