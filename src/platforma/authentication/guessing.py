"""How easily a password is guessed: by the common ones, and by what everybody knows of its owner.

OWASP ASVS 6.2.4 and NIST SP 800-63B, 3.1.1.2: no common password, and none that is derived from the service's or the
owner's name. `common_passwords.txt` has the 10,000 most common of zxcvbn's list (Dropbox, MIT licence), which was made
from leaked ones.
"""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

ENOUGH = 5
"""A password of fewer parts than this is guessed: a known word, a run or a row of keys is one part, as is any other
character."""
_LONGEST_WORD = 40
_SHORTEST_WORD = 3
_ROWS = ("qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "zxcvbnm", "01234567890", "abcdefghijklmnopqrstuvwxyz")
_SEQUENCES = _ROWS + tuple(row[::-1] for row in _ROWS)
_DISGUISES = str.maketrans("013457@$!|", "oleastasil")


def describe_guess(password: str, own: Iterable[str]) -> str | None:
    """Return why a password is easily guessed, or None. `own` is what everybody knows: e-mail, names, organisation."""
    words = _words_of(own)
    if _count_parts(password.lower(), common_passwords()) < ENOUGH:
        return "It is one of the common passwords, or nearly so."
    if _count_parts(password.lower(), common_passwords() | words) < ENOUGH:
        return "It is made of your e-mail, your name or the name of this place."
    return None


@cache
def common_passwords() -> frozenset[str]:
    """Return the common passwords, in lower case."""
    file = resources.files("platforma.authentication").joinpath("common_passwords.txt")
    return frozenset(file.read_text(encoding="ascii").split())


def _words_of(own: Iterable[str]) -> frozenset[str]:
    """Return what is known of the owner, whole and in its parts."""
    whole = [text.lower() for text in own]
    parts = [part for text in whole for part in re.split(r"[^\w]+", text)]
    joined = ["".join(re.split(r"[^\w]+", text)) for text in whole]
    return frozenset(word for word in (*whole, *parts, *joined) if len(word) >= _SHORTEST_WORD)


def _count_parts(password: str, words: frozenset[str]) -> int:
    """Return into how few parts a password falls. Takes time in proportion to its length."""
    plain = password.translate(_DISGUISES)
    fewest = [0]
    for end in range(1, len(password) + 1):
        best = fewest[end - 1] + 1
        for begin in range(max(0, end - _LONGEST_WORD), end - 1):
            if fewest[begin] + 1 < best and _is_known(password[begin:end], plain[begin:end], words):
                best = fewest[begin] + 1
        fewest.append(best)
    return fewest[-1]


def _is_known(part: str, plain: str, words: frozenset[str]) -> bool:
    if len(set(part)) == 1 or (len(part) <= 8 and part.isdigit()):
        return True
    if len(part) < _SHORTEST_WORD:
        return False
    return part in words or plain in words or any(part in row for row in _SEQUENCES)
