"""The session cookie (RFC 6265bis): read strictly, written with every protection there is."""

from collections.abc import Iterable

SESSION_COOKIE = "__Host-platforma"
OPERATOR_COOKIE = "__Host-platforma-operator"

_TOKEN_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LONGEST_TOKEN = 128


def read_cookie(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """Return the token in the cookie `name`, or None if there is none, two, or one that is malformed.

    Bytes are compared, and only spaces and tabs are trimmed: some servers strip a Unicode space before
    `__Host-` that browsers send, and so take a cookie for one that only this host could have set.
    """
    wanted = name.encode("ascii")
    found: list[bytes] = []
    for header, value in headers:
        if header != b"cookie":
            continue
        for pair in value.split(b";"):
            key, equals, content = pair.strip(b" \t").partition(b"=")
            if key.lower() == wanted.lower():
                if key != wanted or not equals:
                    return None
                found.append(content)
    if len(found) != 1:
        return None
    token = found[0]
    if not token or len(token) > _LONGEST_TOKEN or not _TOKEN_CHARACTERS.issuperset(token):
        return None
    return token.decode("ascii")


def set_cookie(name: str, token: str) -> str:
    """Return the Set-Cookie value: HttpOnly, Secure, SameSite=Lax, Path=/, no Domain, gone with the browser."""
    return f"{name}={token}; Path=/; Secure; HttpOnly; SameSite=Lax"


def clear_cookie(name: str) -> str:
    """Return the Set-Cookie value that deletes the cookie."""
    return f"{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
