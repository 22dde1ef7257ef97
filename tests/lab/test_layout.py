"""Names and addresses, and what a run could leave behind."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.enclosure import Footprint
from lab.layout import HOSTS, UNDERLAY, bridge_of, controller_address, host_address, host_of, tap_of
from lab.processes import wait_until


def test_each_host_has_an_address_of_its_own() -> None:
    addresses = {host_address(host) for host in HOSTS} | {controller_address()}
    assert len(addresses) == len(HOSTS) + 1
    assert all(address.ip in UNDERLAY for address in addresses)


def test_interfaces_are_called_as_the_agent_calls_them() -> None:
    id_ = "298584ac-eb01-4864-939c-00d24c84e4d5"
    assert (tap_of(id_), bridge_of(id_)) == ("tap298584ac-eb", "brq298584ac-eb")
    assert len(tap_of(id_)) <= 15


def test_a_server_chooses_its_host_by_name() -> None:
    assert [host_of(name) for name in ("b1-h1", "b2-h2", "probe")] == ["h1", "h2", "h1"]


def test_what_is_left_behind_is_named() -> None:
    before = Footprint(frozenset({"lo"}), frozenset(), frozenset({"/"}), frozenset({("/etc/hosts", 1, 2)}))
    assert before.changes_until(before) == []
    later = replace(before, links=frozenset({"lo", "to-h1"}), configuration=frozenset({("/etc/hosts", 1, 3)}))
    assert before.changes_until(later)[0] == "links: to-h1"
    assert len(before.changes_until(later)) == 3


def test_the_machine_is_looked_at() -> None:
    found = Footprint.take()
    assert "lo" in found.links
    assert "/" in found.mounts
    assert any(path == str(Path("/etc/passwd")) for path, _, _ in found.configuration)


def test_a_wait_ends_at_its_deadline() -> None:
    with pytest.raises(TimeoutError, match="until never"):
        wait_until("never", 0, lambda: False, 0)
