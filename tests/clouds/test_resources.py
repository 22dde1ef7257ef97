"""Names, credentials and rules in the one form in which they are compared."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforma.clouds.openstack import (
    AdministratorCredential,
    ProjectCredential,
    RuleSpec,
    cloud_name,
    find_own_id,
    server_hostname,
)
from platforma.clouds.openstack.rules import wanted_traffic

ID = UUID("0192f0c4-0000-7000-8000-000000000001")
CREDENTIAL = ProjectCredential("project", "user", "credential", "hush-hush")


@given(st.uuids())
def test_an_id_is_found_again_in_its_name(id_: UUID) -> None:
    assert find_own_id(cloud_name(id_)) == id_


@pytest.mark.parametrize("name", ["", "platforma-", "default", str(ID), f"platforma-{ID.hex}", f"platforma-{ID} "])
def test_other_names_are_not_ours(name: str) -> None:
    assert find_own_id(name) is None


@given(st.text(max_size=100))
def test_any_name_makes_a_host_name(name: str) -> None:
    label = server_hostname(name)
    assert 1 <= len(label) <= 63
    assert label.isascii()
    assert label == label.strip("-").lower()
    assert label.replace("-", "").isalnum()


@pytest.mark.parametrize(
    ("name", "hostname"),
    [("Web Server_1", "web-server-1"), ("--", "server"), ("Änne", "anne"), ("db.example", "db-example")],
)
def test_a_host_name_resembles_the_name(name: str, hostname: str) -> None:
    assert server_hostname(name) == hostname


def test_a_credential_survives_sealing() -> None:
    assert ProjectCredential.from_bytes(CREDENTIAL.to_bytes()) == CREDENTIAL


@pytest.mark.parametrize(
    "raw",
    [b"", b"hush-hush", b"[]", b"{}", b'{"project_id": 1, "user_id": "", "credential_id": "", "secret": ""}', b"\xff"],
)
def test_anything_else_is_no_credential(raw: bytes) -> None:
    with pytest.raises(ValueError, match="not a credential") as caught:
        ProjectCredential.from_bytes(raw)
    assert caught.value.__context__ is None or "hush" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(CREDENTIAL)
    assert "hush" not in repr(AdministratorCredential(username="admin", password="hush-hush"))


def rule(**changes: object) -> RuleSpec:
    return RuleSpec(**{"id": uuid4(), "direction": "ingress", "ethertype": "IPv4", **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"remote_ip_prefix": "0.0.0.0/0"}),
        ({}, {"protocol": "any"}),
        ({"ethertype": "IPv6"}, {"ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
        ({"protocol": "tcp"}, {"protocol": "6"}),
        ({"protocol": "tcp"}, {"protocol": "TCP", "port_range_min": 1, "port_range_max": 65535}),
        ({"ethertype": "IPv6", "protocol": "icmp"}, {"ethertype": "IPv6", "protocol": "58"}),
        ({"remote_ip_prefix": "192.0.2.7"}, {"remote_ip_prefix": "192.0.2.7/32"}),
        ({"remote_ip_prefix": "192.0.2.7/24"}, {"remote_ip_prefix": "192.0.2.0/24"}),
        ({}, {"description": "in other words"}),
    ],
)
def test_rules_that_are_the_same_traffic(one: dict[str, object], other: dict[str, object]) -> None:
    assert wanted_traffic(rule(**one)) == wanted_traffic(rule(**other))


@pytest.mark.parametrize(
    "change",
    [
        {"direction": "egress"},
        {"ethertype": "IPv6"},
        {"protocol": "udp"},
        {"port_range_min": 81, "port_range_max": 81},
        {"remote_ip_prefix": "192.0.2.0/25"},
        {"remote_ip_prefix": None, "remote_group_cloud_id": "g"},
    ],
)
def test_rules_that_are_other_traffic(change: dict[str, object]) -> None:
    web = {"protocol": "tcp", "port_range_min": 80, "port_range_max": 80, "remote_ip_prefix": "192.0.2.0/24"}
    assert wanted_traffic(rule(**web)) != wanted_traffic(rule(**{**web, **change}))
