"""Where the sign-in page is, and where it may send people on to."""

import re

SIGN_IN = "/sign-in"

_SAFE_PATH = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_LONGEST = 2000


def is_safe_path(path: str) -> bool:
    """Say whether a path stays at this portal, whatever a browser makes of it, and is no call of the API.

    One slash at the front and no backslash, no space or control character anywhere: browsers read `//host`,
    `/\\host` and `/<tab>/host` as another site (WHATWG URL).
    """
    return len(path) <= _LONGEST and _SAFE_PATH.fullmatch(path) is not None and not path.startswith("/api/")
