"""What is measured of reading, round by round."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from stoculus.kafka.enqueue import HAS_EXTENSION
from tests.bench import memory, source
from tests.bench.pipeline import written
from tests.bench.reading import merging
from tests.bench.reading.columns import read_columns, read_naive
from tests.bench.reading.peak import peak_of_reading_mib
from tests.bench.report import Comparison, Figure
from tests.bench.rounds import ROUNDS, Rounds
from tests.bench.stack import Bench
from tests.bench.whole_way import backtest, completed, stocks

_NAIVE_PART: Final = 10
"""The naive way reads this part of the topic."""
_SIZES: Final = {"read-rss-1m": "LOAD", "read-rss-10m": "LOAD10"}


def measure_reading(bench: Bench, *, quick: bool) -> tuple[list[Comparison], list[Figure]]:
    """Topics to columns, merges, and the memory of a reader."""
    rounds = Rounds(bench)
    bench.say("Reading")
    bodies = source.download(bench.simulator_url, source.task("none"))
    count = 1 if quick else ROUNDS
    for _ in range(count):
        _columns(rounds, bench, bodies)
    backtest_id = merging.ten_topics(bench)
    for _ in range(count):
        rounds.take("in-turn", lambda _: merging.read_columns_in_turn(bench, backtest_id))
        rounds.take("merged", lambda _: merging.merge_columns(bench, backtest_id))
        rounds.take("records-in-turn", lambda _: merging.read_records_in_turn(bench, backtest_id))
        rounds.take("events", lambda _: merging.merge_events(bench, backtest_id))
    if not quick and memory.can_measure():
        for name, ticker in _SIZES.items():
            _memory(rounds, bench, name, ticker)
    return comparisons(rounds.values), [Figure("merge_events", "records/s", rounds.values["events"])]


def _columns(rounds: Rounds, bench: Bench, bodies: Mapping[date, bytes]) -> None:
    with written(bench, bodies, f"bench-read-{len(rounds.values['read-naive'])}") as (topic, records, _):
        rounds.take("read-naive", lambda _: read_naive(bench, topic, records // _NAIVE_PART))
        if HAS_EXTENSION:
            rounds.take("read-c", lambda _: read_columns(bench, topic, records, c_loop=True))
        rounds.take("read-python", lambda _: read_columns(bench, topic, records, c_loop=False))


def _memory(rounds: Rounds, bench: Bench, name: str, ticker: str) -> None:
    source.warm(bench.simulator_url, source.task("none", ticker, end=source.DAYS[0]))
    with backtest(bench, f"bench-{name}", stocks([ticker], "quote"), source.DAYS[0]) as api:
        records = completed(api, f"bench-{name}", every_s=0.2)
        for _ in range(ROUNDS):
            rounds.take(name, lambda _: peak_of_reading_mib(bench, f"bench-{name}", records))


def comparisons(values: Mapping[str, list[float]]) -> list[Comparison]:
    """What is claimed; without the C loop the plain name is the Python loop's."""
    loops = {"": "c", "_python_loop": "python"} if "read-c" in values else {"": "python"}
    found = [
        Comparison(
            f"topic_to_arrow_vs_naive{suffix}",
            "records/s",
            values[f"read-{loop}"],
            values["read-naive"],
            15.0 if loop == "c" else 7.0,
        )
        for suffix, loop in loops.items()
    ]
    found.append(Comparison("merge_of_ten_vs_in_turn", "records/s", values["merged"], values["in-turn"], 0.5))
    events, records = values["events"], values["records-in-turn"]
    found.append(Comparison("merged_events_vs_records_in_turn", "records/s", events, records, 0.5))
    if "read-rss-10m" in values:
        ten, one = values["read-rss-10m"], values["read-rss-1m"]
        found.append(Comparison("rss_of_reading_10m_vs_1m", "MiB", ten, one, 1.1, at_most=True))
    return found
