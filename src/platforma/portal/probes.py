"""Attacks on the border between portals: stolen cookies, unknown hosts, what a portal says of who has an account, and
what its pages tell browsers, so that no other site can show, read or extend them."""

import secrets
from collections.abc import AsyncIterator

from platforma.kit.probes import Layer, Observation, Outcome, Probe, Reply, Scene

_ME = "/api/v1/me"
_WANTED = {
    "content-security-policy": ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"),
    "x-content-type-options": ("nosniff",),
    "x-frame-options": ("DENY",),
    "cross-origin-opener-policy": ("same-origin",),
    "cross-origin-resource-policy": ("same-origin",),
    "vary": ("Host", "Cookie"),
}
_UNSTEADY = frozenset({"x-request-id", "date", "content-length"})
_MARKUP = "<svg/onload=alert(1)>"


async def _headers(scene: Scene) -> AsyncIterator[Observation]:
    """The sign-in page and the first page say what a browser has to keep to, and that caches go by host."""
    for path, session in (("/sign-in", None), ("/", scene.a.token)):
        reply = await scene.a.ask("GET", path, session=session)
        for name, parts in _WANTED.items():
            subject = f"{path} {name}"
            value = reply.header(name) or ""
            if reply.status != 200:
                yield Observation(subject, Outcome.NOT_PROVEN, f"It answers {reply.status}.")
            elif all(part in value for part in parts):
                yield Observation(subject, Outcome.HELD, value)
            else:
                yield Observation(subject, Outcome.BYPASSED, f"It is {value or 'missing'}.")


async def _stolen_cookies(scene: Scene) -> AsyncIterator[Observation]:
    """A's token at any other host is answered byte for byte as a token that nobody ever had."""
    control = await scene.a.ask("GET", _ME)
    elsewhere = {
        "another portal": scene.other_host,
        "below A's own host": f"nobody.{scene.a.host}",
        "the bare address": "127.0.0.1",
        "A's own host with a dot": f"{scene.a.host}.",
        "an unknown host": "nobody-is-here.invalid",
    }
    forwarded = dict.fromkeys(("x-forwarded-host", "x-original-host", "x-host"), scene.a.host)
    forwarded["forwarded"] = f"host={scene.a.host}"
    for name, host in elsewhere.items():
        for how, headers in (("", {}), (", A's host forwarded", forwarded)):
            stolen = await scene.a.ask("GET", _ME, host=host, headers=headers)
            nobodys = await scene.a.ask("GET", _ME, host=host, headers=headers, session=secrets.token_urlsafe(32))
            yield _alike(f"{name}{how}", control, stolen, nobodys, refusals=(400, 401, 404, 421))


async def _unknown_hosts(scene: Scene) -> AsyncIterator[Observation]:
    """Before anybody has signed in, the API says the same at a portal, at another one and at a host of nobody."""
    control = await scene.a.ask("GET", _ME)
    own = await scene.a.ask("GET", _ME, session=None)
    for name, host in {"another portal": scene.other_host, "an unknown host": f"nobody.{scene.a.host}"}.items():
        yield _alike(name, control, await scene.a.ask("GET", _ME, session=None, host=host), own)
    control = await scene.a.ask("GET", "/sign-in", session=None)
    unknown = await scene.a.ask("GET", "/sign-in", session=None, host="nobody-is-here.invalid")
    below = await scene.a.ask("GET", "/sign-in", session=None, host=f"nobody.{scene.a.host}")
    yield _alike("pages of unknown hosts", control, below, unknown, refusals=(404,))


async def _links(scene: Scene) -> AsyncIterator[Observation]:
    """No header can have a portal name a host that is not its own, in a link or in a redirection."""
    evil = "evil-is-here.invalid"
    headers = dict.fromkeys(("x-forwarded-host", "x-original-host", "x-host", "x-forwarded-server"), evil)
    headers["forwarded"] = f"host={evil};proto=https"
    for path, session in (("/", None), ("/sign-in", None), ("/", scene.a.token), ("/servers", None)):
        control = await scene.a.ask("GET", path, session=session)
        reply = await scene.a.ask("GET", path, session=session, headers=headers)
        subject = f"{path} {'signed in' if session else 'before signing in'}"
        if reply.is_no_answer or control.status != reply.status:
            yield Observation(subject, Outcome.NOT_PROVEN, f"It answers {reply.status}, without {control.status}.")
        elif evil in reply.text or any(evil in value for _, value in reply.headers):
            yield Observation(subject, Outcome.BYPASSED, "The forged host is in the answer.")
        else:
            yield Observation(subject, Outcome.HELD)


async def _texts(scene: Scene) -> AsyncIterator[Observation]:
    """What a member writes is text on every page, whatever it holds."""
    body = {"name": f"texts {scene.a.mark}", "description": _MARKUP}
    made = await scene.a.ask("POST", "/api/v1/security-groups", body=body)
    if made.status >= 300:
        yield Observation("a description", Outcome.NOT_PROVEN, f"The control answers {made.status}.")
        return
    group = made.json().get("resource", made.json())
    await scene.a.settle(made)
    page = await scene.a.ask("GET", f"/security-groups/{group['id']}")
    if _MARKUP in page.text:
        yield Observation("a description", Outcome.BYPASSED, f"The page has {_MARKUP} as markup.")
    elif page.status == 200 and "&lt;svg/onload" in page.text:
        yield Observation("a description", Outcome.HELD)
    else:
        yield Observation("a description", Outcome.NOT_PROVEN, f"The page answers {page.status}, without the text.")


async def _accounts(scene: Scene) -> AsyncIterator[Observation]:
    """A refused sign-in says the same of an e-mail with an account, of one without, and of another portal's."""
    own, theirs = (await scene.a.ask("GET", _ME), await scene.b.ask("GET", _ME))
    if own.status != 200 or theirs.status != 200:
        yield Observation("accounts", Outcome.NOT_PROVEN, f"The controls answer {own.status} and {theirs.status}.")
        return
    known = await _try_to_sign_in(scene, own.json()["email"])
    cases = {"without an account": f"nobody-{secrets.token_hex(4)}@example.org"}
    if scene.b.host != scene.a.host:
        cases["another portal's"] = theirs.json()["email"]
    for name, email in cases.items():
        yield _alike(name, own, await _try_to_sign_in(scene, email), known)


async def _try_to_sign_in(scene: Scene, email: str) -> Reply:
    body = {"email": email, "password": "no such password of anybody"}
    return await scene.a.ask("POST", "/api/v1/session", body=body, session=None)


def _alike(
    subject: str, control: Reply, reply: Reply, wanted: Reply, refusals: tuple[int, ...] = (401,)
) -> Observation:
    """Judge an answer that has to be a refusal, the same as another one, and to set no cookie."""
    if control.status != 200 or reply.is_no_answer or wanted.is_no_answer:
        seen = f"The control answers {control.status}, the attack {reply.status}, the twin {wanted.status}."
        return Observation(subject, Outcome.NOT_PROVEN, seen)
    if reply.status not in refusals:
        return Observation(subject, Outcome.BYPASSED, f"It answers {reply.status}: {reply.text[:200]}")
    if reply.header("set-cookie") is not None:
        return Observation(subject, Outcome.BYPASSED, "It sets a cookie.")
    if _steady(reply) != _steady(wanted):
        return Observation(subject, Outcome.BYPASSED, f"{reply.status} {reply.text[:200]} is not {wanted.text[:200]}")
    return Observation(subject, Outcome.HELD, f"answered {reply.status}")


def _steady(reply: Reply) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = sorted((name.lower(), value) for name, value in reply.headers if name.lower() not in _UNSTEADY)
    return reply.status, headers, reply.body


PROBES = (
    Probe(
        "browsers' walls",
        Layer.PORTAL,
        "Headers that keep other sites out of the pages",
        ("P07",),
        _headers,
        "No foreign script, frame or type",
    ),
    Probe(
        "stolen cookies",
        Layer.PORTAL,
        "A's session away from A's portal, by every way to name a host",
        ("P01",),
        _stolen_cookies,
    ),
    Probe("unknown hosts", Layer.PORTAL, "Hosts of nobody and of others, before signing in", ("P02",), _unknown_hosts),
    Probe(
        "links",
        Layer.PORTAL,
        "Links and redirections with a host that a header names",
        ("P05",),
        _links,
        "No host but the portal's own",
    ),
    Probe("texts", Layer.PORTAL, "Markup in what members write", ("P07",), _texts, "Shown as text"),
    Probe("accounts", Layer.PORTAL, "Who has an account, by a refused sign-in", ("P08",), _accounts),
)
