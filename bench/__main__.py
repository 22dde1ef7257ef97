"""`python -m bench [BENCHMARK ...]`: run the benchmarks, print a table, write results.json."""

import argparse
import sys
from pathlib import Path

from bench.billing import BillingScale, bench_billing
from bench.erasure import bench_erasure
from bench.kubernetes import KubernetesScale, bench_kubernetes
from bench.lists import Scale, bench_lists
from bench.openstack import bench_openstack
from bench.results import Result, print_table, write_results
from bench.sessions import SessionScale, bench_sessions
from bench.stage import stage

RESULTS = Path(__file__).parent / "results.json"
BENCHMARKS = ("lists", "sessions", "openstack", "kubernetes", "erasure", "billing")


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for, or everything."""
    options = _parser().parse_args(arguments)
    wanted = options.benchmarks or BENCHMARKS
    scale = Scale(rounds=options.rounds, seconds=options.seconds)
    results: list[Result] = []
    with stage() as made:
        if "lists" in wanted:
            results += bench_lists(made, scale)
        if "sessions" in wanted:
            results += bench_sessions(made, SessionScale(rounds=options.rounds, seconds=options.seconds))
        if "openstack" in wanted:
            results += bench_openstack(made, scale)
        if "kubernetes" in wanted:
            results += bench_kubernetes(KubernetesScale())
        if "erasure" in wanted:
            results += bench_erasure(options.rounds)
        if "billing" in wanted:
            results += bench_billing(
                made, BillingScale(rounds=options.rounds, many=options.tenants, is_whole=options.whole)
            )
    write_results(options.output, results)
    print_table(results)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each comparison (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="seconds of a round (default: %(default)s)")
    parser.add_argument("--tenants", type=int, default=10_000, help="of the billing benchmark (default: %(default)s)")
    parser.add_argument("--whole", action="store_true", help="invoice all of these tenants at last")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where to write (default: bench/results.json)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
