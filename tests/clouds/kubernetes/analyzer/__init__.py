"""Which namespaces reach which, as `network-config-analyzer` finds from manifests alone; it knows nothing of ours."""

import csv
import subprocess
from pathlib import Path
from typing import Any

import yaml

from devcloud.openstack.layout import REPOSITORY
from devcloud.openstack.venv import install, python

_LOCK = Path(__file__).with_name("requirements.lock")
_VENV = REPOSITORY / ".platforma" / "analyzer-venv"
_SECONDS = 300

Manifest = dict[str, Any]


def connections(
    directory: Path, namespaces: list[Manifest], pods: list[Manifest], policies: list[Manifest]
) -> list[tuple[set[str], set[str]]]:
    """Return pairs of sets: from some pod of each namespace in the first to some pod of each in the second."""
    install(_VENV, print, lock=_LOCK)
    _write_list(directory / "namespaces.yaml", namespaces)
    _write_list(directory / "pods.yaml", pods)
    (directory / "policies.yaml").write_text(yaml.safe_dump_all(policies))
    command = [
        *(str(python(_VENV).with_name("nca")), "--connectivity", str(directory / "policies.yaml")),
        *("--ns_list", str(directory / "namespaces.yaml"), "--pod_list", str(directory / "pods.yaml")),
        *("--output_format", "csv", "--file_out", str(directory / "connections.csv"), "--print_ipv6"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with (directory / "connections.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("connection")]
    assert rows, "the analyser found no connection at all"
    return [(_names(row["src_ns"]), _names(row["dst_ns"])) for row in rows]


def _names(cell: str) -> set[str]:
    """Return the namespaces of a cell; addresses outside of the cluster have none."""
    return {name for name in cell.strip("[]").split(",") if name}


def _write_list(path: Path, items: list[Manifest]) -> None:
    path.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}))
