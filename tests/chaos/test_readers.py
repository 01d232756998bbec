"""Readers whose broker dies under them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from uuid import uuid4

import pytest

import stoculus
from stoculus.errors import BrokerUnavailable
from stoculus.reading.feed import times_us
from stoculus.records.catalog import record_type
from stoculus.settings import Connections
from tests.conftest import Broker, Registry
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import OPEN_US, records

pytestmark = pytest.mark.chaos
RECORDS: Final = 150_000
"""More than a consumer fetches ahead."""
ROWS: Final = records(record_type("StockQuote"), [OPEN_US + n * 10_000 for n in range(RECORDS)])
Open = Callable[..., Any]


@pytest.fixture
def where(broker: Broker, registry: Registry) -> Iterator[Connections]:
    yield Connections(kafka_bootstrap=broker.bootstrap, registry_url=registry.url)
    broker.start()


def written(where: Connections, state: str) -> Written:
    """Two topics."""
    backtest = Written(where.kafka, where.registry, [Selection(ticker, "quote") for ticker in ("AAPL", "MSFT")])
    for task in backtest.tasks:
        for first in range(0, RECORDS, 50_000):
            task.add(ROWS.slice(first, 50_000))
        if state == "completed":
            task.complete()
    return backtest.say("completed" if state == "completed" else "running")


@pytest.mark.parametrize("state", ["completed", "running"])
@pytest.mark.parametrize("open_reader", [stoculus.read, stoculus.merge])
def test_a_broker_that_stays_away_is_told(broker: Broker, where: Connections, open_reader: Open, state: str) -> None:
    backtest = written(where, state)
    with open_reader(backtest.backtest_id, settings=where) as reader:
        batches = reader if open_reader is stoculus.read else reader.batches()
        next(iter(batches))
        broker.kill9()
        with pytest.raises(BrokerUnavailable, match=r"Kafka|broker") as told:
            for _ in batches:
                pass

    assert told.value.remedy


def test_a_group_waits_for_its_broker(broker: Broker, where: Connections) -> None:
    backtest = written(where, "completed")
    group = stoculus.subscribe(backtest.topics, group=uuid4().hex, until_end=True, settings=where)
    with group, ThreadPoolExecutor(1) as threads:
        got = [next(group)]
        broker.kill9()
        back = threads.submit(broker.start)
        got += group
        back.result()

    read = {(stoculus.topic_of(batch), us) for batch in got for us in times_us(batch).tolist()}
    assert len(read) == 2 * RECORDS


@pytest.mark.parametrize("open_reader", [stoculus.read, stoculus.merge])
def test_a_broker_that_comes_back_in_time_is_read_on(broker: Broker, where: Connections, open_reader: Open) -> None:
    backtest = written(where, "completed")
    with open_reader(backtest.backtest_id, settings=where) as reader, ThreadPoolExecutor(1) as threads:
        batches = iter(reader if open_reader is stoculus.read else reader.batches())
        got = [next(batches)]
        broker.kill9()
        back = threads.submit(broker.start)
        got += batches
        back.result()

    assert sum(len(batch) for batch in got) == 2 * RECORDS
