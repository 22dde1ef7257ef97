"""Looking up TXT records: a Protocol, the real resolver, and one for tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from platforma.clouds.dns.resolver import DnsResolver, DnsUnavailable

__all__ = ["DnsResolver", "DnsUnavailable", "FakeResolver", "TxtResolver"]


class TxtResolver(Protocol):
    """Who answers what TXT records a name has."""

    async def find_texts(self, name: str) -> frozenset[str]:
        """Return the texts at a name, none if there is no such name; raises DnsUnavailable if nobody can tell."""


@dataclass
class FakeResolver:
    """Answers from a mapping; a name that is in `away` cannot be asked about."""

    texts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    away: frozenset[str] = frozenset()

    async def find_texts(self, name: str) -> frozenset[str]:
        """See TxtResolver."""
        if name in self.away:
            raise DnsUnavailable("The name servers did not answer in time.")
        return self.texts.get(name, frozenset())
