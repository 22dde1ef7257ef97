"""Every operation of the application, and every place in it where an id can stand, attacked with B's ids.

The answer to B's id has to be, byte for byte, the answer to an id that never existed. The control: the same request
with A's own id is answered otherwise.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from platforma.authentication.permissions import Permission, Role, allows
from platforma.kit.probes import OWN_SESSION, Observation, Outcome, Party, Reply, Scene
from platforma.verification.inventory import ApiOperation, IdPlace
from platforma.verification.oracle import Answer, differences, normalise, without_new
from platforma.verification.requests import PreparedRequest, UnknownPlaceError, prepare

IDENTITY_HEADERS = (
    "X-Tenant-ID",
    "X-Project-ID",
    "X-Account-ID",
    "X-Forwarded-User",
    "X-Remote-User",
    "X-User-Id",
    "X-Original-URL",
)
Remake = Callable[[str], Awaitable[None]]
"""Makes one thing of A's again."""
OWNER_FIELDS = (
    "tenant_id",
    "project_id",
    "portal_id",
    "account_id",
    "owner",
    "customer",
    "customer_id",
    "stripe_customer_id",
    "payment_method",
)
_NOTHING = "00000000-0000-4000-8000-000000000000"
"""For what belongs to the platform, where it has none."""
UNPROCESSABLE = 422
_MORE_TRIES = 2
_DESTRUCTIVE = {"GET": 0, "HEAD": 0, "PATCH": 1, "PUT": 1, "POST": 2, "DELETE": 3}


@dataclass(frozen=True)
class Names:
    """Whose id a place means: names of the same thing, and names of what belongs to nobody."""

    known: frozenset[str]
    aliases: Mapping[str, str]
    nobodys: frozenset[str]

    def of(self, place: IdPlace, operation: ApiOperation) -> str:
        """Return the name under which parties have the id: of a member's session it is `member_session_id`."""
        for parent in operation.path_names:
            joint = f"{parent.removesuffix('_id')}_{place.name}"
            if parent != place.name and joint in self.known:
                return joint
        return self.aliases.get(place.name, place.name)

    def tenants_places(self, operation: ApiOperation) -> list[IdPlace]:
        """Return the places where a tenant's id can stand."""
        return [place for place in operation.id_places() if place.name not in self.nobodys]


class Matrix:
    """The attacks on every operation. `operations` are the inventory, without those that are open to everybody."""

    def __init__(self, operations: Sequence[ApiOperation], names: Names) -> None:
        self._operations = sorted(operations, key=_order)
        self._names = names

    async def foreign_ids(self, scene: Scene) -> AsyncIterator[Observation]:
        """A01, A02, A07, A09: B's id in any place is an id that never existed."""
        for operation in self._operations:
            for place in self._names.tenants_places(operation):
                yield await self._try_foreign(scene, operation, place)

    async def owner_fields(self, scene: Scene) -> AsyncIterator[Observation]:
        """A03, A04, B05, B06: a field that names an owner, a customer or a card is refused, and by its name."""
        foreign = scene.b.ids.get("tenant_id") or next(iter(scene.b.ids.values()), str(uuid4()))
        for operation in self._operations:
            if operation.method in ("GET", "HEAD") or not operation.path.startswith("/api/"):
                continue
            yield await self._try_owner_fields(scene, operation, foreign)

    async def _try_owner_fields(self, scene: Scene, operation: ApiOperation, foreign: str) -> Observation:
        try:
            own = self._prepare(operation, scene.a)
        except UnknownPlaceError as error:
            return Observation(operation.id, Outcome.NOT_PROVEN, str(error))
        body = json.loads(own.body) if own.body else {}
        named = {name: foreign for name in OWNER_FIELDS if name not in body}
        content = json.dumps({**body, **named}).encode()
        request = replace(own, headers={**own.headers, "content-type": "application/json"}, body=content)
        reply = await _send(scene.a, request)
        shown = f"{request.method} {request.target} with {foreign} answers {reply.status}: {_sample(reply)}"
        if reply.is_no_answer:
            return Observation(operation.id, Outcome.NOT_PROVEN, shown)
        missed = [name for name in named if f'"body.{name}"' not in reply.text]
        if reply.status != UNPROCESSABLE or (missed and own.body):
            return Observation(operation.id, Outcome.BYPASSED, f"{shown}; not refused: {', '.join(missed)}")
        return Observation(operation.id, Outcome.HELD, f"answered {reply.status}")

    async def other_hosts(self, scene: Scene) -> AsyncIterator[Observation]:
        """P01: A's session is nobody's at another portal and at no portal."""
        hosts = (scene.other_host, f"nobody.{scene.a.host}")

        def judge(reply: Reply) -> bool:
            return _is_nobody(reply) and not reply.header("set-cookie") and scene.a.mark not in reply.text

        for operation in self._operations:
            yield await self._refused(operation, scene.a, [{"host": host} for host in hosts], judge)

    async def nobody(self, scene: Scene) -> AsyncIterator[Observation]:
        """A05, A21: without a session nothing is answered, and no header names somebody."""
        forged = dict.fromkeys(IDENTITY_HEADERS, scene.b.ids.get("tenant_id", str(uuid4())))
        ways: list[dict[str, Any]] = [{"session": None}, {"session": None, "headers": forged}]
        for operation in self._operations:
            yield await self._refused(operation, scene.a, ways, _is_nobody)

    async def roles(self, scene: Scene) -> AsyncIterator[Observation]:
        """What a member's role does not allow is refused to it, though it is its own tenant's."""
        colleague = scene.a.colleague
        if colleague is None:
            yield Observation("a colleague", Outcome.NOT_PROVEN, "A has no other member.")
            return
        for operation in self._operations:
            if not allows(Role.MEMBER, Permission(operation.permission or "")):
                ways = [{"session": colleague.token}]
                yield await self._refused(operation, scene.a, ways, lambda reply: reply.status == 403)

    async def _refused(
        self, operation: ApiOperation, party: Party, ways: Sequence[dict[str, Any]], judge: Callable[[Reply], bool]
    ) -> Observation:
        """Send A's own request in ways in which it has to be refused."""
        try:
            request = self._prepare(operation, party)
        except UnknownPlaceError as error:
            return Observation(operation.id, Outcome.NOT_PROVEN, str(error))
        replies = [await _send(party, request, **way) for way in ways]
        bad = [reply for reply in replies if not reply.is_no_answer and not judge(reply)]
        if bad:
            detail = "; ".join(
                f"{request.method} {request.target} answers {each.status}: {_sample(each)}" for each in bad
            )
            return Observation(operation.id, Outcome.BYPASSED, detail)
        statuses = ", ".join(str(reply.status) for reply in replies)
        outcome = Outcome.NOT_PROVEN if any(reply.is_no_answer for reply in replies) else Outcome.HELD
        return Observation(operation.id, outcome, f"answered {statuses}")

    async def controls(self, scene: Scene, remake: Remake) -> dict[str, str]:
        """Return why an operation proves nothing: with A's own ids its answer is that to an id that never existed.

        What changes and destroys comes last, and children before their parents; what one control has taken away is made
        again for the next.
        """
        failed = {}
        for operation in self._operations:
            try:
                own = await _send(scene.a, self._prepare(operation, scene.a))
                for _ in range(_MORE_TRIES):
                    if own.status != 404 and not own.is_no_answer:
                        break
                    for place in operation.required_places():
                        await remake(self._names.of(place, operation))
                    own = await _send(scene.a, self._prepare(operation, scene.a))
            except UnknownPlaceError as error:
                failed[operation.id] = str(error)
                continue
            if own.status in (401, 403, 404) or own.is_no_answer:
                failed[operation.id] = f"With A's own ids it answers {own.status}: {_sample(own)}"
        return failed

    async def _try_foreign(self, scene: Scene, operation: ApiOperation, place: IdPlace) -> Observation:
        subject, since = f"{operation.id} {place}", datetime.now(UTC)
        name = self._names.of(place, operation)
        if name not in scene.b.ids:
            return Observation(subject, Outcome.NOT_PROVEN, f"B has nothing that is a {name}.", name)
        foreign_id, unknown_id = scene.b.ids[name], str(uuid4())
        try:
            foreign = await _send(scene.a, self._prepare(operation, scene.a, {place: foreign_id}))
            unknown = await _send(scene.a, self._prepare(operation, scene.a, {place: unknown_id}))
        except UnknownPlaceError as error:
            return Observation(subject, Outcome.NOT_PROVEN, str(error), name)
        if foreign.is_no_answer or unknown.is_no_answer:
            shown = f"{foreign.status} and {unknown.status}: {_sample(foreign)}"
            return Observation(subject, Outcome.NOT_PROVEN, shown, name)
        answers = [_answer(foreign, foreign_id), _answer(unknown, unknown_id)]
        if operation.method != "GET" and place.location != "query" and max(foreign.status, unknown.status) < 400:
            # Both are bypasses, as is said below; whether they tell anything of B is not for what A has made by them.
            answers = [without_new(each, since) for each in answers]
        found = differences(*answers)
        if scene.b.mark in foreign.text:
            found.append("the answer has B's words in it")
        if place.location != "query" and foreign.status != 404:
            found.append(f"it answers {foreign.status}")
        if found:
            found.insert(0, f"{operation.method} {operation.path} with {foreign_id}")
        seen = "; ".join(found)[:1000] or f"answered {foreign.status}, byte for byte as to {unknown_id}"
        return Observation(subject, Outcome.BYPASSED if found else Outcome.HELD, seen, name)

    def _prepare(
        self, operation: ApiOperation, party: Party, foreign: Mapping[IdPlace, str] | None = None
    ) -> PreparedRequest:
        """Return the request with the party's own ids where there has to be one; raises UnknownPlaceError."""
        foreign = dict(foreign or {})
        ids = {}
        for place in operation.required_places():
            name = self._names.of(place, operation)
            if place not in foreign and name not in party.ids and place.name not in self._names.nobodys:
                raise UnknownPlaceError(f"A has nothing that is a {name}, for {place}.")
            ids[place] = foreign.get(place) or party.ids.get(name, _NOTHING)
        return prepare(operation, ids | foreign)


def _order(operation: ApiOperation) -> tuple[int, int, str]:
    return _DESTRUCTIVE.get(operation.method, 2), -len(operation.path_names), operation.id


async def _send(
    party: Party,
    request: PreparedRequest,
    *,
    host: str | None = None,
    session: str | None = OWN_SESSION,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    return await party.ask(
        request.method,
        request.target,
        content=request.body,
        headers={**request.headers, **(headers or {})},
        host=host,
        session=session,
    )


def _answer(reply: Reply, sent: str) -> Answer:
    return normalise(reply.status, reply.headers, reply.body, {sent: "id"})


def _is_nobody(reply: Reply) -> bool:
    """Say whether a request was taken for nobody's: by a refusal, or by the way to the sign-in page."""
    if reply.status == 303:
        return (reply.header("location") or "").startswith("/sign-in")
    return reply.status in (401, 404)


def _sample(reply: Reply) -> str:
    return " ".join(reply.text.split())[:200]
