"""The engine finds what is planted, says so only then, and says of what it could not try that it is not proven."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from platforma.authentication.probes import PROBES
from platforma.billing import probes as billing_probes
from platforma.billing import webhooks
from platforma.kit.probes import NO_CONNECTION, Belonging, Layer, NotHere, Observation, Outcome, Probe, Reply, Scene
from platforma.network import ports
from platforma.network import probes as network_probes
from platforma.network.walls import WALLS
from platforma.verification.collection import NOBODYS, collect_belongings, collect_probes
from platforma.verification.coverage import cover_kinds, cover_routes
from platforma.verification.engine import Engine
from platforma.verification.findings import Verification
from platforma.verification.inventory import ApiOperation
from tests.isolation.conftest import OPERATIONS
from tests.verification.conftest import Application, Between, untouched

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("scene_behind")]

SceneBehind = Callable[[Between], Awaitable[Scene]]
GUARDED = [each for each in OPERATIONS if each.permission is not None]
SOME = [each for each in GUARDED if each.path.startswith(("/api/v1/networks/", "/api/v1/volumes"))]


def have(belonging: Belonging) -> Belonging:
    """Return a belonging that a furnished tenant has already."""

    async def make(party: Any) -> str | None:
        return party.ids.get(belonging.name)  # type: ignore[no-any-return]

    return replace(belonging, make=make)


def engine(operations: Sequence[ApiOperation] = SOME, probes: Sequence[Probe] = ()) -> Engine:
    """Return an engine for tenants that have everything."""
    return Engine(operations, probes, [have(each) for each in collect_belongings()], NOBODYS, timing_pairs=20)


def of(found: Verification, probe: str) -> list[Observation]:
    """Return what a probe has seen."""
    return [each.observation for each in found.findings if each.probe == probe]


def bypassed(found: Verification) -> dict[str, set[str]]:
    """Return the subjects of what was found to be open, by probe."""
    seen: dict[str, set[str]] = {}
    for each in found.findings:
        if each.observation.outcome is Outcome.BYPASSED:
            seen.setdefault(each.probe, set()).add(each.observation.subject)
    return seen


async def test_all_holds_where_nothing_was_planted(scene_behind: SceneBehind) -> None:
    found = await engine(probes=PROBES).verify(await scene_behind(untouched))
    assert bypassed(found) == {}
    assert len(of(found, "foreign ids")) > 10
    assert {each.outcome for each in of(found, "foreign ids")} == {Outcome.HELD}
    assert {each.outcome for each in of(found, "timing")} == {Outcome.HELD}
    assert cover_routes(SOME, found.findings, found.absent).missing == []
    for probe in PROBES:
        assert {each.outcome for each in of(found, probe.id)} == {Outcome.HELD}, of(found, probe.id)


async def test_the_walls_of_networks_hold(scene_behind: SceneBehind) -> None:
    found = await engine(operations=[], probes=network_probes.PROBES).verify(await scene_behind(untouched))
    seen = of(found, "network walls")
    assert [each for each in seen if each.outcome is not Outcome.HELD] == []
    assert len(seen) == sum(wall.path != "/servers" for wall in WALLS)


async def test_a_wall_that_lets_everything_through_is_found(
    scene_behind: SceneBehind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "lies_within", lambda *_: True)
    found = await engine(operations=[], probes=network_probes.PROBES).verify(await scene_behind(untouched))
    assert len(bypassed(found)["network walls"]) == sum("_addresses=" in wall.id for wall in WALLS)


async def test_a_field_that_names_an_owner_and_is_taken_is_found(scene_behind: SceneBehind) -> None:
    """Something before the application takes the field away, as a model would that ignores what it does not know."""

    async def ignoring(application: Application, scope: Any, receive: Any, send: Any) -> None:
        async def without() -> Any:
            message = await receive()
            body = message.get("body", b"").replace(b', "customer": "', b', "description": "')
            return {**message, "body": body}

        takes = scope["path"] == "/api/v1/volumes"
        await application(scope, without if takes else receive, send)

    seen = await engine().verify(await scene_behind(ignoring))
    assert bypassed(seen) == {"owner fields": {"create_volume"}}
    assert "not refused: customer" in next(
        each.detail for each in of(seen, "owner fields") if each.outcome is Outcome.BYPASSED
    )


async def test_what_is_attacked_says_which_layer_it_was(scene_behind: SceneBehind) -> None:
    money = [each for each in GUARDED if each.path.startswith("/api/v1/invoices/{")]
    found = await engine(operations=money).verify(await scene_behind(untouched))
    attacks = [each for each in found.findings if each.probe == "foreign ids"]
    assert attacks
    assert all(each.layer is Layer.BILLING and {"B01", "B06"} <= set(each.threats) for each in attacks)


async def test_a_confused_deputy_is_found(scene_behind: SceneBehind) -> None:
    """Whoever names something of B is taken for B."""
    scenes: list[Scene] = []

    async def confused(application: Application, scope: Any, receive: Any, send: Any) -> None:
        b = scenes[0].b if scenes else None
        if b is not None and b.ids["network_id"] in scope["path"]:
            headers = {b"host": b.host.encode(), b"cookie": f"__Host-platforma={b.token}".encode()}
            kept = [(key, value) for key, value in scope["headers"] if key not in headers]
            scope = {**scope, "headers": [*kept, *headers.items()]}
        await application(scope, receive, send)

    scenes.append(await scene_behind(confused))
    seen = bypassed(await engine().verify(scenes[0]))
    assert "get_network path.network_id" in seen["foreign ids"]
    assert "change_network path.network_id" in seen["foreign ids"]
    assert not any("volume" in subject for subject in seen["foreign ids"])
    assert seen["victim unchanged"]


async def answer(send: Any, status: int, body: bytes = b"") -> None:
    """Answer instead of the application."""
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def _with_changed_answers(
    application: Application, scope: Any, receive: Any, send: Any, change: Callable[[Any], Any]
) -> None:
    async def changed(message: Any) -> None:
        await send(change(message))

    await application(scope, receive, changed)


async def test_a_header_that_tells_is_found(scene_behind: SceneBehind) -> None:
    scenes: list[Scene] = []

    async def telling(application: Application, scope: Any, receive: Any, send: Any) -> None:
        tells = bool(scenes) and scenes[0].b.ids["volume_id"] in scope["path"]

        def change(message: Any) -> Any:
            if tells and message["type"] == "http.response.start":
                return {**message, "headers": [*message["headers"], (b"x-cache", b"hit")]}
            return message

        await _with_changed_answers(application, scope, receive, send, change)

    scenes.append(await scene_behind(telling))
    seen = bypassed(await engine().verify(scenes[0]))
    assert "get_volume path.volume_id" in seen["foreign ids"]
    assert set(seen) == {"foreign ids", "victim unchanged"} or set(seen) == {"foreign ids"}


async def test_a_time_that_tells_is_found(scene_behind: SceneBehind, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is set by hand: a test that waits for real time fails on a busy machine."""
    scene = await scene_behind(untouched)
    slow, ask = f"/api/v1/volumes/{scene.b.ids['volume_id']}", scene.a.ask

    async def timed(method: str, target: str, **how: Any) -> Reply:
        return replace(await ask(method, target, **how), seconds=0.0012 if target == slow else 0.0011)

    monkeypatch.setattr(scene.a, "ask", timed)
    assert bypassed(await engine().verify(scene)) == {"timing": {"get_volume"}}


async def test_a_session_that_travels_is_found(scene_behind: SceneBehind) -> None:
    scenes: list[Scene] = []

    async def travelling(application: Application, scope: Any, receive: Any, send: Any) -> None:
        cookies = dict(scope["headers"]).get(b"cookie", b"")
        if scenes and scenes[0].a.token.encode() in cookies:
            kept = [(key, value) for key, value in scope["headers"] if key != b"host"]
            scope = {**scope, "headers": [*kept, (b"host", scenes[0].a.host.encode())]}
        await application(scope, receive, send)

    scenes.append(await scene_behind(travelling))
    seen = bypassed(await engine().verify(scenes[0]))
    assert "get_network" in seen["other hosts"]


async def test_an_open_door_is_found(scene_behind: SceneBehind) -> None:
    async def open_door(application: Application, scope: Any, receive: Any, send: Any) -> None:
        has_cookie = b"cookie" in dict(scope["headers"])
        if not has_cookie and scope["path"] == "/api/v1/volumes":
            await answer(send, 200, b'{"items": []}')
            return
        await application(scope, receive, send)

    seen = bypassed(await engine().verify(await scene_behind(open_door)))
    assert seen == {"nobody": {"list_volumes", "create_volume"}}


@pytest.mark.parametrize("status", [429, 500])
async def test_a_system_that_is_not_itself_proves_nothing(scene_behind: SceneBehind, status: int) -> None:
    async def failing(application: Application, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/api/v1/volumes/"):
            await answer(send, status)
            return
        await application(scope, receive, send)

    found = await engine().verify(await scene_behind(failing))
    outcomes = {each.outcome for each in of(found, "foreign ids") if each.subject.startswith("get_volume ")}
    assert outcomes == {Outcome.NOT_PROVEN}
    assert not found.is_safe
    assert "get_volume" in cover_routes(SOME, found.findings, found.absent).missing


@pytest.mark.parametrize("status", [429, 503, NO_CONNECTION])
async def test_a_system_that_fails_for_a_while_is_neither_safe_nor_bypassed(
    scene_behind: SceneBehind, status: int
) -> None:
    """It is away from the 40th request to the 200th, as while it restarts or throttles."""
    asked = 0

    async def restarting(application: Application, scope: Any, receive: Any, send: Any) -> None:
        nonlocal asked
        asked += 1
        await (answer(send, status) if 40 < asked < 200 else application(scope, receive, send))

    found = await engine(probes=PROBES).verify(await scene_behind(restarting))
    assert asked > 200
    assert bypassed(found) == {}
    assert found.count(Outcome.NOT_PROVEN) > 10
    assert not found.is_safe
    assert cover_routes(SOME, found.findings, found.absent).missing


async def test_a_kind_that_nobody_furnished_is_not_proven(scene_behind: SceneBehind) -> None:
    scene = await scene_behind(untouched)
    del scene.b.ids["volume_id"]
    found = await engine().verify(scene)
    assert not found.is_safe
    reasons = [each.detail for each in of(found, "foreign ids") if each.outcome is Outcome.NOT_PROVEN]
    assert "B has nothing that is a volume_id." in reasons


async def test_a_control_that_fails_proves_nothing(scene_behind: SceneBehind) -> None:
    """Where A's own ids are unknown as well, nothing was shown by B's being so."""

    async def empty(application: Application, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/api/v1/volumes/"):
            scope = {**scope, "path": "/api/v1/volumes/00000000-0000-4000-8000-000000000000"}
        await application(scope, receive, send)

    found = await engine().verify(await scene_behind(empty))
    outcomes = {each.outcome for each in of(found, "foreign ids") if each.subject.startswith("get_volume ")}
    assert outcomes == {Outcome.NOT_PROVEN}


async def test_a_probe_that_breaks_off_is_not_proven(scene_behind: SceneBehind) -> None:
    async def broken(scene: Scene) -> Any:
        yield Observation("first", Outcome.HELD)
        raise ValueError("no JSON")

    probe = Probe("broken", collect_probes()[0].layer, "Broken", (), broken)
    found = await engine(probes=[probe]).verify(await scene_behind(untouched))
    assert [each.outcome for each in of(found, "broken")] == [Outcome.HELD, Outcome.NOT_PROVEN]


async def test_an_open_door_that_knows_somebody_by_a_header_is_found(scene_behind: SceneBehind) -> None:
    async def believing(application: Application, scope: Any, receive: Any, send: Any) -> None:
        is_named = b"x-tenant-id" in dict(scope["headers"]) and scope["path"] == "/api/v1/webhooks/stripe"
        await (answer(send, 200, b"{}") if is_named else application(scope, receive, send))

    opened = [each for each in OPERATIONS if each.permission is None]
    found = await engine(operations=opened).verify(await scene_behind(believing))
    assert bypassed(found) == {"open doors": {"receive_stripe_event"}}
    assert cover_routes(opened, found.findings, found.absent).missing == []


async def test_what_no_tenant_can_have_is_absent_and_what_did_not_come_about_is_uncovered(
    scene_behind: SceneBehind,
) -> None:
    async def nowhere(party: Any) -> str | None:
        raise NotHere("The cloud has no volumes.")

    async def failed(party: Any) -> str | None:
        return None

    absences = {"volume_id": nowhere, "network_id": failed}
    scene = await scene_behind(untouched)
    belongings = [
        replace(each, make=absences[each.name]) if each.name in absences else have(each)
        for each in collect_belongings()
    ]
    for party in (scene.a, scene.b):
        for name in absences:
            del party.ids[name]
    found = await Engine(SOME, [], belongings, NOBODYS, timing_pairs=1).verify(scene)
    routes = cover_routes(SOME, found.findings, found.absent)
    assert not any("volume" in name for name in routes.total - {"list_volumes", "create_volume"})
    assert "get_network" in routes.missing
    kinds = cover_kinds(["network", "volume"], belongings, found.furnished, ["volume_id"], SOME, routes)
    assert kinds.numbers == [0, 1]


async def test_the_walls_of_billing_hold_and_webhooks_of_any_age_are_found(
    scene_behind: SceneBehind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an endpoint that refuses everything proves nothing."""
    is_away, is_signed = False, webhooks.is_signed

    async def between(application: Application, scope: Any, receive: Any, send: Any) -> None:
        is_refused = is_away and scope["path"] == "/api/v1/webhooks/stripe"
        await (answer(send, 400) if is_refused else application(scope, receive, send))

    def for_ever(*signed: Any, now: float, tolerance: int) -> bool:
        return is_signed(*signed, now=now, tolerance=10**12)

    scene = await scene_behind(between)
    found = await engine(operations=[], probes=billing_probes.PROBES).verify(scene)
    seen = [each.observation for each in found.findings if each.layer is Layer.BILLING]
    assert [each for each in seen if each.outcome is not Outcome.HELD] == []
    assert {each.probe for each in found.findings} >= {probe.id for probe in billing_probes.PROBES}
    assert len(of(found, "webhooks")) == 9
    on_webhooks = [probe for probe in billing_probes.PROBES if probe.id == "webhooks"]
    with monkeypatch.context() as patched:
        patched.setattr(webhooks, "is_signed", for_ever)
        found = await engine(operations=[], probes=on_webhooks).verify(scene)
    assert bypassed(found) == {"webhooks": {"an hour old", "of the future"}}
    is_away = True
    found = await engine(operations=[], probes=on_webhooks).verify(scene)
    assert {each.outcome for each in of(found, "webhooks")} == {Outcome.NOT_PROVEN}


async def test_bills_that_can_be_reached_are_found(scene_behind: SceneBehind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks that nobody verifies, and A taken for B wherever it names something of B's."""
    scenes: list[Scene] = []

    async def confused(application: Application, scope: Any, receive: Any, send: Any) -> None:
        cookies = dict(scope["headers"]).get(b"cookie", b"")
        if scope["path"] == "/api/v1/billing/budgets" and scope["method"] == "GET" and a_token(scenes) in cookies:
            await answer(send, 200, b'{"items": []}')
            return
        if scope["path"] == "/api/v1/billing/details" and scope["method"] == "PUT":
            await answer(send, 200, b"{}")
            return
        named = scope["path"].encode() + scope["query_string"]
        if scenes and any(id_.encode() in named for id_ in scenes[0].b.ids.values()):
            cookie = f"__Host-platforma={scenes[0].b.token}".encode()
            headers = {b"host": scenes[0].b.host.encode(), b"cookie": cookie}
            kept = [(key, value) for key, value in scope["headers"] if key not in headers]
            scope = {**scope, "headers": [*kept, *headers.items()], "query_string": b""}
        await application(scope, receive, send)

    def a_token(scenes: list[Scene]) -> bytes:
        return scenes[0].a.token.encode() if scenes else b"-"

    monkeypatch.setattr(webhooks, "is_signed", lambda *_, **__: True)
    scenes.append(await scene_behind(confused))
    scenes[0].b.ids["tenant_id"] = "00000000-0000-4000-8000-00000000000b"
    seen = bypassed(await engine(operations=[], probes=billing_probes.PROBES).verify(scenes[0]))
    assert {"GET /invoices?tenant_id", "GET /billing/details?tenant_id"} <= seen["billing records"]
    assert len(seen["webhooks"]) == 8
    assert seen["keys"] == {"a budget's name"}
    assert "PUT /billing/details with customer" in seen["customers"]
    assert {"pay B's invoice", "collect from B's card", "remove B's card"} <= seen["payments"]
    assert "B's invoice, payments and cards are as before" in seen["payments"]
