"""Operators' signing in has the properties of members': the cookie, new tokens, equal answers, the rate limit."""

import re

import pytest

from platforma.database.database import Database
from platforma.kit.problems import Invalid
from platforma.operator.errors import OperatorExists
from platforma.operator.service import create_operator
from platforma.settings import SignInLimit
from tests.database.server import TestDatabase
from tests.database.tenants import PASSWORD, Secret, SignedIn
from tests.operator.conftest import Plane, Stretched, token_of


async def test_the_cookie_has_every_protection(nobody: Plane) -> None:
    response = await nobody.sign_in()
    assert response.status_code == 201
    assert response.json() == {"id": response.json()["id"], "email": nobody.email, "name": "Olga"}
    cookie = response.headers["set-cookie"]
    pattern = r"__Host-platforma-operator=[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax"
    assert re.fullmatch(pattern, cookie)
    assert response.headers["cache-control"] == "no-store"
    assert (await nobody.call("GET", "/me", status=200, token=token_of(response)))["email"] == nobody.email


async def test_only_the_hash_is_stored(nobody: Plane) -> None:
    token = token_of(await nobody.sign_in())
    for table in await nobody.rows(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables"
        " WHERE schemaname IN ('public', 'gate', 'jobs')"
    ):
        assert not await nobody.rows(f"SELECT 1 FROM {table['name']} t WHERE t::text LIKE %s", f"%{token}%")


async def test_a_sign_in_ends_the_session_before_and_adopts_none(nobody: Plane) -> None:
    first = token_of(await nobody.sign_in(token="p" * 43))
    assert first != "p" * 43
    second = token_of(await nobody.sign_in(token=first))
    assert second != first
    for token, status in ((first, 401), ("p" * 43, 401), (second, 200)):
        await nobody.call("GET", "/me", status=status, token=token)


async def test_signing_out_works_on_the_next_request(plane: Plane) -> None:
    await plane.call("GET", "/me", status=200)
    response = await plane.send("DELETE", "/api/v1/session")
    assert (response.status_code, "Max-Age=0" in response.headers["set-cookie"]) == (204, True)
    await plane.call("GET", "/me", status=401)
    await plane.call("DELETE", "/session", status=204, token=None)


async def test_a_suspended_operator_is_shut_out_on_the_next_request(plane: Plane) -> None:
    await plane.call("GET", "/me", status=200)
    await plane.administrator.execute(b"UPDATE operators SET status = 'suspended' WHERE email = %s", (plane.email,))
    await plane.call("GET", "/me", status=401)
    assert (await plane.sign_in()).status_code == 401


async def test_wrong_answers_are_alike(nobody: Plane, a: SignedIn) -> None:
    """A wrong password, an unknown e-mail and a member with the right password of a portal are one answer."""
    answers = []
    for email, password in ((nobody.email, "not the password"), ("x@x.example", PASSWORD), (a.email, PASSWORD)):
        response = await nobody.sign_in(email=email, password=password)
        headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
        answers.append((response.status_code, headers, response.content))
    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers)
    assert (await nobody.sign_in()).status_code == 201


async def test_the_same_work_is_done_for_an_unknown_email(nobody: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    stretcher = nobody.app.state.authenticator._stretcher
    salts: list[bytes] = []
    stretch = stretcher.stretch

    async def watched(password: str, salt: bytes) -> bytes:
        salts.append(salt)
        return bytes(await stretch(password, salt))

    monkeypatch.setattr(stretcher, "stretch", watched)
    for email in (nobody.email, "nobody@x.example", "nobody@x.example"):
        await nobody.sign_in(email=email, password="wrong")
    assert [len(salt) for salt in salts] == [16] * 3
    assert salts[1] == salts[2]


class TestRateLimit:
    """Attempts are limited by the source, and by the source at an account; never by the account alone."""

    @pytest.fixture
    def database(self, fresh_database: TestDatabase) -> TestDatabase:
        """Buckets that nobody has spent from."""
        return fresh_database

    @pytest.fixture
    def limit(self) -> SignInLimit:
        return SignInLimit(source_capacity=8, source_refill=0.001, account_capacity=4, account_refill=0.001)

    async def test_a_source_is_slowed_down_and_the_operator_elsewhere_is_not(self, nobody: Plane) -> None:
        answers = [await nobody.sign_in(password="wrong") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0
        assert (await nobody.sign_in()).status_code == 429
        nobody.client._transport.client = ("198.51.100.9", 1)  # type: ignore[attr-defined]
        assert (await nobody.sign_in()).status_code == 201

    async def test_spraying_is_slowed_down(self, nobody: Plane) -> None:
        codes = [(await nobody.sign_in(email=f"u{n}@x.example", password="Summer2026")).status_code for n in range(12)]
        assert 429 in codes


async def test_operators_are_created_once_with_a_long_password(
    nobody: Plane, operator_database: Database, secret: Secret
) -> None:
    stretcher = Stretched(secret)
    with pytest.raises(OperatorExists, match=nobody.email):
        await create_operator(operator_database, stretcher, f" {nobody.email.upper()}", "Olga", PASSWORD)
    with pytest.raises(Invalid):
        await create_operator(operator_database, stretcher, "new@x.example", "New", "too short")
    assert not await nobody.rows("SELECT 1 FROM operators WHERE email = 'new@x.example'")
