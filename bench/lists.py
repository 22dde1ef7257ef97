"""What layers 1 and 2 cost: the list of 20 networks, with them and without."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench.load import Specification
from bench.processes import LOOPBACK, serving
from bench.results import Result
from bench.rounds import Side, compare_rounds, measure_in_turns, median_of
from bench.stage import Stage, host_of
from platforma.authentication.cookies import SESSION_COOKIE
from platforma.database.roles import DatabaseRole
from platforma.kit.crypto import new_key

NETWORKS = 20
CONNECTIONS = 8
_USED_TENANTS = 32


@dataclass(frozen=True)
class Scale:
    """How much is measured: tenants, rounds, and seconds of a round."""

    tenants: int = 500
    rounds: int = 15
    seconds: float = 3.0


@contextmanager
def product_side(stage: Stage, database: str, scale: Scale) -> Iterator[Side]:
    """Serve the product over a database, under a load of lists of networks."""
    with _side(stage, "bench.sides:create_product", database, scale) as side:
        yield side


def bench_lists(stage: Stage, scale: Scale) -> list[Result]:
    """Compare the product's list of networks with the same list without layers 1 and 2."""
    stage.make("lists", tenants=scale.tenants, networks=NETWORKS)
    stage.knock_out("lists_plain", "lists")
    with ExitStack() as stack:
        ours = stack.enter_context(product_side(stage, "lists", scale))
        plain = stack.enter_context(_side(stage, "bench.sides:create_plain", "lists_plain", scale))
        isolated, bare = measure_in_turns([ours, plain], scale.rounds)
    throughput = compare_rounds(isolated, bare, lambda item: item.throughput)
    cpu = compare_rounds(isolated, bare, lambda item: item.throughput_per_cpu_second)
    return [
        Result(
            "List of 20 networks, layers 1 and 2 against none",
            median_of(isolated, lambda item: item.throughput),
            "requests/s",
            median_of(bare, lambda item: item.throughput),
            throughput.median,
            throughput.spread,
            "at least 0.85",
        ),
        Result(
            "List of 20 networks, per CPU second of server and PostgreSQL",
            median_of(isolated, lambda item: item.throughput_per_cpu_second),
            "requests/CPU s",
            median_of(bare, lambda item: item.throughput_per_cpu_second),
            cpu.median,
            cpu.spread,
        ),
        *(
            Result(
                f"List of 20 networks, CPU time in {name}",
                median_of(isolated, of),
                "ms/request",
                median_of(bare, of),
                (ratio := compare_rounds(isolated, bare, of)).median,
                ratio.spread,
            )
            for name, of in (
                ("the server", lambda item: 1000 * item.server_cpu_seconds / item.answered.requests),
                ("PostgreSQL", lambda item: 1000 * item.database_cpu_seconds / item.answered.requests),
            )
        ),
    ]


@contextmanager
def _side(stage: Stage, application: str, database: str, scale: Scale) -> Iterator[Side]:
    numbers = range(0, scale.tenants, max(1, scale.tenants // _USED_TENANTS))
    environment = {
        "PLATFORMA_DATABASE__PORTAL": stage.url(DatabaseRole.PORTAL, database),
        "PLATFORMA_PEPPER": new_key(),
    }
    requests = [
        f"GET /api/v1/networks HTTP/1.1\r\nHost: {host_of(tenant)}\r\nCookie: {SESSION_COOKIE}={token}"
        "\r\nAccept: application/json\r\n\r\n"
        for tenant, token in zip(numbers, stage.tokens(numbers), strict=True)
    ]
    with serving(application, environment) as (port, pid):
        load = Specification(LOOPBACK, port, requests, CONNECTIONS, scale.seconds)
        yield Side(load, server=[pid], database=[stage.postmaster])
