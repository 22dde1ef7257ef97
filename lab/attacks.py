"""The attacks on the wire, each with its control. What they need of the scene is made there."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lab import frames
from lab.captures import Wire
from lab.frames import PROTOCOLS, Packet, Protocol
from lab.guests import Guest
from lab.layout import OUTSIDE_V4, OUTSIDE_V6
from lab.measuring import Shot, Trial, fragments_shot, packet_shot
from lab.scene import Side
from lab.verdicts import Proof

PLACES = ("same host", "other host")
OVERLAY = "each tenant's network is a network of its own (VXLAN)"
GROUP = "B's security group"
ANTI_SPOOFING = "A's port security"
_FAMILIES: tuple[int, ...] = (4, 6)
_METADATA = "169.254.169.254"


def private(a: Side, b: Side, *, forged: bool = False, is_mute: bool = False) -> Iterator[Trial]:
    """N01: A's guest sends to B's private address, at B's hardware address, on the wire that A has.

    `forged`: as if from B, which needs A's port security to be off. `is_mute`: A's guests can send to nobody, so that
    the control is B's own.
    """
    source, mates, victims = a.guests["a1"], _mates(a), _victims(b)
    for place, mate, victim in zip(PLACES, mates, victims, strict=True):
        for family, protocol in _each():
            aimed = source.packet(protocol, victim.address(family), victim.mac)
            control = source.packet(protocol, mate.address(family), mate.mac)
            heard = packet_shot(source.wire, control, mate.wire)
            if is_mute:
                own = b.guests["b1"]
                heard = packet_shot(own.wire, own.packet(protocol, victim.address(family), victim.mac), victim.wire)
            if forged:
                other = next(each for each in victims if each is not victim)
                aimed = replace(aimed, source=other.address(family), source_mac=other.mac)
            proof = _proof(
                f"private-{_short(place)}",
                "N01",
                family,
                protocol,
                f"A to B's private address, {place}{', in the name of another guest of B' if forged else ''}",
                "the same from B's own guest" if is_mute else "the same to A's own guest",
                OVERLAY,
            )
            yield Trial(proof, packet_shot(source.wire, aimed, *_wires(b)), heard)


def broadcast(a: Side, b: Side) -> Iterator[Trial]:
    """N01: what A broadcasts on its network."""
    source = a.guests["a1"]
    for place, mate in zip(PLACES, _mates(a), strict=True):

        def claim(token: bytes) -> list[bytes]:
            return [frames.arp_claim(source.mac, source.v4, token)]

        proof = Proof(
            f"broadcast-{_short(place)}-arp",
            "N01",
            "ARP",
            "arp",
            f"A's broadcast comes in at B, {place}",
            "the same broadcast at A's own guest",
            OVERLAY,
        )
        end = b.guests["b1" if place == PLACES[0] else "b2"].wire
        yield Trial(proof, Shot(source.wire, claim, [end]), Shot(source.wire, claim, [mate.wire]))


def floating(a: Side, b: Side) -> Iterator[Trial]:
    """N01: A's guest sends to B's floating IP, through both routers."""
    source = a.guests["a1"]
    for place, victim, open_ in zip(PLACES, ("b1", "b2"), ("open1", "open2"), strict=True):
        for protocol in PROTOCOLS:
            aimed, control = (source.packet(protocol, b.floating[name], a.gateway_mac) for name in (victim, open_))
            proof = _proof(
                f"floating-{_short(place)}",
                "N01",
                4,
                protocol,
                f"A to B's floating IP, {place}",
                "the same to a guest of B that is open to all",
                GROUP,
            )
            yield Trial(
                proof,
                packet_shot(source.wire, aimed, b.guests[victim].wire),
                packet_shot(source.wire, control, b.guests[open_].wire),
            )


def routed(b: Side, world: Wire, world_mac: str) -> Iterator[Trial]:
    """N10: from the shared external segment to B's private address, by way of B's router."""
    for family, protocol in _each():
        for place, victim, open_ in zip(PLACES, ("b1", "b2"), ("open1", "open2"), strict=True):
            aimed, control = (
                Packet(
                    _outside_address(family),
                    b.guests[name].address(family),
                    world_mac,
                    b.external_mac,
                    protocol,
                )
                for name in (victim, open_)
            )
            proof = _proof(
                f"routed-{_short(place)}",
                "N10",
                family,
                protocol,
                f"from the external network to B's private address through B's router, {place} as the router"
                if place == PLACES[0]
                else "from the external network to B's private address through B's router, other host",
                "the same to a guest of B that is open to all",
                GROUP,
            )
            yield Trial(
                proof,
                packet_shot(world, aimed, b.guests[victim].wire),
                packet_shot(world, control, b.guests[open_].wire),
            )


def fragmented(a: Side, b: Side, world: Wire, world_mac: str) -> Iterator[Trial]:
    """N01: the same in fragments."""
    source = a.guests["a1"]
    for place, victim, open_ in zip(PLACES, ("b1", "b2"), ("open1", "open2"), strict=True):
        for family, protocol in ((4, "udp"), (4, "icmp"), (6, "udp"), (6, "icmp")):
            sender = source.wire if family == 4 else world
            aimed, control = (
                source.packet(protocol, b.floating[name], a.gateway_mac)  # type: ignore[arg-type]
                if family == 4
                else Packet(
                    _outside_address(6),
                    b.guests[name].v6,
                    world_mac,
                    b.external_mac,
                    protocol,  # type: ignore[arg-type]
                )
                for name in (victim, open_)
            )
            proof = _proof(
                f"fragments-{_short(place)}",
                "N01",
                family,
                protocol,
                f"fragments to B's {'floating IP' if family == 4 else 'address through its router'}, {place}",
                "the same fragments to a guest of B that is open to all",
                GROUP,
            )
            yield Trial(
                proof,
                fragments_shot(sender, aimed, b.guests[victim].wire),
                fragments_shot(sender, control, b.guests[open_].wire),
            )


def spoofed(a: Side) -> Iterator[Trial]:
    """N04: A's guest says that it is somebody else, to guests on its own network, which is where that would work."""
    source, strangers = a.guests["a1"], {4: "10.10.0.254", 6: "fd10::dead:beef"}
    stranger_mac = "fa:16:3e:00:de:ad"
    for place, mate in zip(PLACES, _mates(a), strict=True):
        honest = {
            (family, protocol): source.packet(protocol, mate.address(family), mate.mac) for family, protocol in _each()
        }
        for (family, protocol), control in honest.items():
            aimed = replace(control, source=strangers[family])
            yield _spoof(
                "source", place, family, protocol, "an address that is not its own", source, aimed, control, mate
            )
        for family in _FAMILIES:
            control = honest[family, "udp"]
            aimed = replace(control, source_mac=stranger_mac)
            yield _spoof("mac", place, family, "udp", "a MAC that is not its own", source, aimed, control, mate)
        for family, own, client in ((4, 67, 68), (6, 547, 546)):
            control = replace(honest[family, "udp"], port=client)
            aimed = replace(control, source_port=own)
            yield _spoof("dhcp", place, family, "udp", "the port of a DHCP server", source, aimed, control, mate)
        yield from _claims(place, source, mate)


def _claims(place: str, source: Guest, mate: Guest) -> Iterator[Trial]:
    stranger = "10.10.0.254"

    def trial(name: str, family: str, protocol: str, what: str, attack: Shot, control: Shot, wanted: str) -> Trial:
        proof = Proof(
            f"{name}-{_short(place)}-{protocol}", "N04", family, protocol, f"{what}, {place}", wanted, ANTI_SPOOFING
        )
        return Trial(proof, attack, control)

    wire, ends = source.wire, [mate.wire]
    yield trial(
        "claim",
        "ARP",
        "arp",
        "A's guest claims another's IPv4 address by ARP",
        Shot(wire, lambda token: [frames.arp_claim(source.mac, stranger, token)], ends),
        Shot(wire, lambda token: [frames.arp_claim(source.mac, source.v4, token)], ends),
        "the same claim of its own address",
    )
    yield trial(
        "claim",
        "IPv6",
        "ndp",
        "A's guest claims another's IPv6 address by neighbour discovery",
        Shot(wire, lambda token: [frames.neighbour_claim(source.mac, mate.mac, "fd10::dead:beef", token)], ends),
        Shot(wire, lambda token: [frames.neighbour_claim(source.mac, mate.mac, source.v6, token)], ends),
        "the same claim of its own address",
    )
    own = frames.link_local(source.mac)
    yield trial(
        "router",
        "IPv6",
        "ra",
        "A's guest says by router advertisement that it leads outside",
        Shot(wire, lambda token: [frames.router_claim(source.mac, mate.mac, own, token)], ends),
        Shot(wire, lambda token: [frames.neighbour_claim(source.mac, mate.mac, source.v6, token)], ends),
        "a neighbour advertisement",
    )


def metadata(a: Side, b: Side, world: Wire) -> Iterator[Trial]:
    """N01: the address of the metadata service leads nowhere near B."""
    source = a.guests["a1"]
    aimed, control = (source.packet("tcp", target, a.gateway_mac) for target in (_METADATA, str(OUTSIDE_V4[1])))
    proof = _proof(
        "metadata", "N01", 4, "tcp", "the metadata address", "the same to the outside world", "routes of A's router"
    )
    yield Trial(proof, packet_shot(source.wire, aimed, *_wires(b)), packet_shot(source.wire, control, world))


def one_rule(a: Side, b: Side) -> Iterator[Trial]:
    """N02: B has opened TCP port 80 to all in its default group: that port, that protocol, that way, and no other."""
    source = a.guests["a1"]
    for place, name in zip(PLACES, ("b1", "b2"), strict=True):
        victim = b.guests[name]
        control = source.packet("tcp", b.floating[name], a.gateway_mac)
        for what, aimed in (
            ("another port", replace(control, port=81)),
            ("UDP instead of TCP", replace(control, protocol="udp")),
            ("ICMP instead of TCP", replace(control, protocol="icmp")),
        ):
            proof = _proof(
                f"one-rule-{_short(place)}-{aimed.port}",
                "N02",
                4,
                aimed.protocol,
                f"B opens TCP port 80; A tries {what}, {place}",
                "TCP port 80",
                GROUP,
            )
            yield Trial(
                proof,
                packet_shot(source.wire, aimed, victim.wire),
                packet_shot(source.wire, control, victim.wire),
            )
    back, own = b.guests["b1"], a.guests["a1"]
    proof = _proof(
        "one-rule-one-way",
        "N02",
        4,
        "tcp",
        "B has opened a port to A; B tries the same port of A's floating IP",
        "A tries that port of B's",
        "A's security group",
    )
    yield Trial(
        proof,
        packet_shot(back.wire, back.packet("tcp", a.floating["a1"], b.gateway_mac), own.wire),
        packet_shot(own.wire, own.packet("tcp", b.floating["b1"], a.gateway_mac), back.wire),
    )


def _spoof(
    name: str,
    place: str,
    family: int,
    protocol: Protocol,
    what: str,
    source: Guest,
    aimed: Packet,
    control: Packet,
    mate: Guest,
) -> Trial:
    proof = _proof(
        f"{name}-{_short(place)}",
        "N04",
        family,
        protocol,
        f"A's guest sends from {what}, {place}",
        "the same from its own",
        ANTI_SPOOFING,
    )
    return Trial(proof, packet_shot(source.wire, aimed, mate.wire), packet_shot(source.wire, control, mate.wire))


def _proof(name: str, threat: str, family: int, protocol: str, attack: str, control: str, wall: str) -> Proof:
    return Proof(f"{name}-v{family}-{protocol}", threat, f"IPv{family}", protocol, attack, control, wall)


def _each() -> Iterable[tuple[int, Protocol]]:
    return [(family, protocol) for family in _FAMILIES for protocol in PROTOCOLS]


def _mates(a: Side) -> tuple[Guest, Guest]:
    return a.guests["a3"], a.guests["a2"]


def _victims(b: Side) -> tuple[Guest, Guest]:
    return b.guests["open1"], b.guests["open2"]


def _wires(side: Side) -> list[Wire]:
    return [guest.wire for guest in side.guests.values()]


def _short(place: str) -> str:
    return place.partition(" ")[0]


def _outside_address(family: int) -> str:
    return str(OUTSIDE_V4[1] if family == 4 else OUTSIDE_V6[1])
