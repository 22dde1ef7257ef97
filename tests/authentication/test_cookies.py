"""The cookie is read as bytes, strictly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforma.authentication.cookies import OPERATOR_COOKIE, SESSION_COOKIE, read_cookie

TOKEN = "a" * 43
NAME = SESSION_COOKIE.encode()


def read(*values: bytes) -> str | None:
    return read_cookie([(b"host", b"a.localhost"), *((b"cookie", value) for value in values)], SESSION_COOKIE)


def test_the_cookie_is_found() -> None:
    assert read(NAME + b"=" + TOKEN.encode()) == TOKEN
    assert read(b"theme=dark; " + NAME + b"=" + TOKEN.encode() + b"; x=y") == TOKEN
    assert read(b"theme=dark", NAME + b"=" + TOKEN.encode()) == TOKEN


@pytest.mark.parametrize(
    "values",
    [
        [NAME + b"=" + TOKEN.encode() + b"; " + NAME + b"=" + b"b" * 43],
        [NAME + b"=" + TOKEN.encode(), NAME + b"=" + TOKEN.encode()],
        [NAME + b"=" + TOKEN.encode() + b"; __HOST-platforma=" + b"b" * 43],
        [b"\xe2\x80\x80" + NAME + b"=" + TOKEN.encode()],
        [b"\xc2\xa0" + NAME + b"=" + TOKEN.encode()],
        [b"\x0b" + NAME + b"=" + TOKEN.encode()],
        [b"__host-platforma=" + TOKEN.encode()],
        [b"platforma=" + TOKEN.encode()],
        [NAME + b'="' + TOKEN.encode() + b'"'],
        [NAME + b"=" + b"a" * 129],
        [NAME + b"="],
        [NAME],
        [NAME + b"=" + "é".encode() * 20],
        [NAME + b"=" + TOKEN.encode() + b"\x00"],
        [NAME + b"=" + TOKEN.encode() + b"," + TOKEN.encode()],
        [OPERATOR_COOKIE.encode() + b"=" + TOKEN.encode()],
    ],
    ids=range(16),
)
def test_what_is_odd_is_no_cookie(values: list[bytes]) -> None:
    """Duplicates, other spellings, Unicode spaces before the prefix, quotes, other characters."""
    assert read(*values) is None


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_nothing_breaks_the_reader(values: list[bytes]) -> None:
    token = read(*values)
    assert token is None or (token.isascii() and 0 < len(token) <= 128)
