"""All proofs, in order."""

from collections.abc import Callable

from lab import acts, api_walls, attacks
from lab.knockouts import knock_out
from lab.measuring import measure
from lab.report import knock_out_lines, line
from lab.run import Lab
from lab.verdicts import KnockOut, Measured


def prove(lab: Lab, say: Callable[[str], None]) -> tuple[list[Measured], list[KnockOut]]:
    """Carry out every proof and every knock-out, and say each as it is known."""
    a, b, world, mac = lab.a, lab.b, lab.world, lab.world_mac
    measured: list[Measured] = []

    def add(more: list[Measured]) -> None:
        lab.background.check()
        measured.extend(more)
        for each in more:
            say(line(each))

    add(measure([*attacks.private(a, b), *attacks.broadcast(a, b)]))
    add(measure([*attacks.floating(a, b), *attacks.metadata(a, b, world)]))
    add(measure([*attacks.routed(b, world, mac), *attacks.fragmented(a, b, world, mac)]))
    add(measure(list(attacks.spoofed(a))))
    add(acts.opened_and_closed(lab))
    add(acts.odd_rules(lab))
    add(acts.route_to_closed(lab))
    for swept in acts.behind_our_back(lab):
        add([swept])
    knocked = []
    for each in knock_out(lab):
        knocked.append(each)
        for words in knock_out_lines(each):
            say(words)
    add(api_walls.ask(lab))
    return measured, knocked
