"""Pictures that clients upload, made anew so that nothing of what was sent is served: neither script nor metadata.

Raster images are decoded within limits and encoded again by Pillow. SVG is parsed without DTD and entities, and written
anew of the elements and attributes that draw and of nothing else; what would act, load or embed is refused.
"""

import io
import re
import warnings
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]
from PIL import Image, ImageOps

from platforma.kit.problems import Problem
from platforma.portal.branding import ImageKind

LARGEST_FILE = 1 << 20
LARGEST_SVG = 128 << 10
MOST_PIXELS = 12_000_000
LONGEST_SIDE = 6000
MOST_ELEMENTS = 3000
DEEPEST = 24

_SVG = "{http://www.w3.org/2000/svg}"
_ELEMENT_WORDS = """
svg g path rect circle ellipse line polyline polygon text tspan defs linearGradient radialGradient stop clipPath mask
title desc
"""
_DRAWS = frozenset(_ELEMENT_WORDS.split())
_DESCRIBES = frozenset({"metadata", "namedview"})
"""What editors leave behind: it draws nothing, and is left out."""
_ATTRIBUTE_WORDS = """
id d x y x1 y1 x2 y2 cx cy r rx ry fx fy width height viewBox preserveAspectRatio points transform gradientTransform
gradientUnits spreadMethod clipPathUnits maskUnits maskContentUnits offset pathLength dx dy rotate textLength
fill fill-opacity fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-miterlimit
stroke-dasharray stroke-dashoffset opacity color stop-color stop-opacity clip-path clip-rule mask display visibility
font-family font-size font-weight font-style text-anchor letter-spacing dominant-baseline vector-effect
shape-rendering paint-order
"""
_ATTRIBUTES = frozenset(_ATTRIBUTE_WORDS.split())
_VALUE = re.compile(r"[\w\s.,#%()+\-'\"]*")
_REFERENCE = re.compile(r"url\(\s*['\"]?#[\w.-]+['\"]?\s*\)")


class BadImage(Problem):
    """An upload that is not taken; the sentence says why."""

    status = 422
    type = "bad-image"
    title = "This picture cannot be used"


_SIDES = {ImageKind.LOGO: 640, ImageKind.LOGO_DARK: 640, ImageKind.FAVICON: 192, ImageKind.PICTURE: 1600}


@dataclass(frozen=True)
class CleanImage:
    """A picture that may be served."""

    media_type: str
    content: bytes


def clean_image(content: bytes, kind: ImageKind) -> CleanImage:
    """Return the picture made anew; raises BadImage."""
    if len(content) > LARGEST_FILE:
        raise BadImage(f"A picture has at most {LARGEST_FILE >> 10} KiB.")
    start = content[:400].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return CleanImage("image/svg+xml", _clean_svg(content))
    return _clean_raster(content, _SIDES[kind])


def _clean_raster(content: bytes, side: int) -> CleanImage:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as sent:
                width, height = sent.size
                if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
                    raise BadImage(
                        f"It has {width} × {height} pixels: at most {MOST_PIXELS // 1_000_000} million are taken."
                    )
                has_alpha = "A" in sent.getbands() or "transparency" in sent.info
                plain = ImageOps.exif_transpose(sent).convert("RGBA" if has_alpha else "RGB")
    except BadImage:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage("Send a PNG, JPEG or WebP picture, or an SVG drawing.") from error
    plain.thumbnail((side, side))
    fresh = Image.frombytes(plain.mode, plain.size, plain.tobytes())  # without what the file said beside its pixels
    made = io.BytesIO()
    if has_alpha or side < 1000:
        fresh.save(made, "PNG", optimize=True)
        media_type = "image/png"
    else:
        fresh.save(made, "JPEG", quality=84, optimize=True)
        media_type = "image/jpeg"
    if made.tell() > LARGEST_FILE:
        raise BadImage(f"It has more than {LARGEST_FILE >> 10} KiB even when it is made smaller.")
    return CleanImage(media_type, made.getvalue())


def _clean_svg(content: bytes) -> bytes:
    if len(content) > LARGEST_SVG:
        raise BadImage(f"A drawing has at most {LARGEST_SVG >> 10} KiB.")
    try:
        root = fromstring(content.decode("utf-8"), forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except (DefusedXmlException, ParseError, UnicodeError, ValueError, RecursionError) as error:
        raise BadImage("It is no SVG drawing that can be read: well-formed XML in UTF-8, without a DTD.") from error
    if root.tag != f"{_SVG}svg":
        raise BadImage("It is no SVG drawing.")
    budget = [MOST_ELEMENTS]
    clean = Element("svg")
    _copy(root, clean, budget, DEEPEST)
    if "viewBox" not in clean.attrib and not {"width", "height"} <= set(clean.attrib):
        raise BadImage("The drawing says neither its viewBox nor its width and height.")
    clean.set("xmlns", "http://www.w3.org/2000/svg")
    return str(tostring(clean, encoding="unicode")).encode()


def _copy(source: Element, target: Element, budget: list[int], depth: int) -> None:
    budget[0] -= 1
    if budget[0] < 0 or depth == 0:
        raise BadImage(f"A drawing has at most {MOST_ELEMENTS} elements, {DEEPEST} deep.")
    for name, value in _attributes(source):
        if _REFERENCE.sub("", value).lower().count("url") or not _VALUE.fullmatch(value):
            raise BadImage(f"{_short(source.tag)} has {name}=“{value[:60]}”, which is not taken.")
        target.set(name, value)
    target.text = source.text
    for child in source:
        name = child.tag.removeprefix(_SVG)
        if name in _DRAWS and name != "svg":
            made = SubElement(target, name)
            _copy(child, made, budget, depth - 1)
            made.tail = child.tail
        elif not child.tag.startswith(_SVG) and child.tag.startswith("{"):
            if _short(child.tag).lower() in ("script", "handler", "listener", "iframe", "foreignobject"):
                raise BadImage(f"The drawing has an element {_short(child.tag)}, which is not taken.")
        elif name not in _DESCRIBES:
            raise BadImage(f"The drawing has an element {name[:40]}, which is not taken. Draw with paths and shapes.")


def _attributes(source: Element) -> list[tuple[str, str]]:
    """Return what an element says of how it is drawn; its `style`, taken apart. Raises BadImage for what would act."""
    found = []
    for name, value in source.attrib.items():
        plain = _short(name).lower()
        if plain.startswith("on") or plain in ("href", "src", "base"):
            raise BadImage(f"{_short(source.tag)} has an attribute {plain[:40]}, which is not taken.")
        if name == "style":
            found += [_declaration(part, source) for part in value.split(";") if part.strip()]
        elif name in _ATTRIBUTES:
            found.append((name, value))
    return [(name, value) for name, value in found if name in _ATTRIBUTES]


def _declaration(text: str, source: Element) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise BadImage(f"{_short(source.tag)} has a style that cannot be read.")
    return name.strip(), value.strip()


def _short(tag: str) -> str:
    return tag.rpartition("}")[2][:40]
