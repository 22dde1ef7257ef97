"""The resolver, against a name server of the test's own on loopback."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import pytest_asyncio

from platforma.clouds.dns import DnsResolver, DnsUnavailable, FakeResolver, TxtResolver
from platforma.clouds.dns.resolver import parse_resolver

RECORDS = {
    "_platforma.cloud.example.": ['"v=spf1 -all"', '"platforma=" "abc"', '"platforma=old"'],
    "_platforma.other.example.": [],
}


class NameServer(asyncio.DatagramProtocol):
    """Answers TXT questions; fails for `failing.` and keeps silent for `silent.`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        name = question.question[0].name
        if "silent" in str(name):
            return
        if "failing" in str(name):
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif str(name) == "_platforma.delegated.example.":
            target = "_platforma.cloud.example."
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", target))
            answer.answer.append(dns.rrset.from_text(target, 60, "IN", "TXT", *RECORDS[target]))
        elif str(name) not in RECORDS:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif RECORDS[str(name)]:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *RECORDS[str(name)]))
        self.transport.sendto(answer.to_wire(), addr)


@pytest_asyncio.fixture
async def resolver() -> AsyncIterator[DnsResolver]:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(NameServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    yield DnsResolver([f"127.0.0.1:{port}"], timeout_seconds=0.3)
    transport.close()


FAKE = FakeResolver(
    {
        name: frozenset({"v=spf1 -all", "platforma=abc", "platforma=old"})
        for name in ("_platforma.cloud.example", "_platforma.delegated.example")
    },
    frozenset({"_platforma.failing.example", "_platforma.silent.example"}),
)


@pytest.mark.parametrize("is_real", [True, False], ids=["real", "fake"])
async def test_texts_are_found(resolver: DnsResolver, is_real: bool) -> None:
    """Several answers, a text of several strings, a CNAME, a name without texts, a name that is not there."""
    asked: TxtResolver = resolver if is_real else FAKE
    expected = {"v=spf1 -all", "platforma=abc", "platforma=old"}
    assert await asked.find_texts("_platforma.cloud.example") == expected
    assert await asked.find_texts("_platforma.delegated.example") == expected
    assert await asked.find_texts("_platforma.other.example") == frozenset()
    assert await asked.find_texts("_platforma.nowhere.example") == frozenset()


@pytest.mark.parametrize("is_real", [True, False], ids=["real", "fake"])
@pytest.mark.parametrize("name", ["_platforma.failing.example", "_platforma.silent.example"])
async def test_no_answer_is_not_no(resolver: DnsResolver, name: str, is_real: bool) -> None:
    asked: TxtResolver = resolver if is_real else FAKE
    with pytest.raises(DnsUnavailable):
        await asked.find_texts(name)


def test_addresses_of_resolvers() -> None:
    assert parse_resolver("192.0.2.1") == ("192.0.2.1", 53)
    assert parse_resolver("192.0.2.1:5353") == ("192.0.2.1", 5353)
    assert parse_resolver("2001:db8::1") == ("2001:db8::1", 53)
    assert parse_resolver("[2001:db8::1]:5353") == ("2001:db8::1", 5353)
    for wrong in ("", "resolver.example", "192.0.2.1:0", "192.0.2.1:x", "[2001:db8::1]:99999"):
        with pytest.raises(ValueError):
            parse_resolver(wrong)
