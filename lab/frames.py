"""Ethernet frames, made byte by byte, so that they can say what no honest guest would.

Every frame bears a token, by which it is found again wherever it comes out. Layouts: RFC 791, 8200, 9293, 768, 792,
4443, 826 and 4861; checksums: RFC 1071.
"""

import secrets
import struct
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal

Protocol = Literal["tcp", "udp", "icmp"]
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp", "icmp")

TOKEN_BYTES = 12
SERVICE_PORT = 80
"""The port that packets of TCP and UDP go to unless said otherwise."""
ICMP_ECHO, ICMPV6_ECHO, NEIGHBOUR_ADVERTISEMENT, ROUTER_ADVERTISEMENT = 8, 128, 136, 134
BROADCAST = "ff:ff:ff:ff:ff:ff"
_IPV4, _IPV6, _ARP = 0x0800, 0x86DD, 0x0806
_NUMBERS = {("tcp", 4): 6, ("udp", 4): 17, ("icmp", 4): 1, ("tcp", 6): 6, ("udp", 6): 17, ("icmp", 6): 58}
_FRAGMENT = 44
_SHORTEST = 60


def new_token() -> bytes:
    """Return what to know a frame by; it occurs in no other."""
    return secrets.token_bytes(TOKEN_BYTES)


@dataclass(frozen=True)
class Packet:
    """One packet from an address to another, and the hardware addresses that carry it."""

    source: str
    target: str
    source_mac: str
    target_mac: str
    protocol: Protocol
    port: int = SERVICE_PORT
    source_port: int = 40000

    @property
    def family(self) -> int:
        """4 or 6."""
        return ip_address(self.target).version

    def to(self, target: str, target_mac: str | None = None) -> "Packet":
        """Return the same packet for somebody else."""
        return replace(self, target=target, target_mac=target_mac or self.target_mac)

    def frame(self, token: bytes) -> bytes:
        """Return the packet as one frame."""
        return _ethernet(self, self._internet(self._transport(token), _NUMBERS[self.protocol, self.family]))

    def fragments(self, token: bytes) -> list[bytes]:
        """Return the packet as two fragments, each with the token in it."""
        content = self._transport(token + bytes(32 - TOKEN_BYTES - 8) + token * 4)
        head, rest = content[:24], content[24:]
        number, name = _NUMBERS[self.protocol, self.family], secrets.randbits(16)
        if self.family == 4:
            parts = (self._internet(head, number, name, 1 << 13), self._internet(rest, number, name, len(head) // 8))
        else:
            parts = (
                self._internet(struct.pack("!BBHI", number, 0, 1, name) + head, _FRAGMENT),
                self._internet(struct.pack("!BBHI", number, 0, len(head), name) + rest, _FRAGMENT),
            )
        return [_ethernet(self, part) for part in parts]

    def _internet(self, content: bytes, number: int, name: int = 0, offset: int = 0) -> bytes:
        source, target = ip_address(self.source), ip_address(self.target)
        if isinstance(source, IPv6Address):
            return struct.pack("!IHBB", 6 << 28, len(content), number, 255) + source.packed + target.packed + content
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), name, offset, 64, number, 0)
        header += source.packed + target.packed
        return header[:10] + checksum(header) + header[12:] + content

    def _transport(self, content: bytes) -> bytes:
        if self.protocol == "udp":
            made = struct.pack("!HHHH", self.source_port, self.port, 8 + len(content), 0) + content
            return _with_checksum(made, 6, self._pseudo(len(made)))
        if self.protocol == "tcp":
            made = struct.pack("!HHIIBBHHH", self.source_port, self.port, 1, 0, 5 << 4, 2, 64240, 0, 0) + content
            return _with_checksum(made, 16, self._pseudo(len(made)))
        kind = ICMP_ECHO if self.family == 4 else ICMPV6_ECHO
        made = struct.pack("!BBHHH", kind, 0, 0, self.source_port, 1) + content
        return _with_checksum(made, 2, b"" if self.family == 4 else self._pseudo(len(made)))

    def _pseudo(self, length: int) -> bytes:
        number = _NUMBERS[self.protocol, self.family]
        addresses = ip_address(self.source).packed + ip_address(self.target).packed
        return addresses + (
            struct.pack("!BBH", 0, number, length) if self.family == 4 else struct.pack("!II", length, number)
        )


def arp_claim(mac: str, address: str, token: bytes, *, sender_mac: str | None = None) -> bytes:
    """Return a gratuitous ARP reply: the address is at this MAC. The token is in the padding."""
    hardware, own = _mac(sender_mac or mac), IPv4Address(address).packed
    content = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 2) + hardware + own + _mac(BROADCAST) + own
    return _padded(_mac(BROADCAST) + _mac(mac) + struct.pack("!H", _ARP) + content, token)


def neighbour_claim(mac: str, target_mac: str, address: str, token: bytes) -> bytes:
    """Return an unsolicited neighbour advertisement: the IPv6 address is at this MAC."""
    body = struct.pack("!I", 0x20000000) + IPv6Address(address).packed + b"\x02\x01" + _mac(mac)
    return _icmpv6(NEIGHBOUR_ADVERTISEMENT, body, mac, target_mac, address, "ff02::1", token)


def router_claim(mac: str, target_mac: str, source: str, token: bytes) -> bytes:
    """Return a router advertisement: the sender leads to the outside."""
    body = struct.pack("!BBHII", 64, 0, 1800, 0, 0) + b"\x01\x01" + _mac(mac)
    return _icmpv6(ROUTER_ADVERTISEMENT, body, mac, target_mac, source, "ff02::1", token)


def link_local(mac: str) -> str:
    """Return the link-local address that goes with a MAC (RFC 4291, appendix A)."""
    octets = bytearray(_mac(mac))
    octets[0] ^= 2
    return str(IPv6Address(b"\xfe\x80" + bytes(6) + bytes(octets[:3]) + b"\xff\xfe" + bytes(octets[3:])))


def checksum(content: bytes) -> bytes:
    """Return the internet checksum."""
    padded = content + bytes(len(content) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def _icmpv6(kind: int, body: bytes, mac: str, target_mac: str, source: str, target: str, token: bytes) -> bytes:
    # The token is an option that nobody knows: type 253 (RFC 4727), in units of eight bytes.
    option = struct.pack("!BB", 253, 2) + token.ljust(14, b"\0")
    made = struct.pack("!BBH", kind, 0, 0) + body + option
    pseudo = IPv6Address(source).packed + IPv6Address(target).packed + struct.pack("!II", len(made), 58)
    made = _with_checksum(made, 2, pseudo)
    header = struct.pack("!IHBB", 6 << 28, len(made), 58, 255) + IPv6Address(source).packed + IPv6Address(target).packed
    return _padded(_mac(target_mac) + _mac(mac) + struct.pack("!H", _IPV6) + header + made, b"")


def _ethernet(packet: Packet, content: bytes) -> bytes:
    kind = _IPV4 if packet.family == 4 else _IPV6
    return _padded(_mac(packet.target_mac) + _mac(packet.source_mac) + struct.pack("!H", kind) + content, b"")


def _padded(frame: bytes, token: bytes) -> bytes:
    return (frame + token).ljust(_SHORTEST, b"\0")


def _with_checksum(content: bytes, place: int, pseudo: bytes) -> bytes:
    return content[:place] + checksum(pseudo + content) + content[place + 2 :]


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
