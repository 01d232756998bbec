"""A backtest to replay, and what stands on topics."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import pyarrow as pa
import pytest
from confluent_kafka import Message

from stoculus.connections import Kafka
from stoculus.reading.feed import times_us
from stoculus.reading.partition import PartitionReader
from stoculus.records.catalog import record_type
from stoculus.settings import VendorSettings
from tests.conftest import Broker, Registry
from tests.integration.cli.conftest import stoculus
from tests.integration.reading.conftest import CHAIN_QUOTE, OPEN_US, chain_rows
from tests.integration.written import Selection, Written
from tests.unit.stoculus.reading.feeds import records

__all__ = ["stoculus"]

QUOTE, BAR = record_type("StockQuote"), record_type("StockOhlcv")
MINUTE_US = 60_000_000
QUOTES = records(QUOTE, [OPEN_US + n * 1_000_000 // 2 for n in range(1200)])
BARS = records(BAR, [OPEN_US + n * MINUTE_US for n in range(10)])
CHAIN = chain_rows(CHAIN_QUOTE, [OPEN_US + n * MINUTE_US for n in range(10)])


@dataclass(frozen=True, slots=True)
class Stands:
    """A record on a topic."""

    key: bytes
    value: bytes
    time_ms: int
    origin: str
    ingest_us: int

    @property
    def whole(self) -> tuple[bytes, bytes, int]:
        """What history has, too."""
        return self.key, self.value, self.time_ms


Read = Callable[[str], list[Stands]]


@pytest.fixture(scope="package")
def where(broker: Broker, registry: Registry) -> VendorSettings:
    return VendorSettings(kafka_bootstrap=broker.bootstrap, registry_url=registry.url)


@pytest.fixture(scope="package")
def history(where: VendorSettings) -> Written:
    """Ten minutes: quotes twice a second, bars, and the quotes of a chain at each minute."""
    chosen = [Selection("AAPL", "quote"), Selection("AAPL", "ohlcv1m"), Selection("SPXW", "quote1m", "option")]
    backtest = Written(where.kafka, where.registry, chosen)
    for task, rows in zip(backtest.tasks, (QUOTES, BARS, CHAIN), strict=True):
        task.add(rows.slice(0, 7)).add(rows.slice(7)).complete()
    return backtest.say("completed")


@pytest.fixture(scope="package")
def read(where: VendorSettings) -> Read:
    """The records of a topic, in order."""
    return partial(_read, where.kafka)


@pytest.fixture
def replay_id() -> str:
    return uuid4().hex[:12]


def _read(kafka: Kafka, topic: str) -> list[Stands]:
    with PartitionReader(kafka, topic) as reader:
        return [_stands(message) for messages in reader.read(reader.first) for message in messages]


def _stands(message: Message) -> Stands:
    headers = dict(message.headers() or [])
    key = message.key()
    assert isinstance(key, bytes)
    origin, ingest_us = headers.get("origin"), headers.get("ingest_us")
    return Stands(
        key,
        message.value() or b"",
        message.timestamp()[1],
        origin.decode() if isinstance(origin, bytes) else "",
        int(ingest_us) if ingest_us else 0,
    )


def available_us(rows: pa.RecordBatch) -> list[int]:
    """When the records are known: quotes at their time, bars a minute later."""
    delay = MINUTE_US if "open" in rows.schema.names else 0
    return [int(us) + delay for us in times_us(rows)]
