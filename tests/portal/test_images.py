"""Uploads: what draws comes out anew, and nothing that acts, loads, tells or explodes comes out at all."""

import io
import zlib

import pytest
from PIL import Image, PngImagePlugin

from platforma.portal.branding import ImageKind
from platforma.portal.images import LARGEST_FILE, LARGEST_SVG, MOST_ELEMENTS, BadImage, clean_image

NS = 'xmlns="http://www.w3.org/2000/svg"'
HEAD = f'<svg {NS} viewBox="0 0 10 10"'


def svg(inside: str, attributes: str = "") -> bytes:
    return f"{HEAD} {attributes}>{inside}</svg>".encode()


def test_a_drawing_comes_out_as_it_looks() -> None:
    sent = (
        '<?xml version="1.0"?><!-- made by an editor --><?xml-stylesheet href="x"?>'
        f'<svg {NS} xmlns:i="http://www.inkscape.org/namespaces/inkscape" viewBox="0 0 10 10" i:version="1" class="x">'
        "<title>A &amp; B</title><metadata><p>who</p></metadata><i:grid/>"
        '<defs><linearGradient id="a"><stop offset="0" style="stop-color:#fff;-inkscape-x:1"/></linearGradient></defs>'
        '<g transform="translate(1,2)"><path d="M0 0L1 1Z" fill="url(#a)" data-x="1"/></g></svg>'
    ).encode()
    made = clean_image(sent, ImageKind.LOGO)
    assert made.media_type == "image/svg+xml"
    assert made.content.decode() == (
        f'<svg viewBox="0 0 10 10" {NS}><title>A &amp; B</title>'
        '<defs><linearGradient id="a"><stop offset="0" stop-color="#fff" /></linearGradient></defs>'
        '<g transform="translate(1,2)"><path d="M0 0L1 1Z" fill="url(#a)" /></g></svg>'
    )
    assert clean_image(made.content, ImageKind.LOGO) == made


BOMB = "".join(f'<!ENTITY e{n + 1} "&e{n};&e{n};">' for n in range(30))

WRONG = {
    "script": svg("<script>alert(1)</script>"),
    "script of another case": svg("<SCRIPT>alert(1)</SCRIPT>"),
    "XHTML script": svg('<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>'),
    "event handler": svg("", 'onload="alert(1)"'),
    "event handler within": svg('<path onclick="alert(1)"/>'),
    "event handler of another case": svg('<path oNcLiCk="alert(1)"/>'),
    "foreignObject": svg("<foreignObject><p/></foreignObject>"),
    "image": svg('<image href="https://evil.example/x.png"/>'),
    "link": svg('<a href="javascript:alert(1)"><path d="M0 0"/></a>'),
    "use": svg('<use href="#a"/>'),
    "xlink": svg('<path xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="https://evil.example/"/>'),
    "style sheet": svg("<style>@import 'https://evil.example/'</style>"),
    "style that loads": svg('<path style="fill:url(https://evil.example/x)"/>'),
    "style that is odd": svg('<path style="fill"/>'),
    "attribute that loads": svg('<path fill="url(//evil.example/x)"/>'),
    "attribute that loads, in escapes": svg('<path fill="\\75rl(x)"/>'),
    "attribute of data": svg('<path mask="url(data:image/svg+xml,x)"/>'),
    "animation": svg('<set attributeName="href" to="javascript:alert(1)"/>'),
    "filter": svg("<filter/>"),
    "svg within": svg("<svg/>"),
    "entity": b'<!DOCTYPE svg [<!ENTITY x "y">]>' + svg("&x;"),
    "entities without end": f'<!DOCTYPE svg [<!ENTITY e0 "x">{BOMB}]>'.encode() + svg("&e30;"),
    "external entity": b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + svg("&x;"),
    "external DTD": b'<!DOCTYPE svg SYSTEM "https://evil.example/x.dtd">' + svg(""),
    "other encoding": f'<?xml version="1.0" encoding="utf-16"?>{HEAD}/>'.encode("utf-16"),
    "no namespace": b'<svg viewBox="0 0 1 1"/>',
    "HTML": b"<html><body/></html>",
    "not closed": svg("<g>"),
    "no size": f"<svg {NS}/>".encode(),
    "too deep": svg("<g>" * 40 + "</g>" * 40),
    "deeper than a stack": svg("<g>" * 5000 + "</g>" * 5000),
    "too many": svg("<g/>" * MOST_ELEMENTS),
    "too large": svg(" " * LARGEST_SVG),
}


@pytest.mark.parametrize("sent", WRONG.values(), ids=WRONG)
def test_what_would_act_or_load_is_refused(sent: bytes) -> None:
    with pytest.raises(BadImage):
        clean_image(sent, ImageKind.LOGO)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    made = io.BytesIO()
    image.save(made, form, **options)
    return made.getvalue()


def test_a_photograph_tells_nothing_but_its_pixels() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif[0x0112] = 6
    sent = encoded(
        Image.new("RGB", (3000, 2000), "#c2410c"), "JPEG", exif=exif, comment=b"secret", icc_profile=b"secret"
    )
    assert b"taken at home" in sent
    made = clean_image(sent + b"<script>alert(1)</script>", ImageKind.PICTURE)
    assert made.media_type == "image/jpeg"
    for trace in (b"home", b"secret", b"script", b"Exif"):
        assert trace not in made.content
    with Image.open(io.BytesIO(made.content)) as shown:
        assert (shown.size, shown.info.get("comment"), shown.info.get("icc_profile")) == ((1067, 1600), None, None)


def test_a_logo_keeps_what_is_transparent() -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text("Author", "secret")
    sent = encoded(Image.new("RGBA", (900, 300), (1, 2, 3, 0)), "PNG", pnginfo=note)
    made = clean_image(sent, ImageKind.LOGO)
    with Image.open(io.BytesIO(made.content)) as shown:
        assert (made.media_type, shown.mode, shown.size) == ("image/png", "RGBA", (640, 213))
    assert b"secret" not in made.content
    with Image.open(
        io.BytesIO(clean_image(encoded(Image.new("P", (9, 9)), "PNG"), ImageKind.FAVICON).content)
    ) as shown:
        assert shown.size == (9, 9)


def bomb() -> bytes:
    """A PNG of few bytes that says that it has 30,000 by 30,000 pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    head = (30_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GIF89a",
        b"%PDF-1.4",
        b"\x00" * 100,
        bomb(),
        encoded(Image.new("1", (6001, 1)), "PNG"),
        encoded(Image.new("RGB", (50, 50)), "PNG")[:60],
        encoded(Image.new("RGB", (9, 9)), "GIF"),
        encoded(Image.new("RGB", (9, 9)), "BMP"),
        b"\x89PNG" + b"x" * LARGEST_FILE,
    ],
    ids=["empty", "cut GIF", "PDF", "zeroes", "bomb", "too long", "cut PNG", "GIF", "BMP", "too large"],
)
def test_what_is_no_picture_is_refused(sent: bytes) -> None:
    with pytest.raises(BadImage):
        clean_image(sent, ImageKind.PICTURE)
