"""The real resolver: dnspython, which asks recursive name servers and falls back to TCP for long answers."""

import ipaddress
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

DNS_PORT = 53


class DnsUnavailable(Exception):
    """Nobody could say whether there is such a record: no answer in time, or a failing name server."""


def parse_resolver(text: str) -> tuple[str, int]:
    """Read `address`, `address:port` or `[address]:port`; raises ValueError for anything else."""
    address, port = text, str(DNS_PORT)
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or str(DNS_PORT)
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text} is no address of a resolver.")
    return str(ipaddress.ip_address(address)), int(port)


class DnsResolver:
    """Asks the resolvers that are named, or else the system's. A CNAME is followed by the resolver that is asked."""

    def __init__(self, resolvers: Sequence[str] = (), *, timeout_seconds: float = 10.0) -> None:
        self._addresses = [parse_resolver(text) for text in resolvers]
        self._timeout = timeout_seconds

    async def find_texts(self, name: str) -> frozenset[str]:
        """Return the texts at a name; a record of several strings is their concatenation (RFC 7208, 3.3)."""
        try:
            resolver = dns.asyncresolver.Resolver(configure=not self._addresses)
            if self._addresses:
                resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in self._addresses]
            answer = await resolver.resolve(
                dns.name.from_text(f"{name}."),
                dns.rdatatype.TXT,
                lifetime=self._timeout,
                search=False,
                raise_on_no_answer=False,
            )
        except dns.resolver.NXDOMAIN:
            return frozenset()
        except dns.exception.Timeout as error:
            raise DnsUnavailable("The name servers did not answer in time.") from error
        except (dns.exception.DNSException, OSError) as error:
            raise DnsUnavailable("The name servers failed, or refused to answer.") from error
        return frozenset(b"".join(record.strings).decode("ascii", "replace") for record in answer.rrset or ())
