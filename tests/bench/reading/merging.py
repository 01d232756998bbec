"""Ten topics merged, and the same ten read one after another."""

import time
from typing import Final

import stoculus
from stoculus.records.catalog import record_type
from stoculus.settings import Connections
from tests.bench.stack import Bench
from tests.bench.whole_way import many_tickers
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import OPEN_US, records

TOPICS: Final = 10
RECORDS: Final = 200_000
"""Of each topic."""
_BLOCK: Final = 50_000
_STEP_US: Final = 100_000


def ten_topics(bench: Bench) -> str:
    """The id of a backtest of two million quotes of ten stocks that take turns."""
    tickers = many_tickers()[:TOPICS]
    written = Written(bench.kafka, bench.registry, [Selection(ticker, "quote") for ticker in tickers])
    for place, task in enumerate(written.tasks):
        for first in range(0, RECORDS, _BLOCK):
            times = [OPEN_US + n * _STEP_US + place for n in range(first, first + _BLOCK)]
            task.add(records(record_type("StockQuote"), times, task.selection.symbol))
        task.complete()
    return written.say("completed").backtest_id


def read_columns_in_turn(bench: Bench, backtest_id: str) -> float:
    """Records a second, as record batches."""
    started = time.perf_counter()
    read = sum(batch.num_rows for batch in stoculus.read(backtest_id, settings=connections(bench)))
    return _rate(read, started)


def merge_columns(bench: Bench, backtest_id: str) -> float:
    """The same merged."""
    started = time.perf_counter()
    read = sum(len(part) for part in stoculus.merge(backtest_id, settings=connections(bench)).batches())
    return _rate(read, started)


def read_records_in_turn(bench: Bench, backtest_id: str) -> float:
    """Records a second, as named tuples."""
    started = time.perf_counter()
    read = sum(1 for _ in stoculus.read(backtest_id, settings=connections(bench)).records())
    return _rate(read, started)


def merge_events(bench: Bench, backtest_id: str) -> float:
    """The same merged, as events."""
    started = time.perf_counter()
    read = sum(1 for _ in stoculus.merge(backtest_id, settings=connections(bench)))
    return _rate(read, started)


def connections(bench: Bench) -> Connections:
    return Connections(kafka_bootstrap=bench.bootstrap, registry_url=bench.registry_url)


def _rate(read: int, started: float) -> float:
    if read != TOPICS * RECORDS:
        raise RuntimeError(f"{TOPICS * RECORDS} records, {read} read")
    return read / (time.perf_counter() - started)
