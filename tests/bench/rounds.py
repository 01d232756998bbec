"""The rounds of a bench: each measures everything once, side by side."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Final

from stoculus.kafka.enqueue import HAS_EXTENSION
from tests.bench import memory, source
from tests.bench.kafka_perf import producer_performance
from tests.bench.naive import naive_pipeline, naive_whole_way, part_of_a_day
from tests.bench.pipeline import pipeline, record_bytes
from tests.bench.report import Comparison, Figure
from tests.bench.stack import Bench
from tests.bench.whole_way import first_record, many_tickers, many_topics, option_whole_way, whole_way

ROUNDS: Final = 5
NAIVE_ROWS: Final = 250_000
KAFKA_RECORDS: Final = 4_000_000


class Rounds:
    """Values by name, one a round."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.values: dict[str, list[float]] = defaultdict(list)

    def take(self, name: str, measure: Callable[[str], float]) -> None:
        """Measure once more; `measure` gets an id that nothing had before."""
        value = measure(f"bench-{name}-{len(self.values[name])}")
        self.values[name].append(value)
        self._bench.say(f"  {name}: {value:,.2f}" if value < 100 else f"  {name}: {value:,.0f}")


def measure(bench: Bench, *, quick: bool) -> tuple[list[Comparison], list[Figure]]:
    """All of it; one round without memory where `quick`."""
    rounds, with_memory = Rounds(bench), not quick and memory.can_measure()
    bodies = _prepare(bench, with_memory=with_memory)
    for number in range(1 if quick else ROUNDS):
        bench.say(f"Round {number + 1}")
        _pipelines(rounds, bench, bodies)
        rounds.take("whole-way", lambda name: whole_way(bench, name))
        rounds.take("option-whole-way", lambda name: option_whole_way(bench, name))
        rounds.take("chain-from-simulator", lambda _: source.chain_from_simulator(bench.simulator_url))
        rounds.take("naive-whole-way", lambda name: naive_whole_way(bench, name))
        rounds.take("first-record", lambda name: first_record(bench, name))
        if with_memory:
            for run in memory.RUNS:
                rounds.take(run, partial(memory.peak_rss_mib, bench, run))
    figures = [Figure("first_record_of_a_day_of_bars", "s", rounds.values["first-record"], limit=2.0)]
    bench.say("One backtest of many topics")
    figures += many_topics(bench, "bench-many")
    if with_memory:
        bench.say("A chain's day larger than the memory budget")
        figures += memory.chain_day(bench, "bench-chain-day")
    return comparisons(rounds.values), figures


def _prepare(bench: Bench, *, with_memory: bool) -> Mapping[date, bytes]:
    bench.say("The simulator makes the data")
    bodies = source.download(bench.simulator_url, source.task("none"))
    part_of_a_day(bench).read()
    for ticker in many_tickers():
        source.warm(bench.simulator_url, source.task("none", ticker, schema="ohlcv", end=source.DAYS[0]))
    source.warm(bench.simulator_url, source.chain_task("none"))
    if with_memory:
        for run in memory.RUNS:
            source.warm(bench.simulator_url, memory.task_of(run, "none"))
    return bodies


def _pipelines(rounds: Rounds, bench: Bench, bodies: Mapping[date, bytes]) -> None:
    body = bodies[source.DAYS[0]]
    rounds.take("naive", lambda name: naive_pipeline(bench, body, NAIVE_ROWS, name))
    if HAS_EXTENSION:
        rounds.take("c", lambda name: pipeline(bench, bodies, name, c_loop=True))
    rounds.take("python", lambda name: pipeline(bench, bodies, name, c_loop=False))
    rounds.take("kafka", lambda name: producer_performance(bench, KAFKA_RECORDS, record_bytes(body), name))


def comparisons(values: Mapping[str, list[float]]) -> list[Comparison]:
    """What is claimed, by the names that others know; without the C loop the plain names are the Python loop's."""
    loops = {"": "c", "_python_loop": "python"} if "c" in values else {"": "python"}
    rows: list[tuple[str, str, str, float | None]] = []
    for suffix, loop in loops.items():
        by_naive, by_kafka = (10.0, 1.2) if loop == "c" else (5.0, 0.6)
        rows += [
            (f"pipeline_vs_naive{suffix}", loop, "naive", by_naive),
            (f"pipeline_vs_producer_performance{suffix}", loop, "kafka", by_kafka),
        ]
    rows += [
        ("whole_way_vs_naive", "whole-way", "naive-whole-way", 5.0),
        ("option_whole_way_vs_stock_whole_way", "option-whole-way", "whole-way", 0.6),
        ("option_whole_way_vs_simulator_alone", "option-whole-way", "chain-from-simulator", None),
    ]
    found = [Comparison(name, "records/s", values[ours], values[other], target) for name, ours, other, target in rows]
    if "rss-10m" in values:
        ten, one = values["rss-10m"], values["rss-1m"]
        found.append(Comparison("rss_10m_vs_1m", "MiB", ten, one, 1.1, at_most=True))
        found.append(Comparison("rss_10_days_vs_1_day", "MiB", values["rss-10-days"], one, at_most=True))
    return found
