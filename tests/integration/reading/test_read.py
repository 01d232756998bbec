import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from confluent_kafka import Producer, TopicPartition

import stoculus
from stoculus.errors import (
    BacktestIncomplete,
    BrokerUnavailable,
    InvalidRequest,
    NotFound,
    SchemaNotRegistered,
    TopicLost,
)
from stoculus.kafka import admin
from stoculus.reading.reader import Status
from stoculus.records.catalog import record_type
from stoculus.settings import Connections
from tests.integration.reading.conftest import OPEN_US, Make
from tests.integration.written import Written
from tests.unit.stoculus.reading.feeds import records

QUOTE, TRADE, BAR = record_type("StockQuote"), record_type("StockTrade"), record_type("StockOhlcv")
DAY_US, MINUTE_US = 86_400_000_000, 60_000_000
QUOTES = [records(QUOTE, [OPEN_US + day * DAY_US + n * 10_000 for n in range(1000)]) for day in range(3)]
BARS = [records(BAR, [OPEN_US + day * DAY_US + n * MINUTE_US for n in range(390)]) for day in range(3)]


@pytest.fixture(scope="module")
def complete(make: Make) -> Written:
    """Three days of quotes and bars."""
    backtest = make("quote", "ohlcv1m")
    for task, days in zip(backtest.tasks, (QUOTES, BARS), strict=True):
        for day in days:
            task.write(day)
        task.complete()
    return backtest.say("completed")


def table(batches: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches)


def test_all_topics_are_read_in_the_order_of_the_request(complete: Written, where: Connections) -> None:
    with stoculus.read(complete.backtest_id, settings=where) as reading:
        assert (reading.status, reading.topics) == (Status.OPEN, complete.topics)
        batches = list(reading)

    assert [stoculus.topic_of(batch) for batch in batches] == sorted(
        (stoculus.topic_of(batch) for batch in batches), key=complete.topics.index
    )
    assert table([batch for batch in batches if batch.schema.names == QUOTE.arrow.names]).equals(table(QUOTES))
    assert reading.status is Status.DONE
    assert stoculus.read(complete.backtest_id, settings=where).to_tables()[complete.topics[1]].equals(table(BARS))


def test_one_topic_becomes_a_table_a_frame_or_records(complete: Written, where: Connections) -> None:
    def bars() -> Any:
        return stoculus.read(f"kafka:backtest/{complete.backtest_id}", topics=complete.topics[1:], settings=where)

    whole = table(BARS)
    assert bars().to_table().equals(whole)
    pd.testing.assert_frame_equal(bars().to_pandas(), whole.to_pandas())
    assert bars().to_polars().equals(pl.from_arrow(whole))
    assert [record._asdict() for record in bars().records()] == whole.to_pylist()


def test_types_that_differ_make_no_one_table(complete: Written, where: Connections) -> None:
    with pytest.raises(InvalidRequest, match="StockOhlcv, StockQuote"):
        stoculus.read(complete.backtest_id, settings=where).to_table()


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        ("2024-01-03", None, slice(1000, None)),
        (None, "2024-01-02", slice(1000)),
        (date(2024, 1, 3), date(2024, 1, 3), slice(1000, 2000)),
        ("2024-01-03T09:30:00.005", "2024-01-03T09:30:00.020", slice(1001, 1002)),
        ("2024-01-04T16:00", "2024-01-31", slice(0, 0)),
        ("2023-01-01", "2023-12-31", slice(0, 0)),
    ],
)
def test_a_slice_of_market_time(complete: Written, where: Connections, start: Any, end: Any, rows: slice) -> None:
    found = stoculus.read(
        complete.backtest_id, topics=complete.topics[:1], start=start, end=end, settings=where
    ).to_table()

    whole = table(QUOTES)
    assert found.equals(whole.slice(rows.start or 0, len(range(*rows.indices(len(whole))))))


def test_a_batch_a_day(complete: Written, where: Connections) -> None:
    source = f"kafka:backtest/{complete.backtest_id}?every=1d&topics={complete.topics[0]}"

    assert all(batch.equals(day) for batch, day in zip(stoculus.read(source, settings=where), QUOTES, strict=True))


@pytest.mark.parametrize("source", ["kafka:topic/x", "http://127.0.0.1", "kafka:backtest/42?until=1"])
def test_a_source_that_is_none_is_refused(where: Connections, source: str) -> None:
    with pytest.raises(InvalidRequest):
        stoculus.read(source, settings=where)


def test_an_end_before_its_start_is_refused(complete: Written, where: Connections) -> None:
    with pytest.raises(InvalidRequest, match="not after the start"):
        stoculus.read(complete.backtest_id, start="2024-01-03", end="2024-01-02", settings=where)


def test_a_topic_that_is_not_the_backtests_is_refused(complete: Written, where: Connections) -> None:
    with pytest.raises(InvalidRequest, match="'stock-x' is no topic of backtest"):
        stoculus.read(complete.backtest_id, topics=["stock-x"], settings=where)


def test_an_unknown_backtest_is_not_found(complete: Written, where: Connections) -> None:
    with pytest.raises(NotFound, match="no backtest nobody-s"):
        stoculus.read("nobody-s", settings=where)


def test_a_deleted_backtest_is_not_found(make: Make, where: Connections) -> None:
    backtest = make("quote").delete()

    with pytest.raises(NotFound, match="is deleted"):
        stoculus.read(backtest.backtest_id, settings=where)


def test_a_running_backtest_is_read_to_its_end(make: Make, where: Connections) -> None:
    backtest = make("quote").say("running")
    task = backtest.tasks[0].add(QUOTES[0])

    def go_on() -> None:
        time.sleep(0.3)
        task.add(QUOTES[1])
        task.add(QUOTES[2]).complete()

    with in_thread(go_on):
        found = stoculus.read(backtest.backtest_id, settings=where).to_table()

    assert found.equals(table(QUOTES))


def test_a_topic_that_is_not_created_yet_is_waited_for(make: Make, where: Connections) -> None:
    backtest = make("quote")
    client = admin.connect(where.kafka)
    admin.delete_topics(client, backtest.topics)
    until(lambda: backtest.topics[0] not in admin.partition_counts(client))

    def go_on() -> None:
        time.sleep(0.3)
        admin.create_topics(client, backtest.topics, admin.DATA_CONFIG)
        backtest.tasks[0].add(QUOTES[0]).complete()

    with in_thread(go_on):
        assert stoculus.read(backtest.backtest_id, settings=where).to_table().equals(table(QUOTES[:1]))


@pytest.mark.parametrize("state", ["failed", "cancelled", "paused"])
def test_a_backtest_that_will_not_be_complete_says_so(make: Make, where: Connections, state: Any) -> None:
    backtest = make("quote", "trade")
    backtest.tasks[0].write(QUOTES[0]).complete()
    backtest.tasks[1].close()
    backtest.say(state)

    with pytest.raises(BacktestIncomplete, match=f"{backtest.topics[1]} is not complete.*is {state}"):
        stoculus.read(backtest.backtest_id, settings=where)
    whole = stoculus.read(backtest.backtest_id, topics=backtest.topics[:1], settings=where)
    assert whole.to_table().equals(table(QUOTES[:1]))
    there = stoculus.read(backtest.backtest_id, partial=True, settings=where).to_tables()
    assert [len(there[topic]) for topic in backtest.topics] == [1000, 0]


def test_a_task_that_fails_under_a_reader_ends_the_reading(make: Make, where: Connections) -> None:
    backtest = make("quote").say("running")
    task = backtest.tasks[0].add(QUOTES[0])
    reading = stoculus.read(backtest.backtest_id, settings=where)
    assert next(reading).num_rows == 1000

    task.fail("the vendor refused")

    with pytest.raises(BacktestIncomplete, match="the vendor refused"):
        next(reading)
    assert reading.status is Status.ERROR


def test_a_backtest_that_is_deleted_under_a_reader_ends_the_reading(make: Make, where: Connections) -> None:
    backtest = make("quote").say("running")
    backtest.tasks[0].add(QUOTES[0])
    reading = stoculus.read(backtest.backtest_id, settings=where)
    assert next(reading).num_rows == 1000
    backtest.tasks[0].close()

    backtest.delete()

    with pytest.raises(NotFound):
        next(reading)


def test_a_topic_cut_by_retention_is_told(make: Make, where: Connections) -> None:
    backtest = make("quote")
    backtest.tasks[0].write(QUOTES[0]).complete()
    backtest.say("completed")
    client = admin.connect(where.kafka)
    for future in client.delete_records([TopicPartition(backtest.topics[0], 0, 10)]).values():
        future.result()

    with pytest.raises(TopicLost, match="begins at offset 10"):
        list(stoculus.read(backtest.backtest_id, settings=where))


def test_foreign_bytes_are_told_with_topic_and_offset(make: Make, where: Connections) -> None:
    backtest = make("quote").say("running")
    backtest.tasks[0].write(QUOTES[0])
    producer = Producer({"bootstrap.servers": where.kafka_bootstrap, **admin.QUIET})
    producer.produce(backtest.topics[0], b"foreign bytes", partition=0)
    assert producer.flush(30) == 0

    with pytest.raises(SchemaNotRegistered, match=rf"Offset 1001 of {backtest.topics[0]}: .*registry's format"):
        stoculus.read(backtest.backtest_id, partial=True, settings=where).to_table()
    backtest.tasks[0].close()


def test_a_reader_that_is_closed_reads_no_more(complete: Written, where: Connections) -> None:
    with stoculus.read(complete.backtest_id, settings=where) as reading:
        next(reading)

    assert (reading.status, list(reading)) == (Status.CLOSED, [])


def test_a_broker_that_is_away_is_named(where: Connections) -> None:
    with pytest.raises(BrokerUnavailable):
        stoculus.read("42", settings=where.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}))


def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


@contextmanager
def in_thread(run: Callable[[], None]) -> Iterator[None]:
    """Run it beside the block; wait for it at the end."""
    thread = threading.Thread(target=run)
    thread.start()
    yield
    thread.join(60)
