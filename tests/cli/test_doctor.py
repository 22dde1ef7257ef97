"""`platforma doctor` finds nothing wrong with what is right, and says what is wrong and how to mend it."""

from typing import Any

import psycopg
import pytest

from platforma.cli.doctor import check_erasure
from platforma.clouds.openstack.fake import FakeCloud
from platforma.database.roles import APPLICATION_ROLES, DatabaseRole
from platforma.kit.crypto import new_key
from platforma.settings import Settings
from tests.cli.conftest import Run
from tests.database.server import TestDatabase


def subjects(outcome: Any) -> str:
    return " ".join(item["subject"] + " " + item["problem"] for item in outcome.json)


def test_nothing_is_wrong_with_a_new_installation(run: Run) -> None:
    done = run("doctor")
    assert done.code == 0, done.out
    assert "Nothing is wrong" in done.out


def test_a_wall_that_is_gone_is_found(run: Run, fresh_database: TestDatabase) -> None:
    for statement in (
        "ALTER TABLE servers NO FORCE ROW LEVEL SECURITY",
        "GRANT SELECT ON gate.credentials TO platforma_portal",
        "DROP POLICY tenant ON volumes",
    ):
        with psycopg.connect(fresh_database.administrator_url, autocommit=True) as connection:
            connection.execute(statement)
    done = run("doctor", "--json")
    assert done.code == 1
    found = subjects(done)
    for table in ("servers", "credentials", "volumes"):
        assert table in found
    assert all(item["remedy"] for item in done.json)


def test_secrets_that_are_no_keys_are_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMA_PEPPER", "c2hvcnQ=")
    monkeypatch.setenv("PLATFORMA_CREDENTIAL_KEYS", '["nonsense"]')
    found = subjects(run("doctor", "--json"))
    assert "PEPPER" in found
    assert "CREDENTIAL_KEYS" in found


def test_a_portal_that_could_open_credentials_is_found(
    run: Run, monkeypatch: pytest.MonkeyPatch, fresh_database: TestDatabase
) -> None:
    monkeypatch.delenv("PLATFORMA_DATABASE__OPERATOR")
    monkeypatch.setenv("PLATFORMA_DATABASE__PORTAL", fresh_database.url(DatabaseRole.PORTAL))
    assert run("doctor").code == 0
    monkeypatch.setenv("PLATFORMA_CREDENTIAL_KEYS", f'["{new_key()}"]')
    assert "platforma_portal holds the keys" in subjects(run("doctor", "--json"))


@pytest.mark.parametrize("other", [role for role in APPLICATION_ROLES if role is not DatabaseRole.OPERATOR])
def test_a_process_that_could_be_two_is_found(
    run: Run, monkeypatch: pytest.MonkeyPatch, fresh_database: TestDatabase, other: DatabaseRole
) -> None:
    monkeypatch.setenv(f"PLATFORMA_DATABASE__{other.short.upper()}", fresh_database.url(other))
    assert other.value in subjects(run("doctor", "--json"))


def test_an_owner_with_the_secrets_of_others_is_found(
    run: Run, monkeypatch: pytest.MonkeyPatch, fresh_database: TestDatabase
) -> None:
    monkeypatch.setenv("PLATFORMA_DATABASE__OWNER", fresh_database.url(DatabaseRole.OWNER))
    assert "migrates holds the pepper" in subjects(run("doctor", "--json"))
    monkeypatch.delenv("PLATFORMA_PEPPER")
    assert run("doctor").code == 0


def test_without_settings_nothing_was_checked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PLATFORMA_DATABASE__OPERATOR", "PLATFORMA_PEPPER"):
        monkeypatch.delenv(name)
    done = run("doctor")
    assert done.code == 1
    assert "Nothing was checked" in done.err


@pytest.mark.parametrize("name", ["PLATFORMA_FOO", "PLATFORMA_SESION__IDLE_SECONDS", "PLATFORMA_SESSION__IDLE"])
def test_a_setting_that_is_none_stops_the_process(run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "5")
    done = run("doctor")
    assert done.code == 1
    assert name in done.err


def test_a_url_that_is_none_is_told_in_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMA_DATABASE__OPERATOR", "postgres//x")
    done = run("portal", "list")
    assert done.code == 1
    assert "not a database URL" in done.err


def test_a_queue_that_nobody_works_on_is_found(
    run: Run, monkeypatch: pytest.MonkeyPatch, fresh_database: TestDatabase
) -> None:
    monkeypatch.setenv("PLATFORMA_DATABASE__WORKER", fresh_database.url(DatabaseRole.WORKER))
    monkeypatch.delenv("PLATFORMA_DATABASE__OPERATOR")
    monkeypatch.delenv("PLATFORMA_PEPPER")
    assert "No worker" in subjects(run("doctor", "--json"))
    with psycopg.connect(fresh_database.administrator_url, autocommit=True) as connection:
        connection.execute("SET search_path = jobs")
        connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        assert run("doctor").code == 0
        connection.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock) VALUES ('resources', 'reconcile', 'a')"
        )
        assert run("doctor").code == 0
        connection.execute("UPDATE procrastinate_events SET at = at - interval '3 minutes'")
        assert "no worker takes them" in subjects(run("doctor", "--json"))
        connection.execute("UPDATE procrastinate_jobs SET status = 'doing'")
        assert "has not been heard of" in subjects(run("doctor", "--json"))


def test_a_wrong_role_and_a_database_that_is_away_are_found(
    run: Run, monkeypatch: pytest.MonkeyPatch, fresh_database: TestDatabase
) -> None:
    monkeypatch.setenv("PLATFORMA_DATABASE__PORTAL", fresh_database.url(DatabaseRole.OPERATOR))
    assert "signs in as platforma_operator" in subjects(run("doctor", "--json"))
    monkeypatch.setenv("PLATFORMA_DATABASE__PORTAL", "postgresql://platforma_portal:x@127.0.0.1:1/none")
    assert "does not answer" in subjects(run("doctor", "--json"))


@pytest.mark.parametrize("lies", [False, True])
def test_a_canary_finds_what_is_left_behind(*, lies: bool) -> None:
    cloud = FakeCloud(polls_until_ready=0)
    cloud.pool.zeroes_nothing = lies
    used = Settings(
        openstack={
            "auth_url": cloud.settings.auth_url,
            "external_network": cloud.settings.external_network,
            "administrator_username": cloud.administrator.username,
            "administrator_password": cloud.administrator.password,
        }
    )
    found = check_erasure(used, cloud)
    assert [finding.subject for finding in found] == (["volume type standard", "volume type zeroed"] if lies else [])


def test_a_canary_needs_the_administrator() -> None:
    (found,) = check_erasure(Settings())
    assert "not the cloud's administrator" in found.problem
