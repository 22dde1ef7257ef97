"""What is not furnished or not named is a hole in the verification; and what it says in numbers is right."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import psycopg
import pytest

from platforma.database.roles import DatabaseRole
from platforma.kit.probes import Layer, Observation, Outcome
from platforma.settings import Settings
from platforma.verification.catalog import verify_catalog
from platforma.verification.collection import NOBODYS, collect_belongings, collect_probes
from platforma.verification.coverage import cover_tables
from platforma.verification.findings import Finding, Verification
from platforma.verification.live import address_of, find_strangers, measured, open_client
from platforma.verification.party import HttpParty, PartyError
from platforma.verification.timing import SIGNIFICANCE, sign_test
from tests.database.server import TestDatabase
from tests.isolation.conftest import OPERATIONS

GUARDED = [each for each in OPERATIONS if each.permission is not None]


def test_every_id_that_can_be_named_is_somebodys() -> None:
    """A new kind of thing that no package furnishes canaries with is a hole in the verification."""
    belongings = collect_belongings()
    known = {name for each in belongings for name in (each.name, *each.aliases)} | NOBODYS | {"operation_id"}
    named = {place.name for each in GUARDED for place in each.id_places()}
    assert named <= known


def test_belongings_and_probes_are_named_once() -> None:
    for names in ([each.name for each in collect_belongings()], [each.id for each in collect_probes()]):
        assert len(names) == len(set(names))


def test_the_sign_test_is_one() -> None:
    assert sign_test(30, 60) == 1.0
    assert sign_test(60, 60) == pytest.approx(2 / 2**60)
    assert sign_test(44, 60) > SIGNIFICANCE > sign_test(47, 60)


def test_nothing_found_is_not_safe() -> None:
    empty: tuple[Finding, ...] = ()
    moment: Any = None
    assert not Verification(moment, moment, empty).is_safe


def test_what_runs_and_is_not_known_is_not_proven() -> None:
    document = {"paths": {"/api/v1/new": {"get": {"operationId": "list_new"}}}}
    (stranger,) = find_strangers(GUARDED, document)
    assert stranger.observation.outcome is Outcome.NOT_PROVEN
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    found = measured(Verification(moment, moment, (stranger,)), [], [])
    assert found.coverage is not None
    assert found.coverage.routes.missing == ["list_new"]
    assert not found.is_safe
    (silent,) = find_strangers(GUARDED, None)
    assert silent.observation.outcome is Outcome.NOT_PROVEN


def test_a_catalog_that_cannot_be_read_covers_no_table() -> None:
    tables, (seen,) = verify_catalog("postgresql://nobody@127.0.0.1:1/nothing")
    assert tables == []
    assert seen.observation.outcome is Outcome.NOT_PROVEN


def test_a_table_that_nobody_declared_is_found_by_name(fresh_database: TestDatabase) -> None:
    operator_url = fresh_database.url(DatabaseRole.OPERATOR)
    with psycopg.connect(fresh_database.administrator_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.of_nobody (tenant_id uuid)")
        connection.execute("ALTER TABLE tenants DISABLE ROW LEVEL SECURITY")
    tables, found = verify_catalog(operator_url)
    outcomes = {each.observation.subject: each.observation.outcome for each in found}
    wrong = {subject for subject, outcome in outcomes.items() if outcome is Outcome.BYPASSED}
    assert wrong == {"public.of_nobody", "public.tenants"}
    assert set(tables) <= outcomes.keys()
    assert cover_tables(tables, found).missing == []


@pytest.mark.parametrize(
    ("host", "address"),
    [("aurora.localhost", "http://127.0.0.1:8080"), ("cloud.aurora.example", "http://cloud.aurora.example:8080")],
)
def test_the_settings_say_where_a_portal_answers(host: str, address: str) -> None:
    assert address_of(Settings(public_scheme="http", public_port=8080), host) == address


async def test_a_connection_that_breaks_is_no_answer() -> None:
    def broken(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(broken), base_url="http://portal.test") as client:
        party = HttpParty(client, host="portal.test", mark="m", email="e", password="p", patience_seconds=1)
        assert (await party.ask("GET", "/api/v1/me")).is_no_answer
        with pytest.raises(PartyError):
            await party.sign_in()


async def test_the_contract_for_machines() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    held = Finding("catalog", Layer.DATABASE, ("D11",), Observation("public.tenants", Outcome.HELD))
    bypassed = Finding("walls", Layer.NETWORK, (), Observation("W1", Outcome.BYPASSED, "POST answers 200"))
    plain = measured(Verification(moment, moment, (held, bypassed)), [], ["public.tenants"]).plain()
    assert plain["started"] == plain["finished"] == "2026-11-23T00:00:00Z"
    assert plain["coverage"] == {"routes": [0, 0], "tables": [1, 1], "cloud_resources": [0, 13]}
    assert plain["bypasses"] == 1
    assert plain["is_safe"] is False
    keys = {"id", "layer", "attack", "expected", "observed", "verdict"}
    assert all(keys <= probe.keys() for probe in plain["probes"])
    assert [probe["verdict"] for probe in plain["probes"]] == ["held", "bypassed"]
    assert plain["probes"][1]["observed"] == "POST answers 200"


async def test_the_client_keeps_no_cookies() -> None:
    """Else what is asked as nobody would be asked as A, wherever the portal is reached over HTTPS."""
    cookies: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        cookies.append(request.headers.get("cookie"))
        return httpx2.Response(200, headers={"set-cookie": "__Host-platforma=secret; Path=/; Secure; HttpOnly"})

    async with open_client("https://portal.test", httpx2.MockTransport(answer)) as client:
        party = HttpParty(client, host="portal.test", mark="m", email="e", password="p", patience_seconds=1)
        for _ in range(2):
            await party.ask("GET", "/", session=None)
    assert cookies == [None, None]
