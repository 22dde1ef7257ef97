"""The operator's acts on the command line: words, JSON, exit codes, and what the audit logs say."""

import asyncio
import re
from typing import Any, LiteralString

import psycopg
import pytest

from platforma.authentication.service import Authenticator
from platforma.database.roles import DatabaseRole
from platforma.settings import load_settings
from tests.cli.conftest import Run
from tests.database.server import TestDatabase

CREATE = ("portal", "create", "aurora", "--title", "Aurora Cloud", "--host", "aurora.localhost")


@pytest.fixture
def rows(fresh_database: TestDatabase) -> Any:
    """Read rows past all walls."""

    def read(query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(fresh_database.administrator_url) as connection:
            return connection.execute(query).fetchall()

    return read


WHY = ("--reason", "a test of it")
"""What every act on a tenant needs."""


@pytest.fixture
def furnished(run: Run) -> Run:
    """A portal with a tenant."""
    assert run(*CREATE).code == 0
    assert run("tenant", "create", "aurora", "Northwind", "--quota", "servers=3", "--reason", "a new client").code == 0
    return run


def test_a_portal_is_made_and_listed(run: Run) -> None:
    assert run("portal", "list").out.strip() == "No portal yet: platforma portal create"
    made = run(*CREATE, "--json")
    assert made.code == 0
    assert made.json["host"] == "aurora.localhost"
    assert run("portal", "list", "--json").json == [
        {"name": "aurora", "title": "Aurora Cloud", "status": "active", "hosts": "aurora.localhost"}
    ]


def test_what_is_taken_is_refused_in_a_sentence(run: Run) -> None:
    assert run(*CREATE).code == 0
    again = run(*CREATE)
    assert again.code == 1
    assert "already" in again.err
    assert "Traceback" not in again.err + again.out


@pytest.mark.parametrize("host", ["Aurora!", "a.b:80", "a_b.example", "aurora.localhost.", "operator.localhost"])
def test_odd_hosts_are_refused(run: Run, host: str) -> None:
    done = run("portal", "create", "x", "--title", "X", "--host", host)
    assert done.code == 1
    assert run("portal", "list", "--json").json == []


def test_a_portal_has_the_brand_that_was_asked_for_and_the_audit_says_why(run: Run, rows: Any) -> None:
    assert run(*CREATE, "--color", "#0f766e", "--reason", "a new client").code == 0
    assert rows("SELECT brand FROM portals") == [({"accent": "#0f766e"},)]
    assert run("portal", "suspend", "aurora", "--yes", "--reason", "unpaid bills").code == 0
    assert rows("SELECT action, reason FROM operator_audit ORDER BY at") == [
        ("portal.create", "a new client"),
        ("portal.change", "unpaid bills"),
    ]


@pytest.mark.parametrize(("name", "color"), [("Aurora!", "#0f766e"), ("aurora", "green"), ("", "#0f766e")])
def test_a_malformed_portal_is_refused_in_a_sentence(run: Run, name: str, color: str) -> None:
    done = run("portal", "create", name, "--title", "X", "--host", "aurora.localhost", "--color", color)
    assert done.code == 1
    assert done.err.startswith("platforma: ")
    assert run("portal", "list", "--json").json == []


def test_the_canonical_host_stays(furnished: Run) -> None:
    assert furnished("domain", "remove", "aurora.localhost", "--yes").code == 1
    assert furnished("domain", "add", "aurora", "cloud.example.org", "--canonical").code == 0
    assert furnished("domain", "remove", "aurora.localhost", "--yes").code == 0
    listed = furnished("domain", "list", "--json").json
    assert [(item["host"], item["status"]) for item in listed] == [
        ("aurora.localhost", "released"),
        ("cloud.example.org", "unproven"),
    ]
    assert "_platforma.cloud.example.org" in furnished("domain", "check", "cloud.example.org").out
    refused = furnished("domain", "canonical", "cloud.example.org")
    assert (refused.code, "_platforma.cloud.example.org" in refused.err) == (1, True)


def test_a_tenant_is_queued_for_onboarding(furnished: Run, rows: Any) -> None:
    listed = furnished("tenant", "list", "--json").json
    assert [(item["name"], item["status"]) for item in listed] == [("Northwind", "onboarding")]
    assert rows("SELECT action, plane, status FROM operations") == [("tenant.onboard", "platform", "queued")]
    assert rows("SELECT queue_name FROM jobs.procrastinate_jobs") == [("provisioning",)]
    assert rows("SELECT maximum FROM quotas WHERE resource = 'servers'") == [(3,)]
    assert ("tenant.create", "a new client") in rows("SELECT action, reason FROM operator_audit")
    assert ("tenant.create",) in rows("SELECT action FROM audit_events")


def test_following_ends_with_what_became_of_the_tenant(furnished: Run, fresh_database: TestDatabase, rows: Any) -> None:
    def happens(statement: LiteralString) -> None:
        with psycopg.connect(fresh_database.administrator_url) as connection:
            connection.execute(statement)

    happens("""UPDATE operations SET status = 'failed', error = '{"detail": "The cloud is full."}'""")
    failed = furnished("tenant", "follow", "aurora", "Northwind")
    assert failed.code == 1
    assert "The cloud is full" in failed.err
    assert "platforma tenant retry" in failed.err
    assert "━" not in failed.err + failed.out, "a bar is for terminals"
    assert ("operation.read",) not in rows("SELECT action FROM operator_audit")
    happens("UPDATE tenants SET status = 'active'")
    done = furnished("tenant", "follow", "aurora", "Northwind", "--json")
    assert (done.code, done.json) == (0, {"name": "Northwind", "status": "active"})


def test_unknown_names_are_said(furnished: Run) -> None:
    for arguments in (
        ("tenant", "create", "nowhere", "X", *WHY),
        ("tenant", "suspend", "aurora", "Nobody", *WHY, "--yes"),
        ("member", "invite", "aurora", "Nobody", "a@example.org", *WHY),
        ("member", "suspend", "aurora", "Northwind", "a@example.org", *WHY),
        ("portal", "suspend", "nowhere", "--yes"),
        ("domain", "remove", "nowhere.example.org", "--yes"),
    ):
        done = furnished(*arguments)
        assert done.code == 1, arguments
        assert done.err.startswith("platforma: ")
        assert "Traceback" not in done.err


def test_a_wrong_command_line_is_exit_code_2(run: Run) -> None:
    assert run("tenant", "create").code == 2
    assert run("tenant", "create", "a", "b", "--quota", "servers=many").code == 2
    assert run("member", "invite", "a", "b", "c@d.e", "--role", "king").code == 2
    assert run("serve", "--plane", "moon").code == 2
    assert run("serve", "--plane", "certificates", "--host", "0.0.0.0").code == 2


def test_nothing_is_lost_without_a_yes(furnished: Run, rows: Any) -> None:
    assert furnished("tenant", "suspend", "aurora", "Northwind", *WHY, text="n\n").code == 1
    assert furnished("tenant", "offboard", "aurora", "Northwind", *WHY, text="Southwind\n").code == 1
    assert furnished("portal", "suspend", "aurora", text="n\n").code == 1
    assert rows("SELECT status FROM tenants") == [("onboarding",)]
    assert rows("SELECT status FROM portals") == [("active",)]


def test_suspend_and_resume(furnished: Run, rows: Any) -> None:
    assert furnished("tenant", "suspend", "aurora", "Northwind", *WHY, "--yes").code == 0
    assert rows("SELECT status FROM tenants") == [("suspended",)]
    assert furnished("tenant", "resume", "aurora", "Northwind", *WHY).code == 0
    assert rows("SELECT status FROM tenants") == [("onboarding",)]


def test_an_invited_member_can_sign_in_and_be_signed_out(
    furnished: Run, rows: Any, fresh_database: TestDatabase
) -> None:
    """The link leads to the canonical host, and its token sets the password once."""
    from platforma.authentication.passwords import PasswordStretcher
    from platforma.authentication.service import Browser
    from platforma.settings import SessionSettings, SignInLimit

    invited = furnished(
        "member", "invite", "aurora", "Northwind", "Ada@Example.org", *WHY, "--role", "owner", "--json"
    ).json
    assert invited["link"] == f"http://aurora.localhost:8080/invitation/{invited['token']}"
    pepper = load_settings().pepper
    assert pepper

    async def sign_in() -> None:
        async with fresh_database.open(DatabaseRole.PORTAL) as database:
            stretcher = PasswordStretcher(pepper.get_secret_value())
            authenticator = Authenticator(database, stretcher, SessionSettings(), SignInLimit())
            password = "a sentence is a good password"
            await authenticator.accept_invitation(host="aurora.localhost", token=invited["token"], password=password)
            await authenticator.sign_in(
                host="aurora.localhost",
                email="ada@example.org",
                password=password,
                browser=Browser("192.0.2.1", "curl/8"),
                previous_token=None,
            )

    asyncio.run(sign_in())
    sessions = furnished("session", "list", "aurora", "Northwind", *WHY, "--json").json
    assert [(item["email"], item["address"]) for item in sessions] == [("ada@example.org", "192.0.2.1")]
    assert furnished("session", "revoke", "aurora", "Northwind", *WHY, "--json").json == {"revoked": 1}
    assert furnished("session", "list", "aurora", "Northwind", *WHY, "--json").json == []
    assert furnished("member", "suspend", "aurora", "Northwind", "ada@example.org", *WHY).code == 0
    assert rows("SELECT email, status FROM members") == [("ada@example.org", "suspended")]


def test_an_email_has_one_account_at_a_portal(furnished: Run) -> None:
    assert furnished("tenant", "create", "aurora", "Southwind", *WHY).code == 0
    assert furnished("member", "invite", "aurora", "Northwind", "ada@example.org", *WHY).code == 0
    done = furnished("member", "invite", "aurora", "Southwind", "ada@example.org", *WHY)
    assert done.code == 1
    assert "account" in done.err


def test_operators_are_made_once(run: Run) -> None:
    arguments = ("operator", "create", "ops@example.org", "--password-stdin")
    assert run(*arguments, text="short\n").code == 1
    assert run(*arguments, text="a sentence is a good password\n").code == 0
    assert run(*arguments, text="a sentence is a good password\n").code == 1


def test_a_missing_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLATFORMA_DATABASE__OPERATOR")
    done = run("portal", "list")
    assert done.code == 1
    assert "PLATFORMA_DATABASE__OPERATOR" in done.err
    monkeypatch.setenv("PLATFORMA_SESSION__IDLE_SECONDS", "soon")
    assert "PLATFORMA_SESSION__IDLE_SECONDS" in run("portal", "list").err


def test_a_database_that_is_away_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMA_DATABASE__OPERATOR", "postgresql://platforma_operator:x@127.0.0.1:1/none")
    done = run("portal", "list")
    assert done.code == 1
    assert "database" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "command",
    [
        ("tenant", "create", "aurora", "X"),
        ("tenant", "suspend", "aurora", "Northwind", "--yes"),
        ("tenant", "resume", "aurora", "Northwind"),
        ("tenant", "retry", "aurora", "Northwind"),
        ("tenant", "offboard", "aurora", "Northwind", "--yes"),
        ("tenant", "quota", "list", "aurora", "Northwind"),
        ("tenant", "quota", "set", "aurora", "Northwind", "servers=1"),
        ("member", "invite", "aurora", "Northwind", "a@example.org"),
        ("member", "list", "aurora", "Northwind"),
        ("session", "list", "aurora", "Northwind"),
        ("session", "revoke", "aurora", "Northwind"),
    ],
    ids=" ".join,
)
def test_acts_on_a_tenant_need_a_reason(furnished: Run, rows: Any, command: tuple[str, ...]) -> None:
    before = rows("SELECT count(*) FROM operator_audit")
    assert furnished(*command).code == 2
    short = furnished(*command, "--reason", "short")
    assert short.code == 1
    assert "8 characters" in short.err
    assert rows("SELECT count(*) FROM operator_audit") == before


def test_quotas_are_shown_and_changed(furnished: Run, rows: Any) -> None:
    changed = furnished("tenant", "quota", "set", "aurora", "Northwind", "servers=7", "volume_gib=5000", *WHY, "--json")
    assert (changed.json["servers"], changed.json["volume_gib"]) == (7, 5000)
    assert furnished("tenant", "quota", "set", "aurora", "Northwind", "moons=7", *WHY).code == 2
    listed = furnished("tenant", "quota", "list", "aurora", "Northwind", *WHY).out
    assert "GiB of volumes" in listed
    assert "5000" in listed
    assert ("quota.change", "a test of it") in rows("SELECT action, reason FROM operator_audit")


def test_an_unknown_session_is_an_error(furnished: Run, rows: Any) -> None:
    unknown = "00000000-0000-7000-8000-000000000000"
    done = furnished("session", "revoke", "aurora", "Northwind", "--session", unknown, *WHY)
    assert done.code == 1
    assert unknown in done.err
    assert ("session.revoke",) not in rows("SELECT action FROM operator_audit")


def test_moments_are_written_in_utc(furnished: Run) -> None:
    (tenant,) = furnished("tenant", "list", "--json").json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", tenant["created_at"])
