"""Attacks on sessions, and on what a browser may be made to send."""

from collections.abc import AsyncIterator

from platforma.kit.probes import Belonging, Layer, Observation, Outcome, Party, Probe, Reply, Scene

_ME = "/api/v1/me"
_COOKIE = "__Host-platforma"


async def _session(party: Party) -> str | None:
    await party.sign_in()
    sessions = (await party.ask("GET", "/api/v1/sessions")).json()["items"]
    return next((str(each["id"]) for each in sessions if not each["is_current"]), None)


async def _revoked(scene: Scene) -> AsyncIterator[Observation]:
    """A session that is signed out or revoked is nobody's on the very next request."""
    token = await scene.a.sign_in()
    before = await scene.a.ask("GET", _ME, session=token)
    await scene.a.ask("DELETE", "/api/v1/session", session=token)
    yield _judge("signed out", before, await scene.a.ask("GET", _ME, session=token))

    token = await scene.a.sign_in()
    before = await scene.a.ask("GET", _ME, session=token)
    sessions = (await scene.a.ask("GET", "/api/v1/sessions", session=token)).json()["items"]
    own = next((each["id"] for each in sessions if each["is_current"]), None)
    await scene.a.ask("DELETE", f"/api/v1/sessions/{own}")
    yield _judge("revoked from elsewhere", before, await scene.a.ask("GET", _ME, session=token))


async def _cookies(scene: Scene) -> AsyncIterator[Observation]:
    """Cookies that two parsers might read in two ways name nobody."""
    own, control = scene.a.token, await scene.a.ask("GET", _ME)
    tricks = {
        "twice": f"{_COOKIE}={own}; {_COOKIE}={own}",
        "another first": f"{_COOKIE}=nobody; {_COOKIE}={own}",
        "quoted": f'{_COOKIE}="{own}"',
        "of another case": f"{_COOKIE.lower()}={own}",
        "without its prefix": f"platforma={own}",
        "with what is not ASCII": f"{_COOKIE}={own}\N{ZERO WIDTH SPACE}",
        "cut short": f"{_COOKIE}={own[:-1]}",
    }
    for name, cookie in tricks.items():
        reply = await scene.a.ask("GET", _ME, headers={"cookie": cookie}, session=None)
        yield _judge(name, control, reply, refusals=(400, 401))


async def _cross_site(scene: Scene) -> AsyncIterator[Observation]:
    """What another site makes a browser send changes nothing."""
    target, body = "/api/v1/security-groups", {"name": f"forged {scene.a.mark}"}
    forged = {
        "from another site": {"sec-fetch-site": "cross-site"},
        "from a neighbour": {"sec-fetch-site": "same-site"},
        "by an older browser": {"origin": "https://evil.example"},
        "from an opaque origin": {"origin": "null"},
    }
    control = await scene.a.ask("POST", target, body=body, headers={"sec-fetch-site": "same-origin"})
    await scene.a.settle(control)
    for name, headers in forged.items():
        reply = await scene.a.ask("POST", target, body={"name": f"forged {scene.a.mark} {name}"}, headers=headers)
        yield _judge(name, control, reply, refusals=(403,))
    plain = await scene.a.ask("POST", target, content=b'{"name": "forged"}', headers={"content-type": "text/plain"})
    yield _judge("as plain text", control, plain, refusals=(415, 422))


async def _tenant_names(scene: Scene) -> AsyncIterator[Observation]:
    """No parameter and no field names a tenant."""
    control = await scene.a.ask("GET", "/api/v1/networks")
    for name in ("tenant_id", "project_id", "portal_id"):
        reply = await scene.a.ask("GET", f"/api/v1/networks?{name}={scene.b.ids['network_id']}")
        yield _judge(f"query {name}", control, reply, refusals=(422,))
        body = {"name": f"named {scene.a.mark}", name: scene.b.ids["network_id"]}
        reply = await scene.a.ask("POST", "/api/v1/networks", body=body)
        yield _judge(f"body {name}", control, reply, refusals=(422,))


async def _cookie_flags(scene: Scene) -> AsyncIterator[Observation]:
    """No script can read the cookie, and no other host, path or site gets it."""
    await scene.a.sign_in()
    present = {part.strip().lower() for part in scene.a.cookie.split(";")[1:]}
    for flag in ("httponly", "secure", "samesite=lax", "path=/"):
        outcome = Outcome.HELD if flag in present else Outcome.BYPASSED
        yield Observation(flag, outcome, "" if flag in present else f"The cookie has {', '.join(sorted(present))}")
    domain = [part for part in present if part.startswith("domain")]
    yield Observation("no domain", Outcome.BYPASSED if domain else Outcome.HELD, ", ".join(domain))


def _judge(subject: str, control: Reply, reply: Reply, refusals: tuple[int, ...] = (401,)) -> Observation:
    if control.status >= 300:
        return Observation(subject, Outcome.NOT_PROVEN, f"The control answers {control.status}.")
    if reply.is_no_answer:
        return Observation(subject, Outcome.NOT_PROVEN, f"It answers {reply.status}.")
    if reply.status in refusals:
        return Observation(subject, Outcome.HELD)
    return Observation(subject, Outcome.BYPASSED, f"It answers {reply.status}: {reply.text[:200]}")


BELONGINGS = (Belonging("session_id", _session, Layer.AUTHENTICATION),)
PROBES = (
    Probe("sessions end at once", Layer.AUTHENTICATION, "Ended sessions are nobody's", ("A14",), _revoked),
    Probe("cookies", Layer.AUTHENTICATION, "Ambiguous cookies are nobody's", ("A16",), _cookies),
    Probe(
        "cookie flags",
        Layer.AUTHENTICATION,
        "The session's cookie is out of reach for scripts and other hosts",
        ("A17",),
        _cookie_flags,
        "HttpOnly, Secure, SameSite=Lax, Path=/ and no Domain",
    ),
    Probe("cross-site", Layer.AUTHENTICATION, "Other sites can change nothing", ("A17",), _cross_site),
    Probe("tenant names", Layer.AUTHENTICATION, "Nothing in a request names a tenant", ("A03", "A04"), _tenant_names),
)
