"""A client's brand, and the portal that a host leads to. Whatever is in the database, only checked values get out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from platforma.api.routes import database_of
from platforma.kit.problems import NotFound
from platforma.portal.colours import BLACK, Colour, contrast, distinct, readable, text_on

DEFAULT_ACCENT = Colour.parse("#3355d1")
_LIGHT = (Colour.parse("#ffffff"), Colour.parse("#f5f6f8"))
_DARK = (Colour.parse("#171b22"), Colour.parse("#0f1217"))
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
SENDER = re.compile(r"[^\x00-\x1f\x7f\"<>@,;:\\]{1,80}")
TEXT = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f]{1,1000}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LINK = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/?#-]*)?")


class ImageKind(StrEnum):
    """What a portal's pictures are for."""

    LOGO = "logo"
    LOGO_DARK = "logo_dark"
    FAVICON = "favicon"
    PICTURE = "picture"


TEXTS: Mapping[str, re.Pattern[str]] = {
    "support_email": EMAIL,
    "support_url": _LINK,
    "terms_url": _LINK,
    "privacy_url": _LINK,
    "welcome": TEXT,
    "mail_sender": SENDER,
    "mail_footer": TEXT,
}
"""What a brand says, and how it has to look."""


def is_link(text: str) -> bool:
    """Say whether a text is the address of a page that browsers may be led to: over TLS, and without a user in it."""
    return len(text) <= 500 and _LINK.fullmatch(text) is not None and bool(urlsplit(text).hostname)


class UnknownPortal(NotFound):
    """No active portal answers at this host. Nothing of any portal is shown."""


@dataclass(frozen=True)
class Contrast:
    """How a brand's colour is used somewhere, and how well it is seen there."""

    where: str
    wanted: Colour
    used: Colour
    ratio: float


@dataclass(frozen=True)
class Brand:
    """What a portal looks like, and what it says."""

    accent: Colour = DEFAULT_ACCENT
    accent_dark: Colour | None = None
    """In dark surroundings, where it is another."""
    support_email: str | None = None
    support_url: str | None = None
    terms_url: str | None = None
    privacy_url: str | None = None
    welcome: str | None = None
    """What is read beside the sign-in."""
    mail_sender: str | None = None
    """The name that mails come from."""
    mail_footer: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """The digests of its pictures, by kind."""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Brand":
        """Take what is well-formed in a portal's `brand`, and defaults for the rest."""
        files = stored.get("files")
        return cls(
            accent=_colour(stored.get("accent")) or DEFAULT_ACCENT,
            accent_dark=_colour(stored.get("accent_dark")),
            files={
                kind: digest
                for kind, digest in (files.items() if isinstance(files, dict) else ())
                if kind in frozenset(ImageKind) and isinstance(digest, str) and _DIGEST.fullmatch(digest)
            },
            **{name: _text(stored.get(name), pattern) for name, pattern in TEXTS.items()},
        )

    def file(self, kind: str) -> str | None:
        """Return the address of a picture at the portal's own host."""
        digest = self.files.get(kind)
        return f"/brand/file?digest={digest}" if digest is not None else None

    def stylesheet(self) -> str:
        """Return the brand's custom properties, for light and for dark. Made of numbers alone."""
        light, dark = self._properties(self.accent, _LIGHT), self._properties(self.accent_dark or self.accent, _DARK)
        return f":root{{{light}}}\n@media(prefers-color-scheme:dark){{:root{{{dark}}}}}\n"

    def preview_stylesheet(self) -> str:
        """Return the same for two panes beside each other, whatever the reader's own surroundings."""
        light, dark = self._properties(self.accent, _LIGHT), self._properties(self.accent_dark or self.accent, _DARK)
        return f".preview-light{{{light}}}\n.preview-dark{{{dark}}}\n"

    def contrasts(self) -> list[Contrast]:
        """Return how the colours are used: darkened or lightened where they could not be seen or read as they are."""
        found = []
        for name, accent, (surface, ground) in (
            ("light", self.accent, _LIGHT),
            ("dark", self.accent_dark or self.accent, _DARK),
        ):
            button, soft = distinct(accent, ground), surface.mixed(accent, 0.12)
            text, on_button = readable(accent, surface, ground, soft), text_on(button)
            lowest = min(contrast(text, each) for each in (surface, ground, soft))
            found += [
                Contrast(f"buttons, {name}", accent, button, contrast(button, ground)),
                Contrast(f"text on buttons, {name}", on_button, on_button, contrast(on_button, button)),
                Contrast(f"links, {name}", accent, text, lowest),
            ]
        return found

    @staticmethod
    def _properties(accent: Colour, surfaces: tuple[Colour, Colour]) -> str:
        surface, ground = surfaces
        soft = surface.mixed(accent, 0.12)
        button = distinct(accent, ground)
        hover = button.mixed(BLACK, 0.14)
        return ";".join(
            (
                f"--brand:{button}",
                f"--brand-hover:{hover}",
                f"--on-brand:{text_on(button)}",
                f"--on-brand-hover:{text_on(hover)}",
                f"--brand-text:{readable(accent, surface, ground, soft)}",
                f"--brand-soft:{soft}",
            )
        )


def _colour(value: Any) -> Colour | None:
    try:
        return Colour.parse(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _text(value: Any, pattern: re.Pattern[str]) -> str | None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        return None
    return value if pattern is not _LINK or is_link(value) else None


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
