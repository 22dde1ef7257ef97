"""Signing in: the cookie, new tokens, equal answers, the rate limit (A14, A15, A18, P08)."""

import re
from typing import Any

import psycopg
import pytest

from platforma.authentication.permissions import Role
from platforma.settings import SignInLimit
from tests.authentication.conftest import Portal, token_of
from tests.database.server import TestDatabase
from tests.isolation.world import Tenancy


async def test_the_cookie_has_every_protection(portal: Portal, a: Tenancy) -> None:
    response = await portal.sign_in(a)
    assert response.status_code == 201
    cookie = response.headers["set-cookie"]
    assert re.fullmatch(r"__Host-platforma=[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax", cookie)
    assert response.headers["cache-control"] == "no-store"
    assert await portal.me(a, token_of(response)) == 200


async def test_only_the_hash_is_stored(portal: Portal, a: Tenancy, administrator: psycopg.AsyncConnection) -> None:
    """No table of any schema has the token, nor the password, nor what it is stretched to."""
    token = token_of(await portal.sign_in(a))
    tables = await (
        await administrator.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname IN ('public', 'gate', 'jobs')"
        )
    ).fetchall()
    for (table,) in tables:
        found = await (
            await administrator.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE %s", (f"%{token}%",))
        ).fetchone()
        assert found == (0,), table


async def test_a_sign_in_ends_the_session_before(portal: Portal, a: Tenancy) -> None:
    """A15: a token that was planted in the browser is worthless after the sign-in."""
    first = token_of(await portal.sign_in(a))
    second = token_of(await portal.sign_in(a, token=first))
    assert second != first
    assert await portal.me(a, first) == 401
    assert await portal.me(a, second) == 200


async def test_a_planted_token_is_not_adopted(portal: Portal, a: Tenancy) -> None:
    """A15: a token of the attacker's choice never becomes a session."""
    planted = "p" * 43
    token = token_of(await portal.sign_in(a, token=planted))
    assert token != planted
    assert await portal.me(a, planted) == 401


async def test_wrong_answers_are_alike(portal: Portal, a: Tenancy, b: Tenancy) -> None:
    """P08: a wrong password, an unknown e-mail, an e-mail of another portal and an unknown host are one answer."""
    answers = []
    for host, email in (
        (a.host, f"owner@{a.canary}.example"),
        (a.host, "nobody@example.org"),
        (a.host, f"owner@{b.canary}.example"),
        ("unknown.localhost", f"owner@{a.canary}.example"),
    ):
        response = await portal.send(
            "POST", "/api/v1/session", host=host, json={"email": email, "password": "not the password"}
        )
        headers = {name: value for name, value in response.headers.items() if name != "x-request-id"}
        answers.append((response.status_code, headers, response.content))
    assert answers[0][0] == 401
    assert all(answer == answers[0] for answer in answers)
    right = await portal.sign_in(a)
    assert right.status_code == 201


async def test_the_same_work_is_done_for_an_unknown_email(
    portal: Portal, a: Tenancy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P08, in time: the password is stretched once whoever is named, with the same salt at every try."""
    stretcher = portal.app.state.authenticator._stretcher
    salts: list[bytes] = []
    stretch = stretcher.stretch

    async def watched(password: str, salt: bytes) -> bytes:
        salts.append(salt)
        return bytes(await stretch(password, salt))

    monkeypatch.setattr(stretcher, "stretch", watched)
    for email in (f"owner@{a.canary}.example", "nobody@example.org", "nobody@example.org"):
        await portal.send("POST", "/api/v1/session", host=a.host, json={"email": email, "password": "wrong"})
    assert len(salts) == 3
    assert {len(salt) for salt in salts} == {16}
    assert salts[1] == salts[2]


async def test_the_session_is_for_its_own_portal(portal: Portal, a: Tenancy, b: Tenancy) -> None:
    """P01, and its twin at the own portal."""
    token = token_of(await portal.sign_in(a))
    assert await portal.me(a, token) == 200
    for host in (b.host, "unknown.localhost", f"{a.host}.evil.example", f"evil-{a.host}"):
        response = await portal.send("GET", "/api/v1/me", host=host, token=token)
        assert response.status_code == 401
        assert "set-cookie" not in response.headers


async def test_email_is_compared_in_one_form(portal: Portal, a: Tenancy) -> None:
    response = await portal.send(
        "POST",
        "/api/v1/session",
        host=a.host,
        json={"email": f"OWNER@{a.canary.upper()}.Example", "password": "correct horse battery staple"},
    )
    assert response.status_code == 201


class TestRateLimit:
    """A18: attempts are limited by the source, and by the source at an account; never by the account alone."""

    @pytest.fixture
    def database(self, fresh_database: TestDatabase) -> TestDatabase:
        """Buckets that nobody has spent from."""
        return fresh_database

    @pytest.fixture
    def limit(self) -> SignInLimit:
        return SignInLimit(source_capacity=8, source_refill=0.001, account_capacity=4, account_refill=0.001)

    async def test_a_source_is_slowed_down(self, portal: Portal, a: Tenancy) -> None:
        answers = [await portal.sign_in(a, password="wrong") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [401] * 4 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) > 0
        assert answers[-1].headers["content-type"] == "application/problem+json"

    async def test_spraying_is_slowed_down(self, portal: Portal, a: Tenancy) -> None:
        codes = []
        for number in range(12):
            response = await portal.send(
                "POST", "/api/v1/session", host=a.host, json={"email": f"u{number}@x.example", "password": "Summer2026"}
            )
            codes.append(response.status_code)
        assert 429 in codes

    async def test_the_victim_is_not_locked_out(self, portal: Portal, a: Tenancy) -> None:
        """The attacker's address is shut, the owner's at another address is not."""
        for _ in range(8):
            await portal.sign_in(a, password="wrong")
        assert (await portal.sign_in(a)).status_code == 429
        elsewhere = Portal(portal.client, portal.app)
        portal.client._transport.client = ("198.51.100.9", 1)  # type: ignore[attr-defined]
        assert (await elsewhere.sign_in(a)).status_code == 201

    async def test_one_host_of_ipv6_is_one_source(self, portal: Portal, a: Tenancy) -> None:
        """A host has 2^64 addresses; IPv4 written as IPv6 is IPv4."""
        transport: Any = portal.client._transport
        codes = []
        for number in range(6):
            transport.client = (f"2001:db8:1:2::{number:x}", 1)
            codes.append((await portal.sign_in(a, password="wrong")).status_code)
        assert codes == [401] * 4 + [429] * 2
        transport.client = ("2001:db8:1:3::1", 1)
        assert (await portal.sign_in(a)).status_code == 201
        for address in ("198.51.100.9", "::ffff:198.51.100.9") * 2:
            transport.client = (address, 1)
            assert (await portal.sign_in(a, password="wrong")).status_code == 401
        assert (await portal.sign_in(a)).status_code == 429

    async def test_a_stolen_session_cannot_try_passwords_without_end(self, portal: Portal, a: Tenancy) -> None:
        """And the member is locked out of nothing by that."""
        token = token_of(await portal.sign_in(a))
        codes = []
        for _ in range(6):
            body = {"present_password": "a guess of mine", "new_password": "another good sentence"}
            answer = await portal.send("POST", "/api/v1/me/password", host=a.host, token=token, json=body)
            codes.append(answer.status_code)
        assert codes == [422] * 4 + [429] * 2
        assert int(answer.headers["retry-after"]) > 0
        assert (await portal.sign_in(a)).status_code == 201

    async def test_no_row_per_attempt(self, portal: Portal, a: Tenancy, administrator: psycopg.AsyncConnection) -> None:
        async def rows() -> int:
            tables = await (
                await administrator.execute(
                    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                    "WHERE schemaname IN ('public', 'gate', 'jobs')"
                )
            ).fetchall()
            total = 0
            for (table,) in tables:
                row = await (await administrator.execute(f"SELECT count(*) FROM {table}")).fetchone()
                total += row[0] if row else 0
            return total

        before = await rows()
        for number in range(20):
            await portal.send(
                "POST", "/api/v1/session", host=a.host, json={"email": f"u{number}@x.example", "password": "x"}
            )
        assert await rows() == before


async def test_a_forged_forwarded_address_does_not_help(portal: Portal, a: Tenancy) -> None:
    """A21: without a trusted proxy the header that names another source is ignored."""
    token = token_of(
        await portal.send(
            "POST",
            "/api/v1/session",
            host=a.host,
            json={"email": f"{Role.OWNER}@{a.canary}.example", "password": "correct horse battery staple"},
            headers={"x-forwarded-for": "203.0.113.99"},
        )
    )
    sessions = (await portal.send("GET", "/api/v1/sessions", host=a.host, token=token)).json()["items"]
    assert "203.0.113.99" not in str(sessions)
    assert "192.0.2.7" in str(sessions)
