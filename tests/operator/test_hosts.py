"""Which names a portal can have."""

import pytest

from platforma.operator.hosts import BadHost, find_look_alike, is_below, is_related, read_host

OPERATOR = "console.platforma.example"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("cloud.example.org", "cloud.example.org"),
        ("CLOUD.Example.ORG ", "cloud.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("cloud。example。org", "cloud.example.org"),
        ("client.co.uk", "client.co.uk"),
        ("me.github.io", "me.github.io"),
        ("aurora.localhost", "aurora.localhost"),
    ],
)
def test_a_host_has_one_spelling(text: str, host: str) -> None:
    assert read_host(text, operator_host=OPERATOR) == host


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*.example.org", "wildcard"),
        ("a.*.example.org", "wildcard"),
        ("cloud.example.org:443", "without scheme, port"),
        ("cloud.example.org.", "dot at the end"),
        ("https://cloud.example.org", "without scheme"),
        ("example.org/x", "without scheme"),
        ("", "Write a host name"),
        ("a_b.example", "Write a host name"),
        ("-a.example", "Write a host name"),
        ("a..b.example", "Write a host name"),
        ("xn--zzzz.example", "Write a host name"),
        ("a@b.example", "Write a host name"),
        ("127.0.0.1", "address"),
        ("0x7f.1", "address"),
        ("localhost", "anybody"),
        ("co.uk", "anybody"),
        ("github.io", "anybody"),
        ("org", "anybody"),
        ("аcme.example", "mixes letters"),
        ("CONSOLE.platforma.example", "operator's own"),
        ("x.console.platforma.example", "operator's own"),
        ("platforma.example", "operator's own"),
        (".".join(["a" * 60] * 4) + ".example", "at most 242"),
    ],
)
def test_other_names_are_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(BadHost, match=words):
        read_host(text, operator_host=OPERATOR)


@pytest.mark.parametrize(
    ("shown", "other"),
    [
        ("асме.example", "acme.example"),
        ("äcme.example", "acme.example"),
        ("cloud.асме.example", "acme.example"),
        ("acme.example", "асме.example"),
        ("ѕсоре.example", "scope.example"),
    ],
)
def test_what_can_be_taken_for_anothers_is_found(shown: str, other: str) -> None:
    host, others = (read_host(name, operator_host=OPERATOR) for name in (shown, other))
    assert find_look_alike(host, [others]) == others
    assert find_look_alike(host, ["other.example", host]) is None


def test_plain_names_are_no_look_alikes() -> None:
    assert find_look_alike("acme.example", ["acme1.example", "acmé.test", "cloud.example"]) is None


def test_scripts_that_are_written_together_may_stand_together() -> None:
    assert read_host("クラウドcloud.example", operator_host=OPERATOR).startswith("xn--cloud-")


def test_above_and_below() -> None:
    assert is_related("a.b.example", "b.example")
    assert is_related("b.example", "a.b.example")
    assert not is_related("ab.example", "b.example")
    assert is_below("x.LOCALHOST", []) is False
    assert (is_below("x.localhost", [".Localhost"]), is_below("localhost", ["localhost"])) == (True, False)
