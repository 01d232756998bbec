"""The live part of the bench, and what is told of it."""

from collections.abc import Sequence
from typing import Final

from local.processes import Supervisor
from stoculus.streams import StockFeed
from tests.bench.live.cpu import both_ways
from tests.bench.live.market import FEEDS, FEEDS_ALONE
from tests.bench.live.receiving import receiving_us
from tests.bench.live.tape import FULL, QUICK, Steady, Stress, Then, run, stress
from tests.bench.report import Comparison, Figure
from tests.bench.stack import Bench

ROUNDS: Final = 5


def measure_live(bench: Bench, *, quick: bool) -> tuple[list[Comparison], list[Figure]]:
    """All of it; one shorter run where `quick`."""
    # It holds the lease, and each run has a service of its own.
    Supervisor(bench.settings.var_dir.resolve()).stop("live-stream")
    rounds = 1 if quick else ROUNDS
    comparison, figures = _cpu(bench, rounds)
    alone, _ = _steady(bench, FEEDS_ALONE, rounds, quick=quick)
    runs, stressed = _steady(bench, FEEDS, rounds, quick=quick, then=stress)
    assert stressed is not None
    return [comparison], [
        *figures,
        Figure("live_rate", "records/s", [one.rate for one in runs]),
        *_latency("live_two_topics", alone),
        *_latency("live_ten_topics", runs),
        Figure("live_dropped", "messages", [float(max(one.dropped for one in alone + runs))], limit=1.0),
        Figure("live_cpu_of_a_record", "µs", [one.cpu_us for one in runs]),
        Figure("live_rss", "MiB", [one.rss_mib for one in runs]),
        Figure("live_highest_rate", "records/s", [stressed.highest_rate]),
        Figure("live_burst", "records/s", [stressed.burst_rate]),
        Figure("live_burst_dropped_and_healed", "messages", [float(stressed.burst_dropped)]),
        Figure("live_burst_caught_up_after", "s", [stressed.caught_up_s]),
    ]


def _steady(
    bench: Bench, feeds: Sequence[StockFeed], rounds: int, *, quick: bool, then: Then | None = None
) -> tuple[list[Steady], Stress | None]:
    """Some runs; after the last of them what comes `then`."""
    bench.say(f"A live tape on {len(feeds)} topics")
    runs: list[Steady] = []
    stressed = None
    for number in range(rounds):
        steady, stressed = run(bench, feeds, QUICK if quick else FULL, then if number == rounds - 1 else None)
        bench.say(
            f"  {steady.rate:,.0f}/s: p50 {steady.p50_ms:.2f} ms, p99 {steady.p99_ms:.2f} ms, "
            f"{steady.dropped} dropped, {steady.cpu_us:.1f} µs, {steady.rss_mib:.0f} MiB"
        )
        runs.append(steady)
    return runs, stressed


def _latency(name: str, runs: Sequence[Steady]) -> list[Figure]:
    return [
        Figure(f"{name}_p50", "ms", [one.p50_ms for one in runs], limit=5.0),
        Figure(f"{name}_p99", "ms", [one.p99_ms for one in runs], limit=25.0),
    ]


def _cpu(bench: Bench, rounds: int) -> tuple[Comparison, list[Figure]]:
    bench.say("CPU time from received messages to produced records")
    ours, naive = [], []
    with both_ways(bench) as ways:
        for _ in range(rounds):
            naive.append(ways.cpu_us(ways.naive))
            ours.append(ways.cpu_us(ways.ours))
            bench.say(f"  ours {ours[-1]:.1f} µs, naive {naive[-1]:.1f} µs")
    receiving = receiving_us(bench)
    bench.say(f"  receiving {receiving:.1f} µs")
    comparison = Comparison("live_cpu_vs_naive", "µs/record", ours, naive, 0.3, at_most=True)
    return comparison, [Figure("live_receiving_cpu_of_a_record", "µs", [receiving])]
