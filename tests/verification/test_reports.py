"""Reports: counted from the attacks, signed so that a change is found, and readable by people and programs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from platforma.cli.reports import app
from platforma.kit.probes import Layer
from platforma.verification.lab import LabResult
from platforma.verification.reports.formats import to_html, to_junit, to_sarif
from platforma.verification.reports.report import count_bypasses, make_report
from platforma.verification.reports.signing import ReportError, canonical, new_signing_key, open_report, sign_report

PRIVATE, PUBLIC = new_signing_key()


def probe(verdict: str, layer: Layer = Layer.DATABASE, id_: str = "foreign ids: get_volume path.id") -> dict[str, Any]:
    return {
        "id": id_,
        "layer": str(layer),
        "attack": f"Ids of B: {id_}",
        "expected": "404",
        "observed": "<script>alert(1)</script>\x00",
        "verdict": verdict,
    }


def verification(*probes: dict[str, Any], covered: int = 2, **changes: Any) -> dict[str, Any]:
    parts = ("routes", "tables", "cloud_resources")
    return {
        "started": "2026-11-23T04:30:00Z",
        "finished": "2026-11-23T04:34:00Z",
        "coverage": {name: [covered, 2] for name in parts},
        "uncovered": {name: [] for name in parts},
        "absent": ["invoice: none yet"],
        "probes": list(probes),
        "bypasses": 0,
    } | changes


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (verification(probe("held")), "held"),
        (verification(probe("held"), probe("bypassed")), "bypassed"),
        (verification(probe("held"), probe("not proven")), "not proven"),
        (verification(probe("held"), covered=1), "not proven"),
        (verification(), "not proven"),
    ],
)
def test_the_verdict_is_counted_from_the_attacks(found: dict[str, Any], verdict: str) -> None:
    report = make_report(found | {"is_safe": True, "bypasses": 0})
    assert report["verdict"] == verdict
    assert [layer["layer"] for layer in report["layers"]] == [str(layer) for layer in Layer]


def test_a_layer_that_nothing_was_tried_on_is_not_proven() -> None:
    by_layer = {layer["layer"]: layer["verdict"] for layer in make_report(verification(probe("held")))["layers"]}
    assert by_layer[Layer.DATABASE] == "held"
    assert by_layer[Layer.BILLING] == "not proven"


def test_what_was_signed_is_opened_and_any_change_is_found() -> None:
    private, public = new_signing_key()
    report = make_report(verification(probe("bypassed")))
    signed = json.loads(json.dumps(sign_report(report, private), ensure_ascii=False))
    assert open_report(signed, public) == report
    changed = json.loads(json.dumps(signed))
    changed["report"]["probes"][0]["verdict"] = "held"
    documents: list[Any] = [changed, {**signed, "note": "x"}, {"report": report}, [], {**signed, "signature": {}}]
    for document in documents:
        with pytest.raises(ReportError):
            open_report(document, public)
    with pytest.raises(ReportError):
        open_report(signed, new_signing_key()[1])


def test_the_form_that_is_signed_is_one() -> None:
    assert canonical({"b": 1, "a": ["\N{LATIN SMALL LETTER E WITH ACUTE}", True, None]}) == (
        '{"a":["\N{LATIN SMALL LETTER E WITH ACUTE}",true,null],"b":1}'.encode()
    )
    with pytest.raises(ReportError):
        canonical({"a": [0.1]})


def test_what_is_no_verification_is_refused() -> None:
    others: list[Any] = [{}, [], {"probes": []}]
    for other in others:
        with pytest.raises(ReportError):
            make_report(other)


def test_the_page_names_layers_and_controls_and_runs_nothing() -> None:
    page = to_html(make_report(verification(probe("bypassed"))))
    assert "<script" not in page
    assert all(layer in page for layer in Layer)
    assert all(name in page for name in ("OWASP ASVS 5.0", "SOC 2", "ISO 27001", "8.4.1", "invoice: none yet"))


def test_programs_read_it() -> None:
    report = make_report(
        verification(probe("held"), probe("bypassed", id_="walls: W1"), probe("not proven", Layer.STORAGE))
    )
    log = json.loads(to_sarif(report))
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert [each["kind"] for each in run["results"]] == ["pass", "fail", "open"]
    assert [each["level"] for each in run["results"]] == ["none", "error", "none"]
    assert all(run["tool"]["driver"]["rules"][each["ruleIndex"]]["id"] == each["ruleId"] for each in run["results"])
    suites = ElementTree.fromstring(to_junit(report).partition("?>")[2])
    assert len(suites.findall(".//testcase")) == 3
    assert len(suites.findall(".//failure")) == len(suites.findall(".//error")) == 1


def test_bypasses_are_counted_once_each_and_since_the_first() -> None:
    first = make_report(verification(probe("bypassed"), started="2026-11-16T04:30:00Z"))
    second = make_report(verification(probe("bypassed"), probe("bypassed", id_="walls: W1")))
    third = make_report(verification(probe("not proven")))
    counted = count_bypasses([second, third, first])
    assert counted["bypasses"] == 2
    assert counted["since"] == "2026-11-16T04:30:00Z"
    assert (counted["verifications"], counted["whole"]) == (3, 2)


def test_the_commands(tmp_path: Path) -> None:
    def run(*words: str | Path) -> Any:
        return CliRunner().invoke(app, [*map(str, words)])

    key, found, report = (tmp_path / name for name in ("key.pem", "found.json", "report.json"))
    found.write_text(json.dumps(verification(probe("held"))))
    assert run("key", key).exit_code == 0
    assert key.stat().st_mode & 0o077 == 0
    assert run("key", key).exit_code == 1
    public = ("--public-key", f"{key}.pub")
    assert run("make", found, report, "--key", key).exit_code == 0
    assert run("verify", report, *public).exit_code == 0
    assert "Bypasses in production: 0 since 2026-11-23" in run("count", report, *public).output
    assert run("show", report, tmp_path / "report.html", *public).exit_code == 0
    report.write_text(report.read_text().replace("404", "200"))
    assert run("verify", report, *public).exit_code == 1
    assert run("show", report, tmp_path / "other.html", *public).exit_code == 1
    assert run("verify", found, *public).exit_code == 1


@pytest.mark.parametrize(
    ("age", "not_held", "verdict"),
    [(5, (), "Held"), (72, (), "Not proven"), (5, ("N01 <wire>",), "Bypassed")],
)
def test_the_packet_lab_stands_beside_the_verdict_with_its_age(
    age: int, not_held: tuple[str, ...], verdict: str
) -> None:
    began = datetime(2026, 11, 23, tzinfo=UTC)
    lab = LabResult(began, timedelta(hours=age), timedelta(seconds=9.5), 131, len(not_held), 2, ("N01",), not_held)
    report = make_report(verification(probe("held")), lab)
    assert open_report(sign_report(report, PRIVATE), PUBLIC)["lab"]["age_hours"] == age
    section = to_html(report).partition("Packets between tenants")[2]
    assert f">{verdict}<" in section
    assert lab.sentence in section
    assert "<wire>" not in section
    assert "No result of the packet lab" in to_html(make_report(verification(probe("held"))))


def test_a_lab_result_that_is_none_is_refused(tmp_path: Path) -> None:
    found, key, lab = (tmp_path / name for name in ("found.json", "key.pem", "lab.json"))
    found.write_text(json.dumps(verification(probe("held"))))
    key.write_bytes(PRIVATE)
    words = ["make", str(found), str(tmp_path / "report.json"), "--key", str(key), "--lab", str(lab)]
    assert "There is no" in CliRunner().invoke(app, words).output
    lab.write_text("{}")
    assert "is no result of the packet lab" in " ".join(CliRunner().invoke(app, words).output.split())
