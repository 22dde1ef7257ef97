"""A report in the forms that people and programs read: HTML, SARIF 2.1.0 and JUnit's XML."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any
from xml.etree import ElementTree

from platforma.kit.probes import Outcome

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;"
    "border-bottom:1px solid #ccc}.held{color:#12633a}.bypassed{color:#a4161a;font-weight:600}"
    ".not-proven{color:#7a4b00;font-weight:600}small{color:#555}code{overflow-wrap:anywhere}"
)
_WORDS = {
    "held": "Everything that was tried held, and nothing was left out.",
    "bypassed": "A wall between tenants did not hold.",
    "not proven": "Not everything could be shown. What was not shown is not taken for safe.",
}
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def to_html(report: Mapping[str, Any]) -> str:
    """Return one page, which needs nothing else."""
    open_probes = [each for each in report["probes"] if each["verdict"] != Outcome.HELD]
    coverage = "".join(
        f"<tr><td>{_text(name.replace('_', ' '))}</td><td>{covered} of {total}</td>"
        f"<td>{_text(', '.join(report['uncovered'].get(name, [])) or 'nothing left out')}</td></tr>"
        for name, (covered, total) in report["coverage"].items()
    )
    layers = "".join(map(_layer_row, report["layers"]))
    rows = "".join(
        f"<tr><td>{_verdict(each['verdict'])}</td><td>{_text(each['attack'])}</td><td>{_text(each['expected'])}</td>"
        f"<td><code>{_text(each['observed'])}</code></td></tr>"
        for each in open_probes
    )
    findings = (
        f"<table><tr><th>Verdict</th><th>Attack</th><th>Expected</th><th>Seen</th></tr>{rows}</table>"
        if rows
        else "<p>None.</p>"
    )
    absent = "".join(f"<li>{_text(each)}</li>" for each in report["absent"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Isolation of tenants</title>'
        f"<style>{_STYLE}</style></head><body><h1>Isolation of tenants</h1>"
        f"<p>{_verdict(report['verdict'])} {_text(_WORDS[report['verdict']])}</p>"
        f"<p>One canary tenant attacked another in the running installation from {_text(report['started'])} to "
        f"{_text(report['finished'])}: {len(report['probes'])} attacks, "
        + ", ".join(f"{count} {_text(name)}" for name, count in report["counts"].items())
        + ".</p><h2>Layers</h2><table><tr><th>Layer</th><th>Seen</th><th>Tried</th><th>Controls</th></tr>"
        + f"{layers}</table>"
        f"<h2>Coverage</h2><table><tr><th>Of</th><th>Covered</th><th>Left out</th></tr>{coverage}</table>"
        + (f"<p>Not here, and so not tried:</p><ul>{absent}</ul>" if absent else "")
        + f"<h2>What did not hold or could not be shown</h2>{findings}{_lab(report.get('lab'))}"
        f"<p><small>Platforma {_text(report['version'])}. The attacks are evidence for the controls. The signed "
        f"report that this page was made from is verified with <code>platforma report verify</code>.</small></p>"
        "</body></html>\n"
    )


def to_sarif(report: Mapping[str, Any]) -> str:
    """Return a log of the Static Analysis Results Interchange Format, version 2.1.0 (OASIS)."""
    rules = sorted({_rule(each) for each in report["probes"]})
    results = [
        {
            "ruleId": _rule(each),
            "ruleIndex": rules.index(_rule(each)),
            "kind": {"held": "pass", "bypassed": "fail"}.get(each["verdict"], "open"),
            "level": "error" if each["verdict"] == Outcome.BYPASSED else "none",
            "message": {"text": f"{each['attack']}. Expected: {each['expected']}. Seen: {each['observed']}"},
            "locations": [{"logicalLocations": [{"name": _subject(each), "fullyQualifiedName": each["id"]}]}],
            "partialFingerprints": {"attack/v1": each["id"]},
        }
        for each in report["probes"]
    ]
    driver = {
        "name": "platforma verify",
        "version": report["version"],
        "rules": [{"id": rule, "shortDescription": {"text": rule}} for rule in rules],
    }
    invocation = {
        "executionSuccessful": report["verdict"] != Outcome.NOT_PROVEN,
        "startTimeUtc": report["started"],
        "endTimeUtc": report["finished"],
    }
    run = {"tool": {"driver": driver}, "invocations": [invocation], "results": results}
    return json.dumps({"$schema": _SARIF, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def to_junit(report: Mapping[str, Any]) -> str:
    """Return test suites as build servers read them: bypassed is a failure, not proven an error."""
    suites = ElementTree.Element("testsuites", name="Isolation of tenants")
    for layer in report["layers"]:
        cases = [each for each in report["probes"] if each["layer"] == layer["layer"]]
        counts = layer["counts"]
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=layer["layer"],
            tests=str(len(cases)),
            failures=str(counts[Outcome.BYPASSED]),
            errors=str(counts[Outcome.NOT_PROVEN]),
            timestamp=report["started"].removesuffix("Z"),
        )
        for each in cases:
            case = ElementTree.SubElement(suite, "testcase", classname=_rule(each), name=_printable(_subject(each)))
            tag = {"bypassed": "failure", "not proven": "error"}.get(each["verdict"])
            if tag is not None:
                ElementTree.SubElement(case, tag, message=_printable(each["expected"])).text = _printable(
                    each["observed"]
                )
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


FORMATS = {"html": to_html, "sarif": to_sarif, "junit": to_junit}


def _layer_row(layer: Mapping[str, Any]) -> str:
    controls = "<br>".join(f"{_text(name)}: {_text(', '.join(items))}" for name, items in layer["controls"].items())
    counts = ", ".join(f"{count} {_text(name)}" for name, count in layer["counts"].items() if count) or "nothing tried"
    tried = "<br>".join(map(_text, layer["tried"]))
    return (
        f"<tr><td><b>{_text(layer['layer'])}</b><br><small>{_text(layer['promise'])}</small></td>"
        f"<td>{_verdict(layer['verdict'])}<br><small>{counts}</small></td><td><small>{tried}</small></td>"
        f"<td><small>{controls}</small></td></tr>"
    )


def _lab(lab: Mapping[str, Any] | None) -> str:
    title = "<h2>Packets between tenants</h2>"
    if lab is None:
        return f"{title}<p>No result of the packet lab was given for this report.</p>"
    verdict = Outcome.HELD if lab["is_good"] else Outcome.BYPASSED if lab["not_held"] else Outcome.NOT_PROVEN
    not_held = f" Did not hold: {_text(', '.join(lab['not_held']))}." if lab["not_held"] else ""
    return (
        f"{title}<p>{_verdict(str(verdict))} The packet lab, an installation of its own, ran last on "
        f"{_text(lab['started'][:10])}: {_text(lab['sentence'])}{not_held} Threats tried on the wire: "
        f"{_text(', '.join(lab['threats']))}.</p>"
    )


def _verdict(verdict: str) -> str:
    return f'<span class="{_text(verdict.replace(" ", "-"))}">{_text(verdict.capitalize())}</span>'


def _rule(probe: Mapping[str, Any]) -> str:
    return str(probe["id"]).partition(":")[0]


def _subject(probe: Mapping[str, Any]) -> str:
    return str(probe["id"]).partition(": ")[2]


def _text(value: Any) -> str:
    return escape(str(value))


def _printable(text: str) -> str:
    """Leave out what XML 1.0 has no form for."""
    return "".join(each for each in text if each in "\t\n\r" or (ord(each) >= 32 and not 0xD800 <= ord(each) < 0xE000))
