"""What an attack on the isolation of tenants is, and what comes of it.

Each domain keeps its attacks beside what they attack, in `probes`; `platforma.verification` collects and runs them
between two canary tenants, A and B, which are customers like any other. A attacks, and nothing of B may be disclosed or
changed. A probe says `held` only beside a control that shows that the same thing works where it may; what could not be
shown is `not proven`, never held.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

OWN_SESSION = "own"
TOO_MANY = 429
FAILING = 500
NO_CONNECTION = 599
"""The status of a reply that did not come: the connection was refused or broke, or it took too long."""
ALIKE = "Refused, as to nobody or as what never existed; beside it, what is one's own is answered"


class Outcome(StrEnum):
    """What came of an attack."""

    HELD = "held"
    BYPASSED = "bypassed"
    NOT_PROVEN = "not proven"


class Layer(StrEnum):
    """The layers that keep tenants apart."""

    AUTHENTICATION = "1 authentication"
    DATABASE = "2 database"
    NETWORK = "3 network"
    STORAGE = "4 storage"
    BILLING = "5 billing"
    PORTAL = "6 portal"


@dataclass(frozen=True)
class Observation:
    """What came of one attack on one subject, such as a place in an operation. `detail` tells how to see it again."""

    subject: str
    outcome: Outcome
    detail: str = ""
    kind: str = ""
    """The belonging of B that was attacked, if it was one: its layer and threats are the attack's, too."""


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP. `seconds` is the time until all of it was there."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    seconds: float

    @property
    def is_no_answer(self) -> bool:
        """Whether the system was not itself: throttled, failing or away. Of isolation that proves nothing."""
        return self.status == TOO_MANY or self.status >= FAILING

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """Return the body as JSON; raises ValueError."""
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the first header of a name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Party(Protocol):
    """A canary tenant's owner, signed in at the tenant's portal."""

    host: str
    mark: str
    """A word that stands in the name of everything that the tenant owns, and nowhere else."""
    ids: dict[str, str]
    """What the tenant owns, by the name that a path or a body has for it: `network_id`, `server_id`, ..."""
    token: str
    """Of the own session."""
    cookie: str
    """The Set-Cookie line of the last sign-in."""

    @property
    def colleague(self) -> "Party | None":
        """Another member of the tenant."""

    async def ask(
        self,
        method: str,
        target: str,
        *,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        host: str | None = None,
        session: str | None = OWN_SESSION,
    ) -> Reply:
        """Send one request with the own session, another one's token, or none; `body` is sent as JSON."""

    async def sign_in(self) -> str:
        """Sign in once more, and return the new session's token."""

    async def settle(self, answer: Reply) -> str | None:
        """Wait until what was asked for has been done; return the resource's id, or None if it did not come about."""


@dataclass(frozen=True)
class Scene:
    """A attacks B. They are at the same portal, or at two; `other_host` is some host that is not A's portal's."""

    a: Party
    b: Party
    other_host: str
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    """What Stripe signs webhooks with, if whoever verifies knows it."""


Attack = Callable[[Scene], AsyncIterator[Observation]]


@dataclass(frozen=True)
class Probe:
    """One kind of attack. `threats` are the ids of docs/isolation/threats.md."""

    id: str
    layer: Layer
    title: str
    threats: tuple[str, ...]
    attack: Attack
    expected: str = ALIKE
    """What has to be observed for the wall to have held."""


class NotHere(Exception):
    """The installation has nothing of a kind, and so nobody's can be attacked; the sentence says why."""


@dataclass(frozen=True)
class Belonging:
    """How a tenant comes to own one of a kind, by its own API.

    `make` returns its id, or None if it did not come about; raises NotHere where no tenant can have one.
    """

    name: str
    make: Callable[[Party], Awaitable[str | None]]
    layer: Layer
    aliases: tuple[str, ...] = field(default=())
    """Other names that bodies and queries have for the same."""
    needs: tuple[str, ...] = field(default=())
    """What it is a part of, and goes with."""
    brings: tuple[str, ...] = field(default=())
    """Kinds of cloud resources that come about with it, and have no name in the API."""
    threats: tuple[str, ...] = field(default=())
    """What docs/isolation/threats.md calls an attack on one of B's."""
