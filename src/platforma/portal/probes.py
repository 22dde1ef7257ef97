"""What a portal's pages tell browsers, so that no other site can show, read or extend them."""

from collections.abc import AsyncIterator

from platforma.kit.probes import Layer, Observation, Outcome, Probe, Scene

_WANTED = {
    "content-security-policy": ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"),
    "x-content-type-options": ("nosniff",),
    "x-frame-options": ("DENY",),
    "cross-origin-opener-policy": ("same-origin",),
    "cross-origin-resource-policy": ("same-origin",),
}


async def _headers(scene: Scene) -> AsyncIterator[Observation]:
    """The sign-in page and the first page say what a browser has to keep to."""
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


PROBES = (
    Probe(
        "browsers' walls",
        Layer.PORTAL,
        "Headers that keep other sites out of the pages",
        ("P07",),
        _headers,
        "No foreign script, frame or type",
    ),
)
