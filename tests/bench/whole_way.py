"""From the POST on: backtests of ticks and of a chain to their end, bars to the first record, hundreds of topics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx2
import psutil
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from stoculus.kafka.ends import reader
from tests.bench.report import Figure
from tests.bench.source import CHAIN_ROWS, DAYS, ROWS_A_DAY, TICKER
from tests.bench.stack import Bench

MANY: Final = 500
_BARS_TICKER: Final = "AAPL"
_DEADLINE_S: Final = 300


def whole_way(bench: Bench, backtest_id: str) -> float:
    """Records a second from the POST of two days of a stock's ticks to the state `completed`."""
    return _records_a_second(bench, backtest_id, stocks([TICKER], "quote"), DAYS[-1], len(DAYS) * ROWS_A_DAY)


def option_whole_way(bench: Bench, backtest_id: str) -> float:
    """The same for a day of one-minute quotes of a chain: it is sorted on the way."""
    chain = {"asset": "option", "root": TICKER, "expirations": "all", "schema": "quote", "interval": "1m"}
    return _records_a_second(bench, backtest_id, chain, DAYS[0], CHAIN_ROWS["1m"])


def first_record(bench: Bench, backtest_id: str) -> float:
    """Seconds from the POST of a day of minute bars to the first record that a reader of committed records gets."""
    consumer = reader(bench.kafka)
    try:
        consumer.list_topics(timeout=5)
        started = time.perf_counter()
        with backtest(bench, backtest_id, stocks([_BARS_TICKER], "ohlcv"), DAYS[0]) as api:
            _await_record(consumer, f"stock-{_BARS_TICKER.lower()}-ohlcv1m-historical-{backtest_id}")
            seconds = time.perf_counter() - started
            completed(api, backtest_id, every_s=0.1)
    finally:
        consumer.close()
    return seconds


def many_topics(bench: Bench, backtest_id: str) -> list[Figure]:
    """A day of minute bars of 500 tickers in one backtest: seconds to its end, and what a topic costs."""
    broker = psutil.Process(bench.broker_pid)
    memory_before = broker.memory_info().rss
    started = time.perf_counter()
    with backtest(bench, backtest_id, stocks(many_tickers(), "ohlcv"), DAYS[0]) as api:
        completed(api, backtest_id, every_s=0.2)
        seconds = time.perf_counter() - started
        memory_bytes = broker.memory_info().rss - memory_before
        disk_bytes = _disk_bytes(bench.broker_data, f"-{backtest_id}-0")
    return [
        Figure("backtest_of_500_topics", "s", [seconds]),
        Figure("time_of_a_topic", "ms", [seconds * 1000 / MANY]),
        Figure("broker_memory_of_a_topic", "KiB", [memory_bytes / 1024 / MANY]),
        Figure("broker_disk_of_a_topic", "KiB", [disk_bytes / 1024 / MANY]),
    ]


def many_tickers() -> list[str]:
    """Tickers of the simulator."""
    return [f"SYM{number:04}" for number in range(1, MANY + 1)]


def stocks(symbols: list[str], schema: str) -> dict[str, Any]:
    return {"asset": "stock", "symbols": symbols, "schema": schema}


def _records_a_second(bench: Bench, backtest_id: str, selection: dict[str, Any], end: date, rows: int) -> float:
    started = time.perf_counter()
    with backtest(bench, backtest_id, selection, end) as api:
        records = completed(api, backtest_id, every_s=0.02)
        seconds = time.perf_counter() - started
    if records != rows:
        raise RuntimeError(f"{backtest_id}: {records} records, not {rows}")
    return records / seconds


@contextmanager
def backtest(bench: Bench, backtest_id: str, selection: dict[str, Any], end: date) -> Iterator[httpx2.Client]:
    """Submit a backtest; delete it in the end, its topics with it."""
    body = {
        "backtest_id": backtest_id,
        "start": f"{DAYS[0]}",
        "end": f"{end}",
        "data": [selection],
    }
    with httpx2.Client(base_url=bench.coordinator_url, timeout=60, trust_env=False) as api:
        api.post("/v1/backtests", json=body).raise_for_status()
        yield api
        api.delete(f"/v1/backtests/{backtest_id}").raise_for_status()


def completed(api: httpx2.Client, backtest_id: str, *, every_s: float) -> int:
    """Wait for the end; return the records."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        now = api.get(f"/v1/backtests/{backtest_id}").raise_for_status().json()
        if now["state"] == "completed":
            return int(now["records"])
        if now["state"] in ("failed", "cancelled"):
            raise RuntimeError(f"{backtest_id} {now['state']}: {now['tasks']}")
        time.sleep(every_s)
    raise RuntimeError(f"{backtest_id} is not completed after {_DEADLINE_S} s")


def _await_record(consumer: Consumer, topic: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    # A topic that the consumer is given before it exists is looked for at long intervals.
    while not consumer.list_topics(topic, timeout=5).topics[topic].partitions:
        time.sleep(0.005)
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    while time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            return
    raise RuntimeError(f"{topic} has no record after {_DEADLINE_S} s")


def _disk_bytes(data: Path, ending: str) -> int:
    """What the partitions take on the disk: index files are sparse."""
    folders = [folder for folder in data.iterdir() if folder.name.endswith(ending)]
    return sum(file.stat().st_blocks * 512 for folder in folders for file in folder.iterdir())
