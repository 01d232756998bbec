"""Ten topics merged, and the same ten read one after another."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import stoculus
from stoculus.settings import Connections
from tests.bench.source import DAYS
from tests.bench.stack import Bench
from tests.bench.whole_way import backtest, completed, many_tickers, stocks

TOPICS: Final = 10


@contextmanager
def ten_topics(bench: Bench, backtest_id: str) -> Iterator[tuple[str, int]]:
    """A backtest of a day's quotes of ten stocks, and how many records it has."""
    with backtest(bench, backtest_id, stocks(many_tickers()[:TOPICS], "quote"), DAYS[0]) as api:
        yield backtest_id, completed(api, backtest_id, every_s=0.2)


def read_columns_in_turn(bench: Bench, backtest_id: str, records: int) -> float:
    """Records a second, as record batches."""
    started = time.perf_counter()
    read = sum(batch.num_rows for batch in stoculus.read(backtest_id, settings=connections(bench)))
    return _rate(read, records, started)


def merge_columns(bench: Bench, backtest_id: str, records: int) -> float:
    """The same merged."""
    started = time.perf_counter()
    read = sum(len(part) for part in stoculus.merge(backtest_id, settings=connections(bench)).batches())
    return _rate(read, records, started)


def read_records_in_turn(bench: Bench, backtest_id: str, records: int) -> float:
    """Records a second, as named tuples."""
    started = time.perf_counter()
    read = sum(1 for _ in stoculus.read(backtest_id, settings=connections(bench)).records())
    return _rate(read, records, started)


def merge_events(bench: Bench, backtest_id: str, records: int) -> float:
    """The same merged, as events."""
    started = time.perf_counter()
    read = sum(1 for _ in stoculus.merge(backtest_id, settings=connections(bench)))
    return _rate(read, records, started)


def connections(bench: Bench) -> Connections:
    return Connections(kafka_bootstrap=bench.bootstrap, registry_url=bench.registry_url)


def _rate(read: int, records: int, started: float) -> float:
    if read != records:
        raise RuntimeError(f"{records} records, {read} read")
    return read / (time.perf_counter() - started)
