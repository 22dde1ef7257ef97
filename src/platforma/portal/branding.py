"""A client's brand, and the portal that a host leads to. Whatever is in the database, only checked values get out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from platforma.api.routes import database_of
from platforma.kit.problems import NotFound
from platforma.portal.colours import BLACK, Colour, distinct, readable, text_on

DEFAULT_ACCENT = Colour.parse("#3355d1")
_LIGHT = (Colour.parse("#ffffff"), Colour.parse("#f5f6f8"))
_DARK = (Colour.parse("#171b22"), Colour.parse("#0f1217"))
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


class UnknownPortal(NotFound):
    """No active portal answers at this host. Nothing of any portal is shown."""


@dataclass(frozen=True)
class Brand:
    """What a portal looks like."""

    accent: Colour = DEFAULT_ACCENT
    support_email: str | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Brand":
        """Take what is well-formed in a portal's `brand` (`accent`, `support_email`), and defaults for the rest."""
        accent, email = stored.get("accent"), stored.get("support_email")
        try:
            colour = Colour.parse(accent) if isinstance(accent, str) else DEFAULT_ACCENT
        except ValueError:
            colour = DEFAULT_ACCENT
        return cls(colour, email if isinstance(email, str) and _EMAIL.fullmatch(email) else None)

    def stylesheet(self) -> str:
        """Return the brand's custom properties, for light and for dark. Made of numbers alone."""
        light, dark = self._properties(_LIGHT), self._properties(_DARK)
        return f":root{{{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n"

    def _properties(self, surfaces: tuple[Colour, Colour]) -> str:
        surface, ground = surfaces
        soft = surface.mixed(self.accent, 0.12)
        button = distinct(self.accent, ground)
        hover = button.mixed(BLACK, 0.14)
        return ";".join(
            (
                f"--brand:{button}",
                f"--brand-hover:{hover}",
                f"--on-brand:{text_on(button)}",
                f"--on-brand-hover:{text_on(hover)}",
                f"--brand-text:{readable(self.accent, surface, ground, soft)}",
                f"--brand-soft:{soft}",
            )
        )


@dataclass(frozen=True)
class PortalView:
    """The active portal of a request's host."""

    title: str
    canonical_host: str
    brand: Brand
    has_kubernetes: bool = False
    """Whether the operator has connected a Kubernetes cluster."""

    @property
    def initial(self) -> str:
        """The first letter of the title, which stands where there is no logo."""
        return next((character for character in self.title if character.isalnum()), "·").upper()


async def find_portal(request: Request) -> PortalView:
    """Return the portal of the request's host, looked up once per request; raises UnknownPortal."""
    known = getattr(request.state, "portal", None)
    if isinstance(known, PortalView):
        return known
    row = await database_of(request).call_gate("find_portal", host=request.state.host)
    if row is None:
        raise UnknownPortal
    request.state.portal = PortalView(row.title, row.canonical_host, Brand.read(row.brand), row.has_kubernetes)
    return request.state.portal  # type: ignore[no-any-return]
