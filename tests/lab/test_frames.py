"""Frames are what the standards say: their checksums are right, and the token is in each of them."""

import struct
from dataclasses import replace
from ipaddress import ip_address

import pytest

from lab import frames
from lab.frames import PROTOCOLS, Packet, Protocol, checksum

ETHERNET = 14
SOURCE = {4: "10.10.0.5", 6: "fd10::5"}
TARGET = {4: "10.10.0.6", 6: "fd10::6"}
NUMBERS = {(4, "icmp"): 1, (4, "tcp"): 6, (4, "udp"): 17, (6, "icmp"): 58, (6, "tcp"): 6, (6, "udp"): 17}
CASES = [(family, protocol) for family in (4, 6) for protocol in PROTOCOLS]


def packet(family: int, protocol: Protocol) -> Packet:
    return Packet(SOURCE[family], TARGET[family], "fa:16:3e:00:00:01", "fa:16:3e:00:00:02", protocol)


def transport_sum(family: int, number: int, content: bytes) -> bytes:
    """The checksum over a transport's content, its own included, which makes it nought (RFC 1071)."""
    addresses = ip_address(SOURCE[family]).packed + ip_address(TARGET[family]).packed
    pseudo = struct.pack("!BBH", 0, number, len(content)) if family == 4 else struct.pack("!II", len(content), number)
    return checksum(content if (family, number) == (4, 1) else addresses + pseudo + content)


@pytest.mark.parametrize(("family", "protocol"), CASES)
def test_a_packet_is_whole(family: int, protocol: Protocol) -> None:
    token = frames.new_token()
    frame = packet(family, protocol).frame(token)
    assert frame.count(token) == 1
    assert frame[:12].hex(":", 1) == "fa:16:3e:00:00:02:fa:16:3e:00:00:01"
    content = frame[ETHERNET:]
    if family == 4:
        assert checksum(content[:20]) == b"\0\0"
        length, number, header = struct.unpack("!H", content[2:4])[0], content[9], 20
    else:
        length, number, header = struct.unpack("!H", content[4:6])[0] + 40, content[6], 40
    assert number == NUMBERS[family, protocol]
    assert transport_sum(family, number, content[header:length]) == b"\0\0"


@pytest.mark.parametrize("family", [4, 6])
def test_fragments_make_one_packet_and_each_bears_the_token(family: int) -> None:
    token = frames.new_token()
    head, rest = packet(family, "udp").fragments(token)
    assert token in head
    assert token in rest
    skip = ETHERNET + (20 if family == 4 else 48)
    place = slice(ETHERNET + 6, ETHERNET + 8) if family == 4 else slice(ETHERNET + 42, ETHERNET + 44)
    first, second = (struct.unpack("!H", part[place])[0] for part in (head, rest))
    more, unit = (1 << 13, 8) if family == 4 else (1, 1)
    assert first == more
    assert second * unit == 24
    content = head[skip : skip + 24] + rest[skip:]
    length = struct.unpack("!H", content[4:6])[0]
    assert transport_sum(family, 17, content[:length]) == b"\0\0"


def test_a_claim_says_whose_the_address_is() -> None:
    token = frames.new_token()
    claim = frames.arp_claim("fa:16:3e:00:00:01", "10.10.0.9", token)
    assert claim[28:32] == ip_address("10.10.0.9").packed
    assert token in claim
    neighbour = frames.neighbour_claim("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fd10::9", token)
    assert neighbour[54] == 136
    assert token in neighbour
    router = frames.router_claim("fa:16:3e:00:00:01", "fa:16:3e:00:00:02", "fe80::1", token)
    assert router[54] == 134
    assert token in router


def test_link_local_addresses_go_with_the_mac() -> None:
    assert frames.link_local("fa:16:3e:69:23:21") == "fe80::f816:3eff:fe69:2321"


def test_a_spoofed_packet_differs_in_the_source_alone() -> None:
    honest = packet(4, "udp")
    spoofed = replace(honest, source="10.10.0.77")
    token = frames.new_token()
    first, second = (each.frame(token)[ETHERNET:] for each in (honest, spoofed))
    assert first[16:20] == second[16:20]
    assert first[12:16] != second[12:16]
