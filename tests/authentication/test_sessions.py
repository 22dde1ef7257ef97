"""Sessions end when they should: on the very next request, on every process (A14)."""

import asyncio
from collections.abc import Awaitable, Callable

import psycopg
import pytest
from sqlalchemy import update

from platforma.authentication.passwords import PasswordStretcher
from platforma.authentication.permissions import Role
from platforma.database.gate_calls import OperatorBinding
from platforma.portal.models import Portal as PortalRow
from platforma.tenants.models import Member, Tenant
from tests.authentication.conftest import Portal, token_of
from tests.database.gate import until_it_waits
from tests.database.server import TestDatabase
from tests.isolation.world import Databases, Tenancy

Act = Callable[["Case"], Awaitable[None]]


class Case:
    """A signed-in member, and everybody who can end the session."""

    def __init__(self, portal: Portal, databases: Databases, tenancy: Tenancy, token: str) -> None:
        self.portal = portal
        self.databases = databases
        self.tenancy = tenancy
        self.token = token

    async def send(self, method: str, path: str, role: Role | None = None, **kwargs: object) -> None:
        token = self.tenancy.tokens[role] if role else self.token
        response = await self.portal.send(method, path, host=self.tenancy.host, token=token, **kwargs)
        assert response.status_code in (200, 204), response.text

    @property
    def member(self) -> str:
        return f"/api/v1/members/{self.tenancy.members[Role.MEMBER]}"


async def sign_out(case: Case) -> None:
    await case.send("DELETE", "/api/v1/session")


async def sign_out_everywhere_else(case: Case) -> None:
    await case.send("DELETE", "/api/v1/sessions", role=Role.MEMBER)


async def owner_signs_the_member_out(case: Case) -> None:
    await case.send("DELETE", f"{case.member}/sessions", role=Role.OWNER)


async def admin_signs_the_member_out(case: Case) -> None:
    await case.send("DELETE", f"{case.member}/sessions", role=Role.ADMIN)


async def owner_changes_the_role(case: Case) -> None:
    await case.send("PATCH", case.member, role=Role.OWNER, json={"role": "viewer"})


async def owner_suspends_the_member(case: Case) -> None:
    await case.send("PATCH", case.member, role=Role.OWNER, json={"status": "suspended"})


async def password_is_changed(case: Case) -> None:
    body = {"present_password": "correct horse battery staple", "new_password": "another good sentence"}
    await case.send("POST", "/api/v1/me/password", json=body)


async def operator_suspends_the_member(case: Case) -> None:
    binding = OperatorBinding(case.tenancy.tenant_id, "tests", "member.suspend", "a test")
    async with case.databases.operator.write(binding) as session:
        member = await session.get(Member, case.tenancy.members[Role.MEMBER])
        assert member
        member.status = "suspended"


async def operator_suspends_the_tenant(case: Case) -> None:
    async with case.databases.operator.platform() as session:
        await session.execute(update(Tenant).where(Tenant.id == case.tenancy.tenant_id).values(status="suspended"))


async def operator_suspends_the_portal(case: Case) -> None:
    async with case.databases.operator.platform() as session:
        await session.execute(update(PortalRow).where(PortalRow.name == case.tenancy.canary).values(status="suspended"))


ENDINGS: list[Act] = [
    sign_out,
    sign_out_everywhere_else,
    owner_signs_the_member_out,
    admin_signs_the_member_out,
    owner_changes_the_role,
    owner_suspends_the_member,
    password_is_changed,
    operator_suspends_the_member,
    operator_suspends_the_tenant,
    operator_suspends_the_portal,
]


@pytest.mark.parametrize("end", ENDINGS, ids=lambda act: act.__name__)
async def test_the_next_request_is_refused_on_every_process(
    portal: Portal, other_process: Portal, databases: Databases, a: Tenancy, b: Tenancy, end: Act
) -> None:
    """A14. Both processes have just served the session, so nothing that they might keep can help it."""
    token = token_of(await portal.sign_in(a, Role.MEMBER))
    assert await portal.me(a, token) == 200
    assert await other_process.me(a, token) == 200
    await end(Case(portal, databases, a, token))
    assert await other_process.me(a, token) == 401
    assert await portal.me(a, token) == 401
    assert await portal.me(b, b.tokens[Role.MEMBER]) == 200, "B's session must not have ended with A's"


async def test_a_session_ends_by_idleness_and_by_age(
    portal: Portal, a: Tenancy, administrator: psycopg.AsyncConnection
) -> None:
    """The rows are moved in time; the clock is the database's."""
    for column, moment in (
        ("last_seen_at", "now() - interval '2 hours'"),
        ("expires_at", "now() - interval '1 second'"),
    ):
        token = token_of(await portal.sign_in(a))
        assert await portal.me(a, token) == 200
        await administrator.execute(f"UPDATE sessions SET {column} = {moment} WHERE tenant_id = %s", (a.tenant_id,))
        assert await portal.me(a, token) == 401


async def test_use_keeps_a_session_alive(portal: Portal, a: Tenancy, administrator: psycopg.AsyncConnection) -> None:
    token = token_of(await portal.sign_in(a))
    await administrator.execute(
        "UPDATE sessions SET last_seen_at = now() - interval '59 minutes' WHERE tenant_id = %s", (a.tenant_id,)
    )
    assert await portal.me(a, token) == 200
    row = await (
        await administrator.execute(
            "SELECT max(last_seen_at) > now() - interval '1 minute' FROM sessions WHERE tenant_id = %s", (a.tenant_id,)
        )
    ).fetchone()
    assert row == (True,)


async def test_one_session_can_be_revoked(portal: Portal, a: Tenancy) -> None:
    first, second = token_of(await portal.sign_in(a)), token_of(await portal.sign_in(a))
    listed = (await portal.send("GET", "/api/v1/sessions", host=a.host, token=first)).json()["items"]
    assert sum(item["is_current"] for item in listed) == 1
    target = next(item["id"] for item in listed if item["is_current"])
    response = await portal.send("DELETE", f"/api/v1/sessions/{target}", host=a.host, token=second)
    assert response.status_code == 204
    assert await portal.me(a, first) == 401
    assert await portal.me(a, second) == 200


async def test_a_member_cannot_revoke_anothers_session(portal: Portal, a: Tenancy) -> None:
    """Own sessions only: a colleague's session is answered as one that never existed."""
    token = token_of(await portal.sign_in(a, Role.MEMBER))
    owners = a.ids["session_id"]
    response = await portal.send("DELETE", f"/api/v1/sessions/{owners}", host=a.host, token=token)
    assert response.status_code == 404
    assert await portal.me(a, a.tokens[Role.OWNER]) == 200


async def test_a_new_password_brings_a_new_token(portal: Portal, a: Tenancy) -> None:
    token = token_of(await portal.sign_in(a))
    body = {"present_password": "correct horse battery staple", "new_password": "another good sentence"}
    response = await portal.send("POST", "/api/v1/me/password", host=a.host, token=token, json=body)
    assert response.status_code == 204
    assert await portal.me(a, token) == 401
    assert await portal.me(a, token_of(response)) == 200
    assert (await portal.sign_in(a)).status_code == 401
    assert (await portal.sign_in(a, password="another good sentence")).status_code == 201


async def test_a_password_is_changed_a_while_after_the_last_request(
    portal: Portal, a: Tenancy, administrator: psycopg.AsyncConnection
) -> None:
    """The gate writes the time of last use then, and must not wait for itself."""
    token = token_of(await portal.sign_in(a))
    await administrator.execute(
        "UPDATE sessions SET last_seen_at = now() - interval '61 seconds' WHERE tenant_id = %s", (a.tenant_id,)
    )
    body = {"present_password": "correct horse battery staple", "new_password": "another good sentence"}
    response = await portal.send("POST", "/api/v1/me/password", host=a.host, token=token, json=body)
    assert response.status_code == 204
    assert await portal.me(a, token_of(response)) == 200


async def test_a_guess_is_not_worth_the_stretching_of_a_new_password(
    portal: Portal, a: Tenancy, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(await portal.sign_in(a))
    stretched = []
    stretch = PasswordStretcher._stretch

    def counted(stretcher: PasswordStretcher, password: str, salt: bytes) -> bytes:
        stretched.append(password)
        return stretch(stretcher, password, salt)

    monkeypatch.setattr(PasswordStretcher, "_stretch", counted)
    body = {"present_password": "a guess of mine", "new_password": "another good sentence"}
    await portal.send("POST", "/api/v1/me/password", host=a.host, token=token, json=body)
    assert stretched == ["a guess of mine"]


async def test_a_wrong_present_password_changes_nothing(portal: Portal, a: Tenancy) -> None:
    token = token_of(await portal.sign_in(a))
    body = {"present_password": "not the password", "new_password": "another good sentence"}
    response = await portal.send("POST", "/api/v1/me/password", host=a.host, token=token, json=body)
    assert response.status_code == 422
    assert await portal.me(a, token) == 200
    assert (await portal.sign_in(a)).status_code == 201


class TestManaging:
    """Who may manage whom."""

    async def test_an_admin_cannot_touch_an_owner(self, portal: Portal, a: Tenancy) -> None:
        owner = f"/api/v1/members/{a.members[Role.OWNER]}"
        admin = a.tokens[Role.ADMIN]
        for method, path, body in (
            ("PATCH", owner, {"role": "viewer"}),
            ("PATCH", owner, {"status": "suspended"}),
            ("DELETE", f"{owner}/sessions", None),
        ):
            response = await portal.send(method, path, host=a.host, token=admin, json=body)
            assert response.status_code == 403
        assert await portal.me(a, a.tokens[Role.OWNER]) == 200

    async def test_an_admin_cannot_make_an_owner(self, portal: Portal, a: Tenancy) -> None:
        """A12: a credential that mints a wider one."""
        for role in (Role.MEMBER, Role.ADMIN):
            path = f"/api/v1/members/{a.members[role]}"
            response = await portal.send("PATCH", path, host=a.host, token=a.tokens[Role.ADMIN], json={"role": "owner"})
            assert response.status_code == 403

    async def test_the_last_owner_stays(self, portal: Portal, a: Tenancy) -> None:
        path = f"/api/v1/members/{a.members[Role.OWNER]}"
        for body in ({"role": "member"}, {"status": "suspended"}):
            response = await portal.send("PATCH", path, host=a.host, token=a.tokens[Role.OWNER], json=body)
            assert response.status_code == 409
            assert response.json()["type"].endswith("last-owner")

    @pytest.mark.parametrize("act", ["PATCH", "DELETE"])
    async def test_who_becomes_an_owner_is_out_of_an_admins_reach_at_once(
        self, portal: Portal, a: Tenancy, database: TestDatabase, administrator: psycopg.AsyncConnection, act: str
    ) -> None:
        """Also for a request that has begun before, and would go on after."""
        path = f"/api/v1/members/{a.members[Role.MEMBER]}"
        body = {"status": "suspended"} if act == "PATCH" else None
        path += "/sessions" if act == "DELETE" else ""
        async with await psycopg.AsyncConnection.connect(database.administrator_url) as promoting:
            await promoting.execute("UPDATE members SET role = 'owner' WHERE id = %s", (a.members[Role.MEMBER],))
            asked = asyncio.create_task(portal.send(act, path, host=a.host, token=a.tokens[Role.ADMIN], json=body))
            await until_it_waits(asked, administrator)
            await promoting.commit()
            assert (await asked).status_code == 403
        assert await portal.me(a, a.tokens[Role.MEMBER]) == 200
