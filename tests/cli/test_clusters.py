"""`platforma cluster`: words, JSON, exit codes."""

import json
from pathlib import Path

import psycopg
import pytest

from platforma.cli import clusters
from platforma.kit.crypto import KeyRing, new_key
from platforma.kubernetes.kubeconfig_files import EXAMPLE_KUBECONFIG
from tests.cli.conftest import Run
from tests.database.server import TestDatabase

KEYS = KeyRing([new_key()])


@pytest.fixture
def kubeconfig(tmp_path: Path, fresh_database: TestDatabase) -> str:
    """The option with a file; a provisioner has been started once."""
    path = tmp_path / "kubeconfig"
    path.write_text(EXAMPLE_KUBECONFIG)
    with psycopg.connect(fresh_database.administrator_url) as connection:
        connection.execute("INSERT INTO sealing_keys (public_key) VALUES (%s)", (KEYS.public_key,))
    return f"--kubeconfig={path}"


def finish(fresh_database: TestDatabase, status: str, reason: str | None = None) -> None:
    """End an examination as a provisioner does."""
    with psycopg.connect(fresh_database.administrator_url) as connection:
        values = (status, reason)
        connection.execute("UPDATE clusters SET check_requested_at = NULL, status = %s, status_reason = %s", values)


def test_a_cluster_is_connected_and_listed(run: Run, kubeconfig: str, tmp_path: Path) -> None:
    assert run("cluster", "list").out.strip() == "No cluster yet: platforma cluster add"
    options = tmp_path / "options.json"
    options.write_text(json.dumps({"private_ranges": ["203.0.113.0/24"], "probe_image": "mirror/busybox:1"}))
    made = run("cluster", "add", "main", kubeconfig, f"--options={options}", "--json")
    assert made.code == 0, made.err
    assert made.json["status"] == "checking"
    assert "not-one" not in made.out
    (listed,) = run("cluster", "list", "--json").json
    assert listed["options"] == {"private_ranges": ["203.0.113.0/24"], "probe_image": "mirror/busybox:1"}
    assert "cluster.example:6443" in run("cluster", "list").out
    again = run("cluster", "add", "main", kubeconfig)
    assert (again.code, "already" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("[", "options.json"),
        ('{"private_ranges": ["203.0.113.1/24"]}', "private_ranges"),
        ('{"dns_labels": {}}', "dns_labels"),
        ('{"probe_image": "; rm -rf /"}', "probe_image"),
        ('{"password": "x"}', "password"),
    ],
)
def test_odd_options_are_refused(run: Run, kubeconfig: str, tmp_path: Path, options: str, told: str) -> None:
    path = tmp_path / "options.json"
    path.write_text(options)
    refused = run("cluster", "add", "main", kubeconfig, f"--options={path}")
    assert (refused.code, told in refused.err) == (1, True)
    assert run("cluster", "list", "--json").json == []


def test_a_kubeconfig_that_runs_a_program_is_refused(run: Run, kubeconfig: str) -> None:
    path = Path(kubeconfig.partition("=")[2])
    path.write_text(EXAMPLE_KUBECONFIG.replace("{token: not-one}", "{exec: {command: /bin/sh}}"))
    refused = run("cluster", "add", "main", kubeconfig)
    assert (refused.code, "has exec" in refused.err) == (1, True)
    path.write_bytes(b"\xff\xfe")
    assert run("cluster", "add", "main", kubeconfig).code == 1


def test_without_a_provisioners_key_nothing_is_stored(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(EXAMPLE_KUBECONFIG)
    refused = run("cluster", "add", "main", f"--kubeconfig={path}")
    assert (refused.code, "Start a provisioner first" in refused.err) == (1, True)
    assert run("cluster", "list", "--json").json == []


@pytest.mark.parametrize(("status", "code"), [("ready", 0), ("refused", 1), ("unavailable", 1)])
def test_waiting_ends_with_the_examination(
    run: Run,
    kubeconfig: str,
    fresh_database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    status: str,
    code: int,
) -> None:
    assert run("cluster", "add", "main", kubeconfig).code == 0
    monkeypatch.setattr(clusters, "WAIT_SECONDS", 0.0)
    assert run("cluster", "check", "main", "--wait").code == 1
    monkeypatch.setattr(clusters, "WAIT_SECONDS", 20.0)
    monkeypatch.setattr(clusters, "POLL_SECONDS", 0.0)
    wait = clusters._wait

    async def end_first(*arguments: object) -> object:
        finish(fresh_database, status, None if status == "ready" else "It is 1.29.")
        return await wait(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(clusters, "_wait", end_first)
    done = run("cluster", "check", "main", "--wait")
    assert done.code == code
    assert ("is ready" in done.out) if code == 0 else ("It is 1.29." in done.err)


def test_a_cluster_is_changed_replaced_and_forgotten(run: Run, kubeconfig: str, fresh_database: TestDatabase) -> None:
    assert run("cluster", "add", "main", kubeconfig).code == 0
    finish(fresh_database, "ready")
    for act in (("change", "main"), ("replace", "main", kubeconfig), ("check", "main")):
        done = run("cluster", *act, "--json")
        assert done.code == 0, done.err
        assert done.json["check_requested_at"] is not None
        finish(fresh_database, "ready")
    assert run("cluster", "remove", "main", text="n\n").code == 1
    assert run("cluster", "remove", "main", "--yes").code == 0
    assert run("cluster", "list", "--json").json == []
    for act in (("change", "main"), ("replace", "main", kubeconfig), ("check", "main"), ("remove", "main", "--yes")):
        unknown = run("cluster", *act)
        assert (unknown.code, "There is no cluster named main." in unknown.err) == (1, True)
