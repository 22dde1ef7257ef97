"""Which names can be a portal's: a full DNS name in its one spelling, and nothing that is or looks like another's."""

import unicodedata
from collections.abc import Iterable
from functools import cache

import idna
from publicsuffixlist import PublicSuffixList

from platforma.kit.hosts import parse_host

LONGEST = 253 - len("_platforma.")

_LOOK_ALIKES = dict(
    zip(
        "аӑбвгԁеһніјкӏмпорԛѕтуүѵԝхзьєԍαβγεηικνορστυχωμıɡɑƅօոսհզցøđłħсϲς",
        "aa6brdehhijklmnopqstyyvwx3begabyenikvopotuxwuigabonuhqgodlhccs",
        strict=True,
    )
)
"""Letters of other scripts by the Latin letter that they are read as (Unicode TR 39, confusables)."""

_MAY_STAND_TOGETHER = (
    {"CJK", "HIRAGANA", "KATAKANA", "LATIN"},
    {"CJK", "HANGUL", "LATIN"},
    {"CJK", "BOPOMOFO", "LATIN"},
)


class BadHost(ValueError):
    """A name that no portal can have; the sentence says why."""


class OperatorsHost(BadHost):
    """The operator's own host, or one above or below it."""


def read_host(text: str, *, operator_host: str) -> str:
    """Return a host as it is stored: A-labels in lower case. Raises BadHost."""
    plain = text.strip()
    if plain.startswith("*") or ".*" in plain:
        raise BadHost("A wildcard cannot be proven: add each host by its name.")
    if ":" in plain or "/" in plain or plain.endswith("."):
        raise BadHost("Write a host name such as cloud.example.org, without scheme, port, path or dot at the end.")
    try:
        host = parse_host(idna.encode(plain.lower(), uts46=True, std3_rules=True).decode())
        shown = idna.decode(host or "")
    except (idna.IDNAError, UnicodeError):
        host = None
    if host is None:
        raise BadHost("Write a host name such as cloud.example.org, of letters, digits and hyphens.")
    if host.rpartition(".")[2].isdigit():
        raise BadHost("This is an address. Portals are reached by names, such as cloud.example.org.")
    if len(host) > LONGEST:
        raise BadHost(f"A host has at most {LONGEST} characters, so that its proof has a name too.")
    if host == operator_host or is_related(host, operator_host):
        raise OperatorsHost(f"{host} is the operator's own host, or one above or below it.")
    if "." not in host or _suffixes().is_public(host):
        raise BadHost(f"Under {host} anybody can have a name. Add a name of the client's own, such as cloud.{host}.")
    for label in shown.split("."):
        if not _is_of_one_script(label):
            raise BadHost(f"“{label}” mixes letters of several scripts, which look alike.")
    return host


def is_related(one: str, other: str) -> bool:
    """Say whether one host is below the other."""
    return one.endswith(f".{other}") or other.endswith(f".{one}")


def is_below(host: str, suffixes: Iterable[str]) -> bool:
    """Say whether a host is below one of some suffixes."""
    return any(host.endswith(f".{suffix.lower().strip('.')}") for suffix in suffixes)


def skeleton(host: str) -> str:
    """Return what a host looks like: accents off, letters of other scripts as the Latin ones that they resemble."""
    try:
        shown = idna.decode(host)
    except idna.IDNAError:
        shown = host
    plain = unicodedata.normalize("NFKD", "".join(_LOOK_ALIKES.get(letter, letter) for letter in shown))
    letters = (_LOOK_ALIKES.get(letter, letter) for letter in plain if not unicodedata.combining(letter))
    return "".join(letters).casefold()


def find_look_alike(host: str, others: Iterable[str]) -> str | None:
    """Return one of others' hosts that this one can be taken for, where letters beyond ASCII are in play."""
    mine = skeleton(host)
    for other in others:
        if other != host and ("xn--" in host or "xn--" in other):
            theirs = skeleton(other)
            if theirs == mine or is_related(theirs, mine):
                return other
    return None


def _is_of_one_script(label: str) -> bool:
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in label if letter.isalpha()}
    return len(scripts) <= 1 or any(scripts <= together for together in _MAY_STAND_TOGETHER)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()
