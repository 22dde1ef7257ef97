"""Host names, in the one form in which they are compared."""

import re

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_PORT = re.compile(r"[0-9]{1,5}")


def parse_host(authority: str) -> str | None:
    """Return the host of `host[:port]` in lower case, or None for anything but a plain DNS name.

    No trailing dot, no user part, no address literal, no character outside ASCII letters, digits and hyphens
    (RFC 1123): two spellings of one host would be two keys to one portal.
    """
    host, colon, port = authority.partition(":")
    host = host.lower() if host.isascii() else ""
    if colon and not _PORT.fullmatch(port):
        return None
    return host if _HOST.fullmatch(host) else None
