"""Signing in, sessions and invitations, as the gate grants them to a portal process."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import psycopg
import pytest

from platforma.database.database import Database
from platforma.database.gate_calls import OperatorBinding
from platforma.database.roles import DatabaseRole
from platforma.kit.crypto import new_token
from platforma.kit.ids import new_id
from platforma.tenants.models import Member
from tests.database.gate import Connection, call, open_session, until_it_waits, values
from tests.database.server import TestDatabase
from tests.database.tenants import Secret, SignedIn, TwoTenants, invite_and_accept, sign_in

LIMITS = {"source_capacity": 30.0, "source_refill": 0.5, "account_capacity": 5.0, "account_refill": 0.03}


@pytest.fixture
async def portal(database: TestDatabase) -> AsyncIterator[Connection]:
    async with database.connect(DatabaseRole.PORTAL) as connection:
        yield connection


async def try_sign_in(portal: Connection, host: str, email: str, stretched: bytes | None, **changes: Any) -> list[Any]:
    arguments: dict[str, Any] = {
        "host": host,
        "account": email,
        "stretched": stretched,
        "token": new_token(),
        "previous_token": None,
        "user_agent": "tests",
        "address": "127.0.0.1",
        "idle_seconds": 3600,
        "lifetime_seconds": 7200,
        "new_session_id": new_id(),
    }
    return await call(portal, "sign_in", **(arguments | changes))


async def begin(portal: Connection, host: str, email: str, source: str, **limits: float) -> Any:
    rows = await call(portal, "begin_sign_in", host=host, account=email, source=source, **(LIMITS | limits))
    return rows[0] if rows else None


ENDINGS = {
    "revoked": "UPDATE sessions SET revoked_at = now() WHERE id = %(session)s",
    "expired": "UPDATE sessions SET expires_at = now() - interval '1 second' WHERE id = %(session)s",
    "idle": "UPDATE sessions SET last_seen_at = now() - interval '2 hours' WHERE id = %(session)s",
    "of a suspended member": "UPDATE members SET status = 'suspended' WHERE id = %(member)s",
    "of a member who was invited anew": "UPDATE members SET status = 'invited' WHERE id = %(member)s",
    "of a suspended tenant": "UPDATE tenants SET status = 'suspended' WHERE id = %(tenant)s",
    "of an offboarded tenant": "UPDATE tenants SET status = 'offboarded' WHERE id = %(tenant)s",
    "of a suspended portal": "UPDATE portals SET status = 'suspended' WHERE id = %(portal)s",
    "of a portal that lost its domain": "DELETE FROM domains WHERE portal_id = %(portal)s",
    "of a portal whose domain was withdrawn": "UPDATE domains SET is_proven = false WHERE portal_id = %(portal)s",
    "deleted": "DELETE FROM sessions WHERE id = %(session)s",
}


class TestSessions:
    @pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
    async def test_ended_session_opens_nothing(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants, ending: str
    ) -> None:
        a = two_tenants.a
        assert len(await open_session(portal, a)) == 1
        facts = {"session": a.session_id, "member": a.member_id, "tenant": a.tenant_id, "portal": a.portal_id}
        assert (await administrator.execute(ending.encode(), facts)).rowcount == 1
        assert await open_session(portal, a) == []
        assert await try_or_none(portal, a) == (
            ending in (ENDINGS["revoked"], ENDINGS["expired"], ENDINGS["idle"], ENDINGS["deleted"])
        )
        assert len(await open_session(portal, two_tenants.b)) == 1

    async def test_nobody_is_told_elsewhere_why_a_session_has_ended(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        await administrator.execute("UPDATE sessions SET revoked_at = now() WHERE id = %s", [a.session_id])

        async def told(host: str) -> Any:
            return [row[0] for row in await call(portal, "find_end", token=a.token, host=host)]

        assert (await told(a.host), set(await told(b.host)) - {None}) == (["revoked"], set())
        await administrator.execute("UPDATE portals SET status = 'suspended' WHERE id = %s", [a.portal_id])
        assert set(await told(a.host)) <= {None}

    async def test_session_is_of_its_portals_hosts_only(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        for host in (b.host, "unknown.localhost", "", a.host.upper(), a.host + ".", "%", f"{a.host}:80"):
            assert await call(portal, "open_session", token=a.token, host=host) == []
        second = f"second-{a.host}"
        await administrator.execute(
            "INSERT INTO domains (host, portal_id, is_proven, proven_at) VALUES (%s, %s, true, now())",
            [second, a.portal_id],
        )
        assert len(await open_session(portal, a, host=second)) == 1

    @pytest.mark.parametrize("token", ["", "x", "%", "' OR true --", "x" * 100_000])
    async def test_wrong_token_opens_nothing(self, portal: Connection, two_tenants: TwoTenants, token: str) -> None:
        assert await call(portal, "open_session", token=token, host=two_tenants.a.host) == []
        assert await call(portal, "open_session", token=None, host=two_tenants.a.host) == []

    async def test_hash_of_a_token_is_no_token(self, portal: Connection, two_tenants: TwoTenants) -> None:
        hashed = sha256(two_tenants.a.token.encode()).hexdigest()
        assert await call(portal, "open_session", token=hashed, host=two_tenants.a.host) == []

    async def test_last_use_is_written_once_a_minute(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        query = "SELECT last_seen_at FROM sessions WHERE id = %s"
        first = await values(administrator, query, a.session_id)
        await open_session(portal, a)
        assert await values(administrator, query, a.session_id) == first
        await administrator.execute(
            "UPDATE sessions SET last_seen_at = now() - interval '2 minutes' WHERE id = %s", [a.session_id]
        )
        await open_session(portal, a)
        assert await values(administrator, query, a.session_id) > first

    async def test_close_ends_it_at_its_own_portal_only(self, portal: Connection, two_tenants: TwoTenants) -> None:
        a, b = two_tenants.a, two_tenants.b
        assert (await call(portal, "close_session", token=a.token, host=b.host))[0].close_session is False
        assert len(await open_session(portal, a)) == 1
        assert (await call(portal, "close_session", token=a.token, host=a.host))[0].close_session is True
        assert await open_session(portal, a) == []

    async def test_portal_revokes_for_good_and_changes_nothing_else(
        self, portal: Connection, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        async with portal.transaction():
            await open_session(portal, a)
            for column in ("expires_at", "last_seen_at", "member_id", "portal_id", "tenant_id", "idle_seconds", "id"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    async with portal.transaction():
                        await portal.execute(f"UPDATE sessions SET {column} = {column}".encode())
            for statement in (
                "DELETE FROM sessions",
                "INSERT INTO sessions SELECT * FROM sessions",
                "TRUNCATE sessions",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    async with portal.transaction():
                        await portal.execute(statement.encode())
            assert (await portal.execute("UPDATE sessions SET revoked_at = now()")).rowcount == 1
            assert (await portal.execute("UPDATE sessions SET revoked_at = NULL")).rowcount == 0
        assert await open_session(portal, a) == []

    async def test_portal_cannot_set_revocation_to_nothing(self, portal: Connection, two_tenants: TwoTenants) -> None:
        async with portal.transaction():
            await open_session(portal, two_tenants.a)
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="revoked_for_good"):
                async with portal.transaction():
                    await portal.execute("UPDATE sessions SET revoked_at = NULL")


async def try_or_none(portal: Connection, tenant: SignedIn) -> bool:
    """Say whether the member can sign in anew."""
    return bool(await try_sign_in(portal, tenant.host, tenant.email, tenant.stretched))


class TestSignIn:
    async def test_right_password_at_the_right_portal(self, portal: Connection, two_tenants: TwoTenants) -> None:
        a, b = two_tenants.a, two_tenants.b
        (row,) = await try_sign_in(portal, a.host, a.email, a.stretched)
        assert (row.tenant_id, row.member_id, row.portal_id) == (a.tenant_id, a.member_id, a.portal_id)
        for host, email, stretched in (
            (b.host, a.email, a.stretched),
            ("unknown.localhost", a.email, a.stretched),
            (a.host, "nobody@nowhere", a.stretched),
            (a.host, a.email.upper(), a.stretched),
            (a.host, a.email, bytes(32)),
            (a.host, a.email, b""),
            (a.host, a.email, None),
            (a.host, a.email, sha256(a.stretched).digest()),
        ):
            assert await try_sign_in(portal, host, email, stretched) == []

    async def test_failures_leave_no_rows_but_one_line_for_the_member(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        tables = ("sessions", "gate.session_tokens", "audit_events", "gate.sign_in_buckets")
        query = "SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in tables)
        before = await (await administrator.execute(query.encode())).fetchone()
        for number in range(30):
            await begin(portal, two_tenants.a.host, f"nobody-{number}@nowhere", f"10.0.0.{number}")
            await try_sign_in(portal, two_tenants.a.host, two_tenants.a.email, bytes(32))
        assert before is not None
        after = (*before[:2], before[2] + 1, before[3])
        assert await (await administrator.execute(query.encode())).fetchone() == after
        assert before[3] == 16384

    async def test_former_token_of_the_browser_ends(
        self, portal: Connection, portal_database: Database, secret: Secret, two_tenants: TwoTenants
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        _, token = await sign_in(portal_database, secret, a.host, a.email, previous_token=a.token)
        assert token != a.token
        assert await open_session(portal, a) == []
        assert len(await call(portal, "open_session", token=token, host=a.host)) == 1
        await sign_in(portal_database, secret, a.host, a.email, previous_token=b.token)
        assert len(await open_session(portal, b)) == 1, "another portal's token is none of its business"

    async def test_failed_sign_in_ends_nothing(self, portal: Connection, two_tenants: TwoTenants) -> None:
        a = two_tenants.a
        assert await try_sign_in(portal, a.host, a.email, bytes(32), previous_token=a.token) == []
        assert len(await open_session(portal, a)) == 1

    async def test_known_token_cannot_be_planted(self, portal: Connection, two_tenants: TwoTenants) -> None:
        a = two_tenants.a
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="256 bits"):
            await try_sign_in(portal, a.host, a.email, a.stretched, token="short")
        with pytest.raises(psycopg.errors.UniqueViolation):
            await try_sign_in(portal, a.host, a.email, a.stretched, token=two_tenants.b.token)

    async def test_lifetimes_are_bounded(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        (row,) = await try_sign_in(
            portal, a.host, a.email, a.stretched, idle_seconds=2**31 - 1, lifetime_seconds=2**31 - 1
        )
        query = "SELECT idle_seconds <= 86400 AND expires_at <= now() + interval '30 days' FROM sessions WHERE id = %s"
        assert await values(administrator, query, row.session_id) == [True]


class TestSalt:
    async def test_unknown_account_has_a_salt_like_any_other(self, portal: Connection, two_tenants: TwoTenants) -> None:
        a, b = two_tenants.a, two_tenants.b
        known = await begin(portal, a.host, a.email, "192.0.2.1")
        unknown = await begin(portal, a.host, "nobody@nowhere", "192.0.2.2")
        again = await begin(portal, a.host, "nobody@nowhere", "192.0.2.3")
        elsewhere = await begin(portal, b.host, "nobody@nowhere", "192.0.2.4")
        foreign = await begin(portal, a.host, b.email, "192.0.2.5")
        assert len(known.salt) == len(unknown.salt) == len(foreign.salt) == 16
        assert unknown.salt == again.salt
        assert len({known.salt, unknown.salt, elsewhere.salt, foreign.salt}) == 4
        assert {known.retry_after, unknown.retry_after, foreign.retry_after} == {0}

    async def test_host_without_a_portal_has_none(self, portal: Connection, two_tenants: TwoTenants) -> None:
        assert await begin(portal, "unknown.localhost", two_tenants.a.email, "192.0.2.1") is None


class TestRateLimit:
    async def test_source_waits_and_others_do_not(self, portal: Connection, two_tenants: TwoTenants) -> None:
        a = two_tenants.a
        waits = [(await begin(portal, a.host, a.email, "198.51.100.1")).retry_after for _ in range(8)]
        assert waits[:5] == [0] * 5
        assert min(waits[5:]) > 0
        assert (await begin(portal, a.host, a.email, "198.51.100.2")).retry_after == 0, "the owner, from elsewhere"

    async def test_source_with_many_accounts_waits_as_well(self, portal: Connection, two_tenants: TwoTenants) -> None:
        host = two_tenants.a.host
        waits = [
            (await begin(portal, host, f"{number}@nowhere", "198.51.100.3", source_refill=0.001)).retry_after
            for number in range(40)
        ]
        assert waits[:30] == [0] * 30
        assert min(waits[31:]) > 0

    async def test_flood_from_one_source_fills_no_accounts(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        full = "SELECT count(*) FROM gate.sign_in_buckets WHERE spent > 0.5 AND id >= 8192"
        (before,) = await values(administrator, full)
        await portal.execute(
            "SELECT gate.begin_sign_in(%s, n || '@nowhere', '198.51.100.4', 30, 0.001, 5, 0.001)"
            " FROM generate_series(1, 3000) n",
            [two_tenants.a.host],
        )
        (after,) = await values(administrator, full)
        assert after - before <= 31
        assert await values(administrator, "SELECT count(*) FROM gate.sign_in_buckets") == [16384]

    async def test_full_bucket_costs_its_next_user_one_refill_at_most(
        self, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        await administrator.execute("UPDATE gate.sign_in_buckets SET spent = 1e9, at = clock_timestamp()")
        row = await begin(portal, two_tenants.a.host, two_tenants.a.email, "198.51.100.5")
        assert 0 < row.retry_after <= 1 / LIMITS["source_refill"] + 1
        await administrator.execute("UPDATE gate.sign_in_buckets SET spent = 0")

    @pytest.mark.parametrize("limit", [{"source_refill": 0.0}, {"source_refill": -1.0}, {"source_capacity": 0.0}])
    async def test_limit_that_is_none_is_refused(
        self, portal: Connection, two_tenants: TwoTenants, limit: dict[str, float]
    ) -> None:
        with pytest.raises(psycopg.errors.InvalidParameterValue):
            await begin(portal, two_tenants.a.host, "x", "198.51.100.6", **limit)


class TestPassword:
    async def change(self, portal: Connection, tenant: SignedIn, present: bytes, host: str | None = None) -> Any:
        new = b"n" * 32
        rows = await call(
            portal,
            "change_password",
            token=tenant.token,
            host=host or tenant.host,
            stretched=present,
            new_salt=bytes(16),
            new_verifier=sha256(new).digest(),
            new_token="t" * 30 + tenant.token[:20],
            new_session_id=new_id(),
        )
        return rows[0].change_password

    async def test_right_password_ends_every_session_but_the_new(
        self, portal: Connection, portal_database: Database, secret: Secret, two_tenants: TwoTenants
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        _, other = await sign_in(portal_database, secret, a.host, a.email)
        assert await self.change(portal, a, a.stretched) is True
        assert await open_session(portal, a) == []
        assert await call(portal, "open_session", token=other, host=a.host) == []
        (row,) = await call(portal, "open_session", token="t" * 30 + a.token[:20], host=a.host)
        assert row.member_id == a.member_id
        assert await try_sign_in(portal, a.host, a.email, a.stretched) == []
        assert len(await try_sign_in(portal, a.host, a.email, b"n" * 32)) == 1
        assert len(await open_session(portal, b)) == 1

    async def test_wrong_password_or_host_changes_nothing(self, portal: Connection, two_tenants: TwoTenants) -> None:
        a, b = two_tenants.a, two_tenants.b
        assert await self.change(portal, a, bytes(32)) is False
        assert await self.change(portal, a, a.stretched, b.host) is False
        assert len(await open_session(portal, a)) == 1
        assert len(await try_sign_in(portal, a.host, a.email, a.stretched)) == 1

    async def test_present_password_is_known_by_its_key_alone(
        self, portal: Connection, two_tenants: TwoTenants
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        for token, host, stretched, expected in (
            (a.token, a.host, a.stretched, True),
            (a.token, a.host, bytes(32), False),
            (a.token, b.host, a.stretched, False),
            ("x" * 43, a.host, a.stretched, False),
        ):
            (row,) = await call(portal, "is_present_password", token=token, host=host, stretched=stretched)
            assert row.is_present_password is expected

    async def test_old_password_does_not_sign_in_while_it_is_changed(
        self, database: TestDatabase, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        async with database.connect(DatabaseRole.PORTAL) as changing:
            await changing.set_autocommit(False)
            assert await self.change(changing, a, a.stretched) is True
            signing_in = asyncio.create_task(try_sign_in(portal, a.host, a.email, a.stretched))
            await until_it_waits(signing_in, administrator)
            await changing.commit()
            assert await signing_in == []

    async def test_sign_in_under_way_ends_with_the_password_it_was_made_with(
        self, database: TestDatabase, portal: Connection, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a, token = two_tenants.a, new_token()
        async with database.connect(DatabaseRole.PORTAL) as signing_in:
            await signing_in.set_autocommit(False)
            assert await try_sign_in(signing_in, a.host, a.email, a.stretched, token=token)
            changing = asyncio.create_task(self.change(portal, a, a.stretched))
            await until_it_waits(changing, administrator)
            await signing_in.commit()
            assert await changing is True
            assert await call(portal, "open_session", token=token, host=a.host) == []

    async def test_salt_is_for_who_holds_the_token(
        self, portal: Connection, secret: Secret, two_tenants: TwoTenants
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        limit = {"capacity": 10.0, "refill": 1.0}
        begun = await call(portal, "begin_password_change", token=a.token, host=a.host, **limit)
        assert begun[0].salt == secret.made.salt
        assert await call(portal, "begin_password_change", token=a.token, host=b.host, **limit) == []


class TestInvitations:
    async def invite(self, operator: Database, tenant: SignedIn, email: str, seconds: int = 3600) -> tuple[Any, str]:
        token = new_token()
        async with operator.write(OperatorBinding(tenant.tenant_id, "tests", "invite", "A test.")) as session:
            member = Member(email=email, name="New", role="member")
            session.add(member)
            await session.flush()
            await session.call_gate("create_invitation", member=member.id, token=token, lifetime_seconds=seconds)
        return member.id, token

    async def accept(self, portal: Connection, host: str, token: str) -> str | None:
        rows = await call(
            portal, "accept_invitation", token=token, host=host, new_salt=bytes(16), new_verifier=bytes(32)
        )
        email: str | None = rows[0].accept_invitation
        return email

    async def test_is_used_once_and_at_its_own_portal(
        self, portal: Connection, operator_database: Database, two_tenants: TwoTenants
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        _, token = await self.invite(operator_database, a, "new@a")
        for host in (b.host, "unknown.localhost", ""):
            assert await call(portal, "find_invitation", token=token, host=host) == []
            assert await self.accept(portal, host, token) is None
        assert (await call(portal, "find_invitation", token=token, host=a.host))[0].email == "new@a"
        assert await self.accept(portal, a.host, token) == "new@a"
        assert await self.accept(portal, a.host, token) is None
        assert await call(portal, "find_invitation", token=token, host=a.host) == []

    async def test_expires(self, portal: Connection, operator_database: Database, two_tenants: TwoTenants) -> None:
        _, token = await self.invite(operator_database, two_tenants.a, "late@a", -1)
        assert await self.accept(portal, two_tenants.a.host, token) is None

    async def test_is_void_for_a_suspended_member_or_tenant(
        self, portal: Connection, operator_database: Database, administrator: Connection, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        member, token = await self.invite(operator_database, a, "barred@a")
        await administrator.execute("UPDATE members SET status = 'suspended' WHERE id = %s", [member])
        assert await self.accept(portal, a.host, token) is None
        await administrator.execute("UPDATE members SET status = 'invited' WHERE id = %s", [member])
        await administrator.execute("UPDATE tenants SET status = 'suspended' WHERE id = %s", [a.tenant_id])
        assert await self.accept(portal, a.host, token) is None

    async def test_newer_one_voids_the_older(
        self, portal: Connection, operator_database: Database, two_tenants: TwoTenants
    ) -> None:
        a = two_tenants.a
        member, older = await self.invite(operator_database, a, "twice@a")
        newer = new_token()
        async with operator_database.write(OperatorBinding(a.tenant_id, "tests", "invite", "Again.")) as session:
            await session.call_gate("create_invitation", member=member, token=newer, lifetime_seconds=3600)
        assert await self.accept(portal, a.host, older) is None
        assert await self.accept(portal, a.host, newer) == "twice@a"

    async def test_new_password_by_invitation_ends_sessions(
        self, portal: Connection, operator_database: Database, two_tenants: TwoTenants
    ) -> None:
        a, token = two_tenants.a, new_token()
        async with operator_database.write(OperatorBinding(a.tenant_id, "tests", "reset", "Lost.")) as session:
            await session.call_gate("create_invitation", member=a.member_id, token=token, lifetime_seconds=3600)
        assert len(await open_session(portal, a)) == 1
        assert await self.accept(portal, a.host, token) == a.email
        assert await open_session(portal, a) == []

    async def test_member_of_another_tenant_cannot_be_invited(
        self, operator_database: Database, two_tenants: TwoTenants
    ) -> None:
        binding = OperatorBinding(two_tenants.a.tenant_id, "tests", "invite", "A mistake.")
        async with operator_database.write(binding) as session:
            with pytest.raises(Exception, match="no such member"):
                await session.call_gate(
                    "create_invitation", member=two_tenants.b.member_id, token=new_token(), lifetime_seconds=60
                )
            await session.rollback()

    async def test_one_person_at_two_portals_has_two_sign_ins(
        self,
        portal: Connection,
        portal_database: Database,
        operator_database: Database,
        secret: Secret,
        two_tenants: TwoTenants,
    ) -> None:
        a, b = two_tenants.a, two_tenants.b
        for tenant in (a, b):
            await invite_and_accept(
                operator_database, portal_database, secret, tenant.tenant_id, tenant.host, "same@person", role="member"
            )
            (row,) = await try_sign_in(portal, tenant.host, "same@person", secret.stretched)
            assert row.tenant_id == tenant.tenant_id
