"""The topology as a drawing: where each box is, and what is joined by lines. The template only writes it down."""

from dataclasses import dataclass, field
from uuid import UUID

from platforma.network.topology import NetworkNode, ServerNode, Topology

INTERNET_X, INTERNET_WIDTH = 12, 104
ROUTER_X, ROUTER_WIDTH, ROUTER_HEIGHT = 168, 176, 52
NETWORK_X = 396
COLUMNS = 3
CARD_WIDTH, CARD_HEIGHT, CARD_GAP = 192, 66, 10
HEAD_HEIGHT, PADDING, NETWORK_GAP = 44, 12, 18
NETWORK_WIDTH = COLUMNS * (CARD_WIDTH + CARD_GAP) - CARD_GAP + 2 * PADDING
WIDTH = NETWORK_X + NETWORK_WIDTH + 12
_LONGEST_LINE = 27


@dataclass(frozen=True)
class Box:
    """A rectangle with up to three lines of text; `title` has all that does not fit."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    title: str
    href: str | None = None
    tone: str = ""

    @property
    def middle(self) -> float:
        """How far down its middle is."""
        return self.y + self.height / 2


@dataclass(frozen=True)
class Line:
    """A curve from the right of one box to the left of another."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def path(self) -> str:
        """As SVG has it."""
        bend = (self.x1 + self.x2) / 2
        return f"M{self.x1:g} {self.y1:g}C{bend:g} {self.y1:g} {bend:g} {self.y2:g} {self.x2:g} {self.y2:g}"


@dataclass
class Drawing:
    """Everything to draw."""

    width: float = WIDTH
    height: float = 0
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


def draw(topology: Topology) -> Drawing:
    """Lay the topology out: the internet, the routers, the networks, and in each network its servers in rows of three.

    No two boxes overlap, and no text is smaller with many servers than with few: the drawing grows downwards.
    """
    drawing = Drawing()
    y: float = 12
    heads: dict[UUID, list[float]] = {}
    for node in topology.networks:
        network = _network_box(node, y)
        drawing.boxes.append(network)
        for router_id in node.router_ids:
            heads.setdefault(router_id, []).append(y + HEAD_HEIGHT / 2)
        drawing.boxes += [_server_box(each, number, y + HEAD_HEIGHT) for number, each in enumerate(node.servers)]
        y = network.y + network.height + NETWORK_GAP
    lowest: float = 12
    outside: list[Box] = []
    for router in sorted(topology.routers, key=lambda each: min(heads.get(each.id, [1e9]))):
        wanted = heads.get(router.id)
        top = max(lowest, (min(wanted) if wanted else lowest) - ROUTER_HEIGHT / 2)
        way = router.external_address or ("being given" if router.has_external_gateway else "no way outside")
        box = Box(
            ROUTER_X,
            top,
            ROUTER_WIDTH,
            ROUTER_HEIGHT,
            (cut(router.name, 22), way),
            f"Router {router.name}: {way}",
            f"/routers/{router.id}",
            "router",
        )
        lowest = top + ROUTER_HEIGHT + CARD_GAP
        drawing.boxes.append(box)
        drawing.lines += [Line(ROUTER_X + ROUTER_WIDTH, box.middle, NETWORK_X, head) for head in wanted or ()]
        if router.has_external_gateway:
            outside.append(box)
    if outside:
        middle = sum(box.middle for box in outside) / len(outside)
        internet = Box(
            INTERNET_X, max(12, middle - 24), INTERNET_WIDTH, 48, ("Internet",), "The internet", tone="internet"
        )
        drawing.boxes.append(internet)
        right = INTERNET_X + INTERNET_WIDTH
        drawing.lines += [Line(right, internet.middle, ROUTER_X, box.middle) for box in outside]
    drawing.height = max([y, *(box.y + box.height + 12 for box in drawing.boxes)])
    return drawing


def cut(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return a text that fits on a line."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _network_box(node: NetworkNode, y: float) -> Box:
    rows = -(-len(node.servers) // COLUMNS)
    height = HEAD_HEIGHT + (rows * (CARD_HEIGHT + CARD_GAP) - CARD_GAP + PADDING if rows else 0)
    ranges = ", ".join(subnet.cidr for subnet in node.subnets) or "no subnet"
    line = cut(f"{cut(node.network.name, 40)}  ·  {ranges}", 86)
    title = f"Network {node.network.name}: {ranges}"
    return Box(NETWORK_X, y, NETWORK_WIDTH, height, (line,), title, f"/networks/{node.network.id}", "network")


def _server_box(node: ServerNode, number: int, top: float) -> Box:
    row, column = divmod(number, COLUMNS)
    address = node.addresses[0] if node.addresses else "no address yet"
    if node.floating_ip is not None and node.floating_ip.address:
        address = f"{node.floating_ip.address} → {address}"
    count = len(node.volumes)
    volumes = f"{count} volume{'s' if count > 1 else ''}" if count else ""
    told = [f"Open: {', '.join(node.openings)}" if node.openings else "", volumes]
    last = " · ".join(part for part in told if part)
    title = ". ".join(part for part in (f"Server {node.server.name}", address, last) if part)
    return Box(
        NETWORK_X + PADDING + column * (CARD_WIDTH + CARD_GAP),
        top + row * (CARD_HEIGHT + CARD_GAP),
        CARD_WIDTH,
        CARD_HEIGHT,
        (cut(node.server.name, 20), cut(address), cut(last)),
        title,
        f"/servers/{node.server.id}",
        "open" if node.openings else "server",
    )
