"""Brands: what operators set is what a portal's visitors get, and nothing else of it."""

import base64
import hashlib
import io
from typing import Any

import pytest
from PIL import Image

from platforma.operator.schemas import BrandChange
from platforma.portal.branding import TEXTS, Brand
from tests.database.tenants import SignedIn, TwoTenants
from tests.operator.conftest import HOST, Plane
from tests.operator.test_console import page, submit

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0" /></svg>'
WORDS = {
    "accent": "#ffff00",
    "accent_dark": "#000080",
    "welcome": "Welcome to <b>Acme</b>\nSecond line",
    "support_email": "help@acme.example",
    "support_url": "https://acme.example/help?a=1&b=2",
    "terms_url": "https://acme.example/terms",
    "privacy_url": "https://acme.example/privacy",
    "mail_sender": "Acme Cloud",
    "mail_footer": "Acme Ltd\nSome Street 1",
}


def png(colour: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(made, "PNG")
    return made.getvalue()


async def visit(plane: Plane, who: SignedIn, path: str) -> Any:
    return await plane.portal.get(f"http://{who.host}{path}", headers={"host": who.host})


async def test_what_is_set_is_what_visitors_get(plane: Plane, two_tenants: TwoTenants) -> None:
    a, b = two_tenants.a, two_tenants.b
    path = f"/portals/{a.portal_id}/brand"
    before = (await visit(plane, b, "/sign-in")).text
    changed = await plane.call("PATCH", path, status=200, json=WORDS)
    assert {name: changed[name] for name in WORDS} == WORDS
    assert all(
        each["ratio"] >= (4.5 if "button" not in each["where"] or "text" in each["where"] else 3)
        for each in changed["contrasts"]
    )
    assert any(each["used"] != each["wanted"] for each in changed["contrasts"]), "yellow is not seen on white"
    content = base64.b64encode(SVG).decode()
    files = {}
    for kind, sent in (("logo", SVG), ("logo_dark", png("red")), ("favicon", png("blue")), ("picture", png("green"))):
        content = base64.b64encode(sent).decode()
        set_ = await plane.call("PUT", f"{path}/{kind}", status=200, json={"content": content})
        files = {each["kind"]: each["digest"] for each in set_["files"]}
    html = (await visit(plane, a, "/sign-in")).text
    for digest in files.values():
        assert f"/brand/file?digest={digest}" in html
    assert "Welcome to &lt;b&gt;Acme" in html
    assert 'href="https://acme.example/help?a=1&amp;b=2"' in html
    css = (await visit(plane, a, "/brand.css")).text
    assert ("#ffff00" in css.partition("@media")[0], "#000080" in css) == (False, False), "made darker, and lighter"
    assert (await visit(plane, b, "/sign-in")).text == before

    shown = await visit(plane, a, f"/brand/file?digest={files['logo']}")
    assert hashlib.sha256(shown.content).hexdigest() == files["logo"]
    expected = {
        "content-type": "image/svg+xml",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "cache-control": "public, max-age=31536000, immutable",
        "vary": "Host",
    }
    assert {name: shown.headers[name] for name in expected} == expected
    foreign = await visit(plane, b, f"/brand/file?digest={files['logo']}")
    unknown = await visit(plane, b, f"/brand/file?digest={'0' * 64}")
    assert (foreign.status_code, foreign.content) == (404, unknown.content), "another portal's picture is nobody's"
    assert (await visit(plane, a, "/brand/file?digest=x")).status_code == 422

    await plane.call("DELETE", f"{path}/logo", status=204)
    refused = await plane.call("DELETE", f"{path}/logo", status=404)
    assert refused["type"] == "urn:platforma:problem:no-brand-file"
    assert (await visit(plane, a, f"/brand/file?digest={files['logo']}")).status_code == 404
    await plane.call("PATCH", f"/portals/{a.portal_id}", status=200, json={"status": "suspended"})
    assert (await visit(plane, a, f"/brand/file?digest={files['picture']}")).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"accent": "red"},
        {"accent": "#fff;}*{"},
        {"terms_url": "http://acme.example"},
        {"terms_url": "javascript:alert(1)"},
        {"terms_url": "https://user@acme.example/"},
        {"terms_url": 'https://acme.example/"onclick='},
        {"privacy_url": "//acme.example"},
        {"support_email": "no"},
        {"mail_sender": "Acme\r\nBcc: x@y.example"},
        {"mail_sender": "Acme <x@y.example>"},
        {"mail_footer": "a\x00b"},
        {"welcome": "x" * 501},
        {"logo": "x"},
    ],
    ids=str,
)
async def test_other_words_are_refused(plane: Plane, a: SignedIn, change: dict[str, str]) -> None:
    await plane.call("PATCH", f"/portals/{a.portal_id}/brand", status=422, json=change)


def test_what_the_schema_takes_is_what_is_read() -> None:
    brand = Brand.read(BrandChange(**WORDS).model_dump())
    assert {name: getattr(brand, name) for name in TEXTS} == {name: WORDS[name] for name in TEXTS}
    odd = Brand.read({"terms_url": "javascript:x", "mail_sender": "a\nb", "files": {"logo": "../x", "other": "0" * 64}})
    assert odd == Brand()


async def test_the_console_shows_sets_and_previews(plane: Plane, a: SignedIn) -> None:
    path = f"/portals/{a.portal_id}/brand"
    html = await page(plane, path)
    assert 'enctype="multipart/form-data"' in html
    await submit(plane, path, WORDS | {"mail_footer": "One\r\nTwo"})
    assert "One\nTwo</textarea>" in await page(plane, path)
    await submit(plane, path, WORDS)
    assert "#ffff00" in await page(plane, path)
    await submit(plane, path, {"accent": "#0f766e"})
    assert "Some Street" not in await page(plane, path), "what is left empty is taken back"
    refused = await submit(plane, path, {"accent": "green"}, status=422)
    assert 'value="green"' in refused.text

    typed = await page(plane, f"{path}?accent=%23c2410c&accent_dark=&welcome=Hello+%3Cb%3E")
    assert ("Hello &lt;b&gt;" in typed, "preview.css?accent=%23c2410c" in typed) == (True, True)
    assert "Hello" not in await page(plane, path), "a preview changes nothing"
    css = await plane.send("GET", f"{path}/preview.css?accent=%23c2410c;%7D*%7B")
    assert (css.headers["content-type"], "*" in css.text) == ("text/css; charset=utf-8", False)

    headers = {"origin": f"https://{HOST}", "sec-fetch-site": "same-origin"}
    sent = await plane.send("POST", f"{path}/logo", files={"file": ("logo.svg", SVG, "text/html")}, headers=headers)
    assert sent.status_code == 303
    shown = await plane.send("GET", f"{path}/logo")
    assert shown.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert shown.headers["content-type"] == "image/svg+xml"
    evil = {"file": ("logo.svg", SVG.replace(b"<path", b"<script/><path"), "image/svg+xml")}
    refused = await plane.send("POST", f"{path}/logo", files=evil, headers=headers)
    assert (refused.status_code, "has an element script" in refused.text) == (422, True)
    assert (await plane.send("GET", f"{path}/logo")).content == shown.content
    crossed = await plane.send(
        "POST",
        f"{path}/logo",
        files={"file": ("x.svg", SVG, "image/svg+xml")},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert crossed.status_code == 403
    await submit(plane, f"{path}/logo/remove", {})
    assert (await plane.send("GET", f"{path}/logo")).status_code == 404
    logged = await plane.rows("SELECT action FROM operator_audit WHERE action LIKE 'brand.%%' ORDER BY at")
    assert [row["action"] for row in logged][-2:] == ["brand.file", "brand.file"]


async def test_portals_take_no_files(plane: Plane, a: SignedIn) -> None:
    sent = await plane.portal.post(
        f"http://{a.host}/sign-in", headers={"host": a.host}, files={"file": ("x.svg", SVG, "image/svg+xml")}
    )
    assert sent.status_code == 415
